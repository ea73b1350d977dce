//! Powers of two by which weights of 64 bits are divided before they are squared.

/// As far from 1 as a power of two may be that is left as it is: sums of squares, and products of two such sums, stay within
/// what 64 bits can hold.
const NEAR: i32 = 200;

/// 2^n, where n is near the exponent of the largest of some numbers.
///
/// The squares of numbers beyond 10¹⁵⁴ are infinite, and those below 10⁻¹⁶² are 0, though such numbers are weights like any
/// others: a sum of squares is taken of numbers that were divided by this. It is 1 wherever the numbers need none, and always
/// for numbers of 32 bits. Dividing by a power of two rounds nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scale(i32);

impl Scale {
    /// That of the largest of these numbers; `None` where all are 0.
    pub fn of(values: &[f64]) -> Option<Self> {
        let largest = values.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
        let exponent = largest.log2();
        // Neither of 0 nor of an infinity.
        exponent.is_finite().then(|| match exponent as i32 {
            near if near.abs() <= NEAR => Scale(0),
            far => Scale(far),
        })
    }

    /// Whether numbers of this scale are so much larger than those of the other that it has to be given up for this one.
    pub fn outgrows(self, other: Scale) -> bool {
        self.0 > other.0 + NEAR
    }

    /// The number, divided.
    pub fn divide(self, value: f64) -> f64 {
        times(value, -self.0)
    }

    /// The number, multiplied.
    pub fn multiply(self, value: f64) -> f64 {
        times(value, self.0)
    }

    /// What a number that was divided by the other scale is when it is divided by this one.
    pub fn instead_of(self, other: Scale, value: f64) -> f64 {
        times(value, other.0 - self.0)
    }
}

/// `value`·2^`exponent`, in steps: 2^−1074 times 2^1023 is no power that 64 bits can hold.
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
