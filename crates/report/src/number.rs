//! The formats of numbers. They are fixed, so that equal results give equal bytes.

use alluvium_results::Unit;

/// A number for a file: in the unit of the metric, with enough digits to compute with.
pub(crate) fn for_file(value: f64, unit: Unit) -> String {
    let decimals = match unit {
        Unit::Fraction => 6,
        Unit::Bytes => 0,
        Unit::Seconds | Unit::Count => 3,
    };
    fixed(value, decimals)
}

/// The format of the numbers of one column of a table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    /// The factor for a value.
    pub(crate) factor: f64,
    /// Digits after the point.
    decimals: usize,
    /// The unit after the factor, for the heading of the column.
    pub(crate) unit: Option<&'static str>,
}

impl Scale {
    /// Fractions as percent: 0.713 as `71.3`. The heading of the table says so, once for all columns.
    pub(crate) const PERCENT: Self = Self { factor: 100.0, decimals: 1, unit: None };
    /// Fractions that are not shown as percent: similarities.
    pub(crate) const FRACTION: Self = Self { factor: 1.0, decimals: 3, unit: None };
    /// Counts.
    pub(crate) const COUNT: Self = Self { factor: 1.0, decimals: 1, unit: None };
    /// Seconds.
    pub(crate) const SECONDS: Self = Self { factor: 1.0, decimals: 1, unit: Some("s") };

    /// The decimal multiple of a byte in which `largest` has one to three digits before its point.
    pub(crate) fn bytes(largest: f64) -> Self {
        let (factor, decimals, unit) = match largest {
            ..1e3 => (1.0, 0, "B"),
            ..1e6 => (1e-3, 2, "kB"),
            ..1e9 => (1e-6, 2, "MB"),
            _ => (1e-9, 2, "GB"),
        };
        Self { factor, decimals, unit: Some(unit) }
    }

    /// The value in this scale.
    pub(crate) fn show(self, value: f64) -> String {
        fixed(value * self.factor, self.decimals)
    }

    /// The value in this scale, with a plus sign if it is above zero after rounding.
    pub(crate) fn show_signed(self, value: f64) -> String {
        let text = self.show(value);
        let is_zero = text.chars().all(|c| matches!(c, '0' | '.'));
        if is_zero || text.starts_with('-') { text } else { format!("+{text}") }
    }
}

/// A number with `decimals` digits after the point. Zero has no sign.
fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(digits) if digits.chars().all(|c| matches!(c, '0' | '.')) => digits.to_owned(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_fixed_digits() {
        assert_eq!(for_file(2.0 / 3.0, Unit::Fraction), "0.666667");
        assert_eq!(for_file(1_234_567.6, Unit::Bytes), "1234568");
        assert_eq!(for_file(12.0, Unit::Seconds), "12.000");
    }

    #[test]
    fn zero_has_no_sign() {
        assert_eq!(for_file(-1e-9, Unit::Fraction), "0.000000");
        assert_eq!(Scale::PERCENT.show_signed(-0.0001), "0.0");
        assert_eq!(Scale::PERCENT.show_signed(0.0001), "0.0");
        assert_eq!(Scale::PERCENT.show_signed(0.025), "+2.5");
        assert_eq!(Scale::PERCENT.show_signed(-0.025), "-2.5");
    }

    #[test]
    fn bytes_are_in_the_unit_of_the_largest() {
        assert_eq!(Scale::bytes(999.0).unit, Some("B"));
        assert_eq!(Scale::bytes(1e3).show(1234.0), "1.23");
        assert_eq!(Scale::bytes(5e6).show(44_700.0), "0.04");
        assert_eq!(Scale::bytes(2e9).unit, Some("GB"));
    }
}
