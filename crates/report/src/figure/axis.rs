//! Axes: a range with ticks at round numbers.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::coord::types::RangedCoordf64;

/// An axis for the chart library. The axes of the library choose ticks, too. But they do not keep devices to whole numbers, and
/// do not give all labels the same number of decimals.
#[derive(Clone)]
pub(crate) struct Axis {
    range: RangedCoordf64,
    ticks: Ticks,
}

impl Axis {
    /// The axis over this range. A range that starts at its larger end gives a reversed axis.
    pub(crate) fn new(range: Range<f64>, ticks: Ticks) -> Self {
        Self { range: range.into(), ticks }
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        self.range.map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // Light points are for finer grid lines, which these charts do not have.
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.at.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.range.range()
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        self.ticks.label(*value)
    }
}

/// The ticks of an axis, all written with the same number of decimals.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ticks {
    pub(crate) at: Vec<f64>,
    decimals: usize,
}

impl Ticks {
    /// At most `most` multiples of 1, 2 or 5 times a power of ten, from `low` to `high`.
    pub(crate) fn round(low: f64, high: f64, most: usize) -> Self {
        Self::multiples(low, high, most, f64::MIN_POSITIVE)
    }

    /// The same with whole numbers only, and with both ends of a stream of `count` devices if they fit.
    pub(crate) fn whole(count: usize, most: usize) -> Self {
        if count <= most {
            return Self { at: (1..=count).map(|number| number as f64).collect(), decimals: 0 };
        }
        let mut ticks = Self::multiples(1.0, count as f64, most, 1.0);
        ticks.at.insert(0, 1.0);
        ticks.at.dedup();
        ticks
    }

    /// The number at a tick.
    pub(crate) fn label(&self, value: f64) -> String {
        format!("{value:.*}", self.decimals)
    }

    fn multiples(low: f64, high: f64, most: usize, least_step: f64) -> Self {
        let step = round_step((high - low) / most.max(1) as f64).max(least_step);
        // A small margin at both ends keeps rounding from losing a tick.
        let first = (low / step - 1e-9).ceil() as i64;
        let last = (high / step + 1e-9).floor() as i64;
        let at = (first..=last).map(|multiple| multiple as f64 * step).collect();
        Self { at, decimals: decimals(step) }
    }
}

/// The smallest of 1, 2 and 5 times a power of ten that is not below `step`; 1 if the range is empty.
fn round_step(step: f64) -> f64 {
    if !(step.is_finite() && step > 0.0) {
        return 1.0;
    }
    let power = 10_f64.powf(step.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= step * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

/// The number of digits after the point of a multiple of this step.
fn decimals(step: f64) -> usize {
    (-(step.log10() + 1e-9).floor()).max(0.0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_numbers_within_the_range() {
        let ticks = Ticks::round(0.0, 100.0, 6);
        assert_eq!(ticks.at, [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(ticks.label(20.0), "20");

        let ticks = Ticks::round(0.3, 1.0, 8);
        let labels: Vec<_> = ticks.at.iter().map(|value| ticks.label(*value)).collect();
        assert_eq!(labels, ["0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1.0"]);
    }

    #[test]
    fn devices_are_whole_and_start_at_one() {
        assert_eq!(Ticks::whole(1, 10).at, [1.0]);
        assert_eq!(Ticks::whole(3, 10).at, [1.0, 2.0, 3.0]);
        assert_eq!(Ticks::whole(25, 10).at, [1.0, 5.0, 10.0, 15.0, 20.0, 25.0]);
        let thousand = Ticks::whole(1000, 10).at;
        assert_eq!((thousand[0], thousand[1], thousand.len()), (1.0, 100.0, 11));
    }

    #[test]
    fn a_range_without_extent_is_no_endless_loop() {
        assert_eq!(Ticks::round(0.0, 0.0, 5).at, [0.0]);
        assert!(Ticks::round(f64::NAN, f64::NAN, 5).at.len() <= 1);
    }
}
