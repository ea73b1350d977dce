//! Powers of two by which weights of 64 bits are divided before they are squared.

/// Exponents up to this size need no scaling: sums of squares, and products of two such sums, then fit into 64 bits.
const NEAR: i32 = 200;

/// A power of two near the largest of some numbers.
///
/// The squares of numbers above 10¹⁵⁴ are infinite, and those below 10⁻¹⁶² are 0, but such numbers are valid weights. So a sum
/// of squares is computed from numbers divided by this scale. The scale is 1 if the numbers need none, and always for numbers
/// of 32 bits. Dividing by a power of two does not round.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scale(i32);

impl Scale {
    /// The scale of the largest of these numbers; `None` if all are 0.
    pub fn of(values: &[f64]) -> Option<Self> {
        let largest = values.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
        let exponent = largest.log2();
        // 0 and infinities have no exponent.
        exponent.is_finite().then(|| match exponent as i32 {
            near if near.abs() <= NEAR => Scale(0),
            far => Scale(far),
        })
    }

    /// Whether numbers of this scale are too large for the other scale, so that this one must replace it.
    pub fn outgrows(self, other: Scale) -> bool {
        self.0 > other.0 + NEAR
    }

    /// Divides a number by the scale.
    pub fn divide(self, value: f64) -> f64 {
        times(value, -self.0)
    }

    /// Multiplies a number by the scale.
    pub fn multiply(self, value: f64) -> f64 {
        times(value, self.0)
    }

    /// Converts a number that was divided by the other scale: divides it by this scale instead.
    pub fn instead_of(self, other: Scale, value: f64) -> f64 {
        times(value, other.0 - self.0)
    }
}

/// `value`·2^`exponent`, in steps, because `2^exponent` itself may not fit into 64 bits.
fn times(value: f64, exponent: i32) -> f64 {
    let third = exponent / 3;
    value * 2f64.powi(third) * 2f64.powi(third) * 2f64.powi(exponent - 2 * third)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_can_be_squared_are_left_as_they_are() {
        assert_eq!(Scale::of(&[0.0, -1e30, 1e-30]), Some(Scale(0)));
        assert_eq!(Scale::of(&[f64::from(f32::MAX)]), Some(Scale(0)));
        assert_eq!(Scale::of(&[f64::from(f32::from_bits(1))]), Some(Scale(0)));
        assert_eq!(Scale::of(&[0.0, -0.0]), None);
    }

    #[test]
    fn dividing_brings_numbers_near_1_and_loses_nothing() {
        for value in [1e300, -1e300, 3e-300, 5e-324, f64::MAX] {
            let scale = Scale::of(&[value, 0.0]).unwrap();
            let near = scale.divide(value);
            assert!((0.4..2.5).contains(&near.abs()), "{value}: {near}");
            assert_eq!(scale.multiply(near), value);
        }
        let [small, large] = [3e-300, 1e300].map(|value| Scale::of(&[value]).unwrap());
        assert!(large.outgrows(small) && !small.outgrows(large) && !large.outgrows(large));
        // A number of 2^−996 that was divided by 2^−996 is 2^−1992 divided by 2^996, which is 0.
        assert_eq!(large.instead_of(small, small.divide(3e-300)), 0.0);
        assert_eq!(Scale(900).instead_of(Scale(901), 3.0), 6.0);
    }
}
