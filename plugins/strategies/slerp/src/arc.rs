//! The arc between two tensors.

use std::collections::BTreeMap;

use alluvium_model::{Beside, Number, Numbers, Pairwise};
use alluvium_strategy::Scale;

/// Above this |cos Ω|, two tensors count as colinear, because 1/sin Ω would amplify rounding errors of their difference.
const NEARLY_COLINEAR: f64 = 0.9995;

/// The products of two tensors p and q as vectors. They give the angle Ω between them. The angle does not depend on the lengths
/// of the vectors, so p and q are divided by their scales first.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Products {
    /// ⟨p, p⟩.
    own: f64,
    /// ⟨q, q⟩.
    other: f64,
    /// ⟨p, q⟩.
    both: f64,
    /// The scales of p and of q; `None` before the first value that is not 0.
    scales: [Option<Scale>; 2],
}

/// The products of each tensor, by its full name: the centre's and an expert's.
pub(crate) type TensorProducts = BTreeMap<String, Products>;

impl Products {
    /// The products of whole tensors.
    pub(crate) fn of(own: &Numbers, other: &Numbers) -> Self {
        let mut products = Products::default();
        products.add(own, other);
        products
    }

    /// Adds the next values of both. The sums do not depend on how a tensor is cut into pieces.
    pub(crate) fn add(&mut self, own: &Numbers, other: &Numbers) {
        match own.beside(other) {
            // Squares of 32 bits fit into 64.
            Beside::Single(own, other) => self.add_each(own, other, |value| value, |value| value),
            Beside::Double(own, other) => {
                let [p, q] = self.rescaled(&own, &other);
                if p == Scale::default() && q == Scale::default() {
                    self.add_each(&own, &other, |value| value, |value| value);
                } else {
                    self.add_each(&own, &other, |value| p.divide(value), |value| q.divide(value));
                }
            }
        }
    }

    fn add_each<N: Number>(&mut self, own: &[N], other: &[N], p: impl Fn(f64) -> f64, q: impl Fn(f64) -> f64) {
        for (own, other) in own.iter().zip(other) {
            let (own, other) = (p(own.exact()), q(other.exact()));
            self.own += own * own;
            self.other += other * other;
            self.both += own * other;
        }
    }

    /// The scales for the next values. If these are much larger than the earlier ones, the sums are converted to the new scale.
    fn rescaled(&mut self, own: &[f64], other: &[f64]) -> [Scale; 2] {
        let next = [Scale::of(own), Scale::of(other)];
        let [p, q] = [0, 1].map(|index| {
            let old = self.scales[index];
            let new = match (old, next[index]) {
                (Some(old), Some(new)) if !new.outgrows(old) => old,
                (old, new) => new.or(old).unwrap_or_default(),
            };
            if old.is_some() || next[index].is_some() {
                self.scales[index] = Some(new);
            }
            (old.unwrap_or(new), new)
        });
        let to = |(old, new): (Scale, Scale), value: f64| new.instead_of(old, value);
        self.own = to(p, to(p, self.own));
        self.other = to(q, to(q, self.other));
        self.both = to(p, to(q, self.both));
        [p.1, q.1]
    }

    /// The weights of p and q at the point t on the arc from p (t = 0) to q (t = 1).
    pub(crate) fn weights(&self, t: f64) -> (f64, f64) {
        let cosine = self.both / (self.own * self.other).sqrt();
        // Tensors of zeros have no angle: their cosine is NaN, so they are interpolated linearly, too.
        if cosine.abs() <= NEARLY_COLINEAR {
            let angle = cosine.acos();
            (((1.0 - t) * angle).sin() / angle.sin(), (t * angle).sin() / angle.sin())
        } else {
            (1.0 - t, t)
        }
    }
}

/// The weighted sum of two tensors, computed in 64 bits.
pub(crate) struct WeightedSum(pub f64, pub f64);

impl Pairwise for WeightedSum {
    fn of<N: Number>(&self, own: N, other: N) -> N {
        N::rounded(self.0 * own.exact() + self.1 * other.exact())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(own: &Numbers, other: &Numbers, t: f64) -> Numbers {
        let (own_weight, other_weight) = Products::of(own, other).weights(t);
        own.combine(other, &WeightedSum(own_weight, other_weight))
    }

    fn interpolate(own: &[f32], other: &[f32], t: f64) -> Vec<f32> {
        match between(&own.to_vec().into(), &other.to_vec().into(), t) {
            Numbers::Single(values) => values,
            Numbers::Double(values) => panic!("{values:?} of 32 bits"),
        }
    }

    /// ‖·‖ is kept, and 45° are half of a right angle: 3·10³⁰⁰ times sin 45° is 2.121320343559643·10³⁰⁰ (Python).
    #[test]
    fn angles_do_not_depend_on_how_large_numbers_are() {
        for (length, expected) in [(3e300, 2.121_320_343_559_643e300), (3e-300, 2.121_320_343_559_643e-300)] {
            for (own, other) in [(length, length), (length, 3.0), (3.0, length)] {
                let middle = between(&vec![own, 0.0].into(), &vec![0.0, other].into(), 0.5);
                let middle = middle.exact().into_owned();
                let near = |found: f64, full: f64| {
                    let expected = if full == 3.0 { 2.121_320_343_559_643 } else { expected };
                    (found / expected - 1.0).abs() < 1e-14
                };
                assert!(near(middle[0], own) && near(middle[1], other), "{own}, {other}: {middle:?}");
            }
        }
    }

    #[test]
    fn products_are_the_same_in_pieces_of_very_different_numbers() {
        let own = [3e-300, 0.0, 1.5, 1e300, -2e299, 7.0];
        let other = [0.0, 1e-310, 2.5, 4e299, 1e300, -1.0];
        let whole = Products::of(&own.to_vec().into(), &other.to_vec().into());
        let mut sums = Products::default();
        own.chunks(1).zip(other.chunks(1)).for_each(|(p, q)| sums.add(&p.to_vec().into(), &q.to_vec().into()));
        assert_eq!(sums.weights(0.3), whole.weights(0.3));
        // (1·0.4 − 0.2·1) / √((1 + 0.04)(0.16 + 1)) = 0.2 / √1.2064, the rest is too small to count.
        let angle = (0.2 / 1.2064_f64.sqrt()).acos();
        assert!((whole.weights(0.5).0 - (angle / 2.0).sin() / angle.sin()).abs() < 1e-14);
    }

    #[test]
    fn the_middle_of_a_right_angle_lies_on_the_arc() {
        // From (3, 0) to (0, 3): at t = 1/2 both have sin 45° / sin 90° · 3 = 2.12132, and the length is still 3.
        let middle = interpolate(&[3.0, 0.0], &[0.0, 3.0], 0.5);
        assert!(middle.iter().all(|value| (value - 2.12132).abs() < 1e-5), "{middle:?}");
    }

    #[test]
    fn tensors_that_are_colinear_opposite_or_zero_are_interpolated_linearly() {
        assert_eq!(interpolate(&[1.0, 2.0], &[3.0, 6.0], 0.25), [1.5, 3.0]);
        assert_eq!(interpolate(&[1.0, 0.0], &[-1.0, 0.0], 0.25), [0.5, 0.0]);
        assert_eq!(interpolate(&[0.0, 0.0], &[4.0, 8.0], 0.25), [1.0, 2.0]);
    }
}
