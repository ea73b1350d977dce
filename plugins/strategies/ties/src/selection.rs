//! The magnitude at which trimming cuts, among more values than fit into memory: found in two passes that only count.

use crate::trimmed;

/// Magnitudes are told apart by the upper half of their 32 bits first, then by the lower half.
const BUCKETS: usize = 1 << 16;

/// Looks for the smallest magnitude that trimming keeps. The bits of numbers that are not negative are in the order of the
/// numbers, so that a count for each pattern of bits says where it lies.
#[derive(Debug)]
pub(crate) struct Selection {
    /// How many values there are with each pattern of 16 bits.
    counts: Vec<u64>,
    /// After the first pass: the upper bits of what is looked for, and how many values with these bits are smaller.
    narrowed: Option<(u32, u64)>,
}

impl Default for Selection {
    fn default() -> Self {
        Selection { counts: vec![0; BUCKETS], narrowed: None }
    }
}

impl Selection {
    /// Counts some values, whatever their sign. Every pass is shown all values.
    pub(crate) fn count(&mut self, values: &[f32]) {
        let bits = values.iter().map(|value| value.abs().to_bits());
        match self.narrowed {
            None => bits.for_each(|bits| self.counts[(bits >> 16) as usize] += 1),
            Some((upper, _)) => {
                bits.filter(|bits| bits >> 16 == upper).for_each(|bits| self.counts[(bits & 0xffff) as usize] += 1)
            }
        }
    }

    /// A pass is over. After the second one: the smallest magnitude that is kept of this share of all values.
    pub(crate) fn narrow(&mut self, density: f64) -> Option<f32> {
        let all: u64 = self.counts.iter().sum();
        let smaller = match self.narrowed {
            None => trimmed(all as usize, density) as u64,
            Some((_, smaller)) => smaller,
        };
        let (bits, smaller) = self.bucket(smaller);
        self.counts.fill(0);
        match self.narrowed {
            None => {
                self.narrowed = Some((bits, smaller));
                None
            }
            Some((upper, _)) => Some(f32::from_bits(upper << 16 | bits)),
        }
    }

    /// The pattern of the value that has so many before it, and how many of these have the same pattern; the first pattern
    /// where there is no value at all.
    fn bucket(&self, mut before: u64) -> (u32, u64) {
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

    fn selected(values: &[f32], density: f64) -> f32 {
        let mut selection = Selection::default();
        for pass in 0..2 {
            // In pieces, as they come.
            values.chunks(7).for_each(|piece| selection.count(piece));
            if let Some(found) = selection.narrow(density) {
                assert_eq!(pass, 1);
                return found;
            }
        }
        panic!("two passes find it");
    }

    #[test]
    fn it_is_the_value_that_sorting_finds() {
        let mut random = Seed::new(5).random();
        let mut values: Vec<f32> = (0..1000).map(|_| random.random_range(-1.0_f32..1.0).powi(5)).collect();
        values.extend([0.0, -0.0, 1e-40, -3e38, 0.25, 0.25, -0.25]);
        let mut sorted: Vec<f32> = values.iter().map(|value| value.abs()).collect();
        sorted.sort_unstable_by(f32::total_cmp);
        for kept in [1, 2, 200, 201, 503, 1006, 1007] {
            let found = selected(&values, kept as f64 / 1007.0);
            assert_eq!(found.to_bits(), sorted[1007 - kept].to_bits(), "{kept} of 1007");
        }
    }

    #[test]
    fn nothing_and_one_value_have_one_too() {
        assert_eq!(selected(&[], 0.2), 0.0);
        assert_eq!(selected(&[-3.0], 0.2), 3.0, "at least one is kept");
    }
}
