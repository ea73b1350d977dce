//! The arc between two tensors.

/// From this |cos Ω| on two tensors are colinear: 1/sin Ω would amplify what is left of their difference.
const NEARLY_COLINEAR: f64 = 0.9995;

/// The products of two tensors p and q as vectors, which say what the angle Ω between them is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Products {
    /// ⟨p, p⟩.
    own: f64,
    /// ⟨q, q⟩.
    other: f64,
    /// ⟨p, q⟩.
    both: f64,
}

impl Products {
    /// Of whole tensors.
    pub(crate) fn of(own: &[f32], other: &[f32]) -> Self {
        let mut products = Products::default();
        products.add(own, other);
        products
    }

    /// Adds the next values of both. The sums are the same whatever pieces a tensor comes in.
    pub(crate) fn add(&mut self, own: &[f32], other: &[f32]) {
        for (own, other) in own.iter().zip(other) {
            let (own, other) = (f64::from(*own), f64::from(*other));
            self.own += own * own;
            self.other += other * other;
            self.both += own * other;
        }
    }

    /// How much p and q count at the point at t on the arc from p (t = 0) to q (t = 1).
    pub(crate) fn weights(&self, t: f64) -> (f64, f64) {
        let cosine = self.both / (self.own * self.other).sqrt();
        // Tensors of zeros have no angle: their cosine is NaN, and they are interpolated linearly, too.
        if cosine.abs() <= NEARLY_COLINEAR {
            let angle = cosine.acos();
            (((1.0 - t) * angle).sin() / angle.sin(), (t * angle).sin() / angle.sin())
        } else {
            (1.0 - t, t)
        }
    }
}

/// The weighted sum of two tensors.
pub(crate) fn combine(own: &[f32], other: &[f32], own_weight: f64, other_weight: f64) -> Vec<f32> {
    let combine = |(own, other): (&f32, &f32)| own_weight * f64::from(*own) + other_weight * f64::from(*other);
    own.iter().zip(other).map(|pair| combine(pair) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interpolate(own: &[f32], other: &[f32], t: f64) -> Vec<f32> {
        let (own_weight, other_weight) = Products::of(own, other).weights(t);
        combine(own, other, own_weight, other_weight)
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
