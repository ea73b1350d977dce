//! One tensor on the host, in 32 bits or in 64.

use std::borrow::Cow;
use std::fmt::{Debug, Display};
use std::ops::{Add, Div, Mul, Range, Sub};

use crate::ModelError;

/// One tensor on the host: its shape and its values, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Values {
    /// The size of each dimension.
    pub shape: Vec<usize>,
    /// The values, last dimension fastest; as many as the shape's product.
    pub numbers: Numbers,
}

/// The values of a tensor, all of one width.
///
/// Models that train or run on a compute device have 32 bits. Weights of 64 bits come from other programs' files, and keep their
/// precision.
#[derive(Debug, Clone, PartialEq)]
pub enum Numbers {
    /// Of 32 bits.
    Single(Vec<f32>),
    /// Of 64 bits.
    Double(Vec<f64>),
}

/// The number of bits of a tensor's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Width {
    /// 32.
    Single,
    /// 64.
    Double,
}

/// A number of a tensor: `f32` or `f64`.
pub trait Number:
    Copy
    + Debug
    + Display
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + sealed::Sealed
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;

    /// The nearest number of this width.
    fn rounded(value: f64) -> Self;

    /// The same number in 64 bits.
    fn exact(self) -> f64;

    /// Without its sign.
    fn magnitude(self) -> Self;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

impl Number for f32 {
    const ZERO: f32 = 0.0;
    const ONE: f32 = 1.0;

    fn rounded(value: f64) -> f32 {
        value as f32
    }

    fn exact(self) -> f64 {
        self.into()
    }

    fn magnitude(self) -> f32 {
        self.abs()
    }
}

impl Number for f64 {
    const ZERO: f64 = 0.0;
    const ONE: f64 = 1.0;

    fn rounded(value: f64) -> f64 {
        value
    }

    fn exact(self) -> f64 {
        self
    }

    fn magnitude(self) -> f64 {
        self.abs()
    }
}

/// A formula of two numbers that is computed in the width of the tensors that they come from.
///
/// It is used with [`Weights::combine_by`](crate::Weights::combine_by). For a formula that is always computed in 64 bits, a
/// closure is enough: [`Weights::combine`](crate::Weights::combine).
pub trait Pairwise {
    /// The formula.
    fn of<N: Number>(&self, own: N, other: N) -> N;
}

/// A formula that is computed in 64 bits and rounded once.
pub(crate) struct InDoubles<F>(pub F);

impl<F: Fn(f64, f64) -> f64> Pairwise for InDoubles<F> {
    fn of<N: Number>(&self, own: N, other: N) -> N {
        N::rounded((self.0)(own.exact(), other.exact()))
    }
}

/// The values of two tensors side by side, both in the wider one's width.
#[derive(Debug, Clone, PartialEq)]
pub enum Beside<'a> {
    /// Both have 32 bits.
    Single(&'a [f32], &'a [f32]),
    /// One of them has 64 bits.
    Double(Cow<'a, [f64]>, Cow<'a, [f64]>),
}

impl From<Vec<f32>> for Numbers {
    fn from(values: Vec<f32>) -> Self {
        Numbers::Single(values)
    }
}

impl From<Vec<f64>> for Numbers {
    fn from(values: Vec<f64>) -> Self {
        Numbers::Double(values)
    }
}

impl Numbers {
    /// Values that were computed in 64 bits, rounded to that width.
    pub fn rounded(values: impl IntoIterator<Item = f64>, width: Width) -> Self {
        match width {
            Width::Single => Numbers::Single(values.into_iter().map(f32::rounded).collect()),
            Width::Double => Numbers::Double(values.into_iter().collect()),
        }
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        match self {
            Numbers::Single(values) => values.len(),
            Numbers::Double(values) => values.len(),
        }
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of bits of each value.
    pub fn width(&self) -> Width {
        match self {
            Numbers::Single(_) => Width::Single,
            Numbers::Double(_) => Width::Double,
        }
    }

    /// All values in 64 bits.
    pub fn exact(&self) -> Cow<'_, [f64]> {
        match self {
            Numbers::Single(values) => values.iter().copied().map(f64::from).collect(),
            Numbers::Double(values) => Cow::Borrowed(values),
        }
    }

    /// These values next to an equal number of others, in the wider width of the two.
    pub fn beside<'a>(&'a self, other: &'a Numbers) -> Beside<'a> {
        match (self, other) {
            (Numbers::Single(own), Numbers::Single(other)) => Beside::Single(own, other),
            _ => Beside::Double(self.exact(), other.exact()),
        }
    }

    /// The values of a range of indices.
    ///
    /// # Panics
    /// When the range is out of bounds, which is a bug in the caller.
    pub fn part(&self, range: Range<usize>) -> Numbers {
        match self {
            Numbers::Single(values) => Numbers::Single(values[range].to_vec()),
            Numbers::Double(values) => Numbers::Double(values[range].to_vec()),
        }
    }

    /// The values at these indices, in this order.
    ///
    /// # Panics
    /// When an index is out of bounds, which is a bug in the caller.
    pub fn at(&self, indices: impl IntoIterator<Item = usize>) -> Numbers {
        let indices = indices.into_iter();
        match self {
            Numbers::Single(values) => Numbers::Single(indices.map(|index| values[index]).collect()),
            Numbers::Double(values) => Numbers::Double(indices.map(|index| values[index]).collect()),
        }
    }

    /// Applies the formula to these values and an equal number of others, value by value.
    pub fn combine(&self, other: &Numbers, formula: &impl Pairwise) -> Numbers {
        match self.beside(other) {
            Beside::Single(own, other) => Numbers::Single(combined(own, other, formula)),
            Beside::Double(own, other) => Numbers::Double(combined(&own, &other, formula)),
        }
    }

    /// The bytes of all values, little-endian.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match self {
            Numbers::Single(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Numbers::Double(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        }
    }

    /// The first value that is NaN or an infinity, as text.
    pub(crate) fn first_not_finite(&self) -> Option<String> {
        match self {
            Numbers::Single(values) => values.iter().find(|value| !value.is_finite()).map(f32::to_string),
            Numbers::Double(values) => values.iter().find(|value| !value.is_finite()).map(f64::to_string),
        }
    }
}

fn combined<N: Number>(own: &[N], other: &[N], formula: &impl Pairwise) -> Vec<N> {
    own.iter().zip(other).map(|(own, other)| formula.of(*own, *other)).collect()
}

impl Values {
    /// A tensor of the given shape, with values of 32 bits.
    ///
    /// # Panics
    /// When the number of values is not the product of the shape, which is a bug in the caller.
    pub fn new(shape: Vec<usize>, values: Vec<f32>) -> Self {
        Self::of(shape, values)
    }

    /// A tensor of the given shape, with values of either width.
    ///
    /// # Panics
    /// As for [`new`](Self::new).
    pub fn of(shape: Vec<usize>, numbers: impl Into<Numbers>) -> Self {
        let numbers = numbers.into();
        assert_eq!(shape.iter().product::<usize>(), numbers.len(), "values for shape {shape:?}");
        Values { shape, numbers }
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// The number of bits of each value.
    pub fn width(&self) -> Width {
        self.numbers.width()
    }

    /// The values, if they have 32 bits.
    pub fn as_f32(&self) -> Option<&[f32]> {
        match &self.numbers {
            Numbers::Single(values) => Some(values),
            Numbers::Double(_) => None,
        }
    }

    /// The values, mutable, if they have 32 bits.
    pub fn as_f32_mut(&mut self) -> Option<&mut [f32]> {
        match &mut self.numbers {
            Numbers::Single(values) => Some(values),
            Numbers::Double(_) => None,
        }
    }

    /// The values, if they have 64 bits.
    pub fn as_f64(&self) -> Option<&[f64]> {
        match &self.numbers {
            Numbers::Single(_) => None,
            Numbers::Double(values) => Some(values),
        }
    }

    /// The values for training or running a model, which needs 32 bits. Errors call the tensor `name`.
    ///
    /// # Errors
    /// [`ModelError::Wide`] when the values have 64 bits; the message names the tensor.
    pub fn single(&self, name: &str) -> Result<&[f32], ModelError> {
        self.as_f32().ok_or_else(|| ModelError::Wide { name: name.to_owned() })
    }

    /// A tensor of this shape whose values are computed in 64 bits and rounded once to the width of these.
    pub fn map(&self, mut of: impl FnMut(f64) -> f64) -> Values {
        let numbers = match &self.numbers {
            Numbers::Single(values) => {
                values.iter().map(|value| f32::rounded(of(value.exact()))).collect::<Vec<_>>().into()
            }
            Numbers::Double(values) => values.iter().map(|value| of(*value)).collect::<Vec<_>>().into(),
        };
        Values { shape: self.shape.clone(), numbers }
    }

    /// The same tensor in 32 bits. Values of 64 bits are rounded to the nearest number.
    pub fn rounded_to_single(&self) -> Values {
        let numbers = match &self.numbers {
            Numbers::Single(values) => values.clone(),
            Numbers::Double(values) => values.iter().map(|value| f32::rounded(*value)).collect(),
        };
        Values::new(self.shape.clone(), numbers)
    }

    /// Whether another tensor has the same shape, width and bits. Numbers that are equal may differ in bits: 0 and -0.
    pub(crate) fn has_the_bits_of(&self, other: &Values) -> bool {
        self.shape == other.shape
            && match (&self.numbers, &other.numbers) {
                (Numbers::Single(own), Numbers::Single(other)) => {
                    own.iter().map(|value| value.to_bits()).eq(other.iter().map(|value| value.to_bits()))
                }
                (Numbers::Double(own), Numbers::Double(other)) => {
                    own.iter().map(|value| value.to_bits()).eq(other.iter().map(|value| value.to_bits()))
                }
                _ => false,
            }
    }

    /// Adds another tensor of this shape, in the wider one's width.
    pub(crate) fn add(&mut self, other: &Values) {
        match (&mut self.numbers, &other.numbers) {
            (Numbers::Single(sums), Numbers::Single(values)) => add_each(sums, values),
            (Numbers::Double(sums), values) => add_each(sums, &values.exact()),
            (sums, Numbers::Double(values)) => {
                let mut wide = sums.exact().into_owned();
                add_each(&mut wide, values);
                *sums = wide.into();
            }
        }
    }
}

fn add_each<N: Number>(sums: &mut [N], values: &[N]) {
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum = *sum + *value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_computed_in_the_wider_width() {
        let single = Numbers::from(vec![1.0_f32, 0.1]);
        let double = Numbers::from(vec![3e-10, 1e300]);
        let sum = |own: &Numbers, other| own.combine(other, &InDoubles(|own, other| own + other));
        // 0.1 of 32 bits is 0.100000001490116…; beside 1e300 it vanishes.
        let expected = Numbers::from(vec![1.000_000_000_3, 1e300]);
        assert_eq!((sum(&single, &double), sum(&double, &single)), (expected.clone(), expected));
        assert_eq!(sum(&single, &single), Numbers::from(vec![2.0_f32, 0.2]));
    }

    #[test]
    fn sums_become_wide_where_one_part_is() {
        let mut sum = Values::new(vec![1], vec![1.0]);
        sum.add(&Values::new(vec![1], vec![2.0]));
        assert_eq!(sum, Values::new(vec![1], vec![3.0]));
        sum.add(&Values::of(vec![1], vec![3e-10]));
        sum.add(&Values::new(vec![1], vec![1.0]));
        assert_eq!(sum, Values::of(vec![1], vec![4.000_000_000_3]));
    }

    #[test]
    fn who_needs_32_bits_is_told_which_tensor_has_64() {
        let wide = Values::of(vec![1], vec![1.0_f64]);
        let error = wide.single("backbone.a").unwrap_err().to_string();
        assert!(error.contains("`backbone.a`") && error.contains("64 bits"), "{error}");
        assert_eq!(Values::new(vec![1], vec![0.5]).single("a").unwrap(), [0.5]);
    }
}
