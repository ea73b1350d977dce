//! Finds the magnitude at which trimming cuts, among more values than fit into memory, in passes that only count.

use alluvium_model::{Number, Numbers};

use crate::trimming::trimmed;

/// The digits of a magnitude in 64 bits: the upper end of the bits of each digit, first digit first. Each pass finds one digit.
///
/// A number of 32 bits, written in 64, has 11 bits of exponent and 23 fraction bits, which are the first two digits. So two
/// passes find it; numbers of 64 bits need more.
const DIGITS: [u32; 5] = [63, 46, 29, 12, 0];

/// The number of patterns of the longest digit.
const BUCKETS: usize = 1 << 17;

/// Finds the smallest magnitude that trimming keeps. Non-negative numbers have the same order as their bits, so a count per bit
/// pattern tells in which pattern the magnitude lies.
#[derive(Debug)]
pub(crate) struct Selection {
    /// The number of values with each pattern of the current digit.
    counts: Vec<u64>,
    /// The number of digits found so far.
    found: usize,
    /// The bits of the digits found so far.
    prefix: u64,
    /// The number of values with these digits that are smaller than the result; `None` before the end of the first pass.
    smaller: Option<u64>,
    /// Whether a value of this pass has bits after the current digit.
    goes_on: bool,
    /// The result.
    cut: Option<f64>,
}

impl Default for Selection {
    fn default() -> Self {
        Selection { counts: vec![0; BUCKETS], found: 0, prefix: 0, smaller: None, goes_on: false, cut: None }
    }
}

impl Selection {
    /// Counts some values, ignoring their sign. Every pass must count all values.
    pub(crate) fn count(&mut self, values: &Numbers) {
        match values {
            _ if self.cut.is_some() => {}
            Numbers::Single(values) => self.count_each(values),
            Numbers::Double(values) => self.count_each(values),
        }
    }

    fn count_each<N: Number>(&mut self, values: &[N]) {
        let (above, below) = (DIGITS[self.found], DIGITS[self.found + 1]);
        let (digit, behind) = ((1 << (above - below)) - 1, (1_u64 << below) - 1);
        let mut rest = 0;
        for value in values {
            let bits = value.magnitude().exact().to_bits();
            if bits >> above == self.prefix >> above {
                self.counts[(bits >> below & digit) as usize] += 1;
                rest |= bits & behind;
            }
        }
        self.goes_on |= rest != 0;
    }

    /// Ends a pass. After the last pass, returns the smallest magnitude if this fraction of all values is kept.
    pub(crate) fn narrow(&mut self, density: f64) -> Option<f64> {
        if self.cut.is_some() {
            return self.cut;
        }
        let all: u64 = self.counts.iter().sum();
        let smaller = self.smaller.unwrap_or(trimmed(all as usize, density) as u64);
        let (digit, smaller) = self.bucket(smaller);
        self.counts.fill(0);
        self.found += 1;
        self.prefix |= digit << DIGITS[self.found];
        self.smaller = Some(smaller);
        let whole = !std::mem::take(&mut self.goes_on);
        self.cut = (whole || self.found + 1 == DIGITS.len()).then(|| f64::from_bits(self.prefix));
        self.cut
    }

    /// The pattern of the value with `before` smaller ones, and how many of these have the same pattern. The first pattern if
    /// there are no values.
    fn bucket(&self, mut before: u64) -> (u64, u64) {
        for (bits, count) in (0..).zip(&self.counts) {
            if before < *count {
                return (bits, before);
            }
            before -= count;
        }
        (0, 0)
    }
}

#[cfg(test)]
mod tests {
    use alluvium_model::Seed;
    use rand::RngExt;

    use super::*;

    /// The result, and the number of passes.
    fn selected(pieces: &[Numbers], density: f64) -> (f64, usize) {
        let mut selection = Selection::default();
        for pass in 1..DIGITS.len() {
            pieces.iter().for_each(|piece| selection.count(piece));
            if let Some(found) = selection.narrow(density) {
                // More passes, which other experts need, do not change the result.
                pieces.iter().for_each(|piece| selection.count(piece));
                assert_eq!(selection.narrow(density), Some(found));
                return (found, pass);
            }
        }
        panic!("a pass per digit is enough");
    }

    fn drawn() -> Vec<f32> {
        let mut random = Seed::new(5).random();
        let mut values: Vec<f32> = (0..1000).map(|_| random.random_range(-1.0_f32..1.0).powi(5)).collect();
        values.extend([0.0, -0.0, 1e-40, -3e38, 0.25, 0.25, -0.25]);
        values
    }

    #[test]
    fn it_is_the_value_that_sorting_finds() {
        let values = drawn();
        let pieces: Vec<_> = values.chunks(7).map(|piece| Numbers::from(piece.to_vec())).collect();
        let mut sorted: Vec<f32> = values.iter().map(|value| value.abs()).collect();
        sorted.sort_unstable_by(f32::total_cmp);
        for kept in [1, 2, 200, 201, 503, 1006, 1007] {
            let found = selected(&pieces, kept as f64 / 1007.0);
            assert_eq!(found, (f64::from(sorted[1007 - kept]), 2), "{kept} of 1007");
        }
    }

    #[test]
    fn of_64_bits_it_is_the_value_that_sorting_finds() {
        // Pairs that differ in the last bit, beside what 32 bits cannot hold.
        let mut values: Vec<f64> = drawn().into_iter().map(|value| f64::from(value) * (1.0 + 3e-10)).collect();
        values.extend([1e300, -3e-300, 1.0, 1.0 + f64::EPSILON, -1.0 - 2.0 * f64::EPSILON]);
        let mut pieces: Vec<_> = values.chunks(7).map(|piece| Numbers::from(piece.to_vec())).collect();
        pieces.push(vec![0.5_f32, -2.0].into());
        let mut sorted: Vec<f64> = values.iter().map(|value| value.abs()).chain([0.5, 2.0]).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        for kept in 1..=sorted.len() {
            let (found, passes) = selected(&pieces, kept as f64 / sorted.len() as f64);
            assert_eq!(found, sorted[sorted.len() - kept], "{kept} of {}", sorted.len());
            assert!(passes <= 4);
        }
    }

    #[test]
    fn nothing_and_one_value_have_one_too() {
        assert_eq!(selected(&[], 0.2).0, 0.0);
        assert_eq!(selected(&[vec![-3.0_f32].into()], 0.2).0, 3.0, "at least one is kept");
        assert_eq!(selected(&[vec![-1e300].into()], 0.2).0, 1e300);
    }
}
