//! Tensors in memory: name, type, shape and values.

use crate::{CheckpointError, Dtype, error::Place};

/// The description of a tensor in a file, without its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name in the file.
    pub name: String,
    /// The type of its values in the file.
    pub dtype: Dtype,
    /// The size of each dimension. Empty for a scalar.
    pub shape: Vec<usize>,
}

impl TensorInfo {
    /// How many values it has: the product of its shape, or `usize::MAX` if that overflows (never for a tensor of a
    /// [`Checkpoint`](crate::Checkpoint)).
    pub fn elements(&self) -> usize {
        elements(&self.shape).unwrap_or(usize::MAX)
    }

    /// How many bytes its values take in the file.
    pub fn bytes(&self) -> u64 {
        (self.elements() as u64).saturating_mul(self.dtype.bytes() as u64)
    }
}

/// The product from the left, as in the reference implementation: `[0, 2^60, 2^60]` gives 0, and `[2^60, 2^60, 0]`
/// overflows.
pub(crate) fn elements(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |product, size| product.checked_mul(*size))
}

/// A tensor's values, row-major. Floats of up to 32 bits become `f32`, those of 64 bits `f64`, integers and truth
/// values `i64`. Every value is exact. The values of a U8 take eight times as many bytes as in the file.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Values of F32, F16 and BF16.
    Floats(Vec<f32>),
    /// Values of F64.
    Doubles(Vec<f64>),
    /// Values of I64, I32, I16, I8, U8 and BOOL (0 or 1).
    Integers(Vec<i64>),
}

impl Values {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Values::Floats(values) => values.len(),
            Values::Doubles(values) => values.len(),
            Values::Integers(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first that is NaN or an infinity, with its index.
    pub fn first_not_finite(&self) -> Option<(usize, f32)> {
        match self {
            // First checks all values at once, which is much faster. Nearly always, all are finite.
            Values::Floats(values) if values.iter().fold(true, |all, value| all & value.is_finite()) => None,
            Values::Floats(values) => values.iter().copied().enumerate().find(|(_, value)| !value.is_finite()),
            Values::Doubles(values) if values.iter().fold(true, |all, value| all & value.is_finite()) => None,
            Values::Doubles(values) => {
                let first = values.iter().enumerate().find(|(_, value)| !value.is_finite());
                // NaN and infinities stay the same in 32 bits.
                first.map(|(index, value)| (index, *value as f32))
            }
            Values::Integers(_) => None,
        }
    }

    /// Checks that all values are finite. `first` is the index of the first value in its tensor.
    pub(crate) fn check_finite(&self, place: &Place, name: &str, first: usize) -> Result<(), CheckpointError> {
        match self.first_not_finite() {
            None => Ok(()),
            Some((index, value)) => Err(place.not_finite(name, first + index, value)),
        }
    }
}

/// A tensor that was read from a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// The type in the file.
    pub dtype: Dtype,
    /// The size of each dimension.
    pub shape: Vec<usize>,
    /// The values, row-major. Their number is the product of the shape.
    pub values: Values,
}

impl Tensor {
    /// The values, if they are floats of up to 32 bits.
    pub fn floats(&self) -> Option<&[f32]> {
        match &self.values {
            Values::Floats(values) => Some(values),
            Values::Doubles(_) | Values::Integers(_) => None,
        }
    }

    /// The values, if they are floats of 64 bits.
    pub fn doubles(&self) -> Option<&[f64]> {
        match &self.values {
            Values::Doubles(values) => Some(values),
            Values::Floats(_) | Values::Integers(_) => None,
        }
    }

    /// The values, if they are integers.
    pub fn integers(&self) -> Option<&[i64]> {
        match &self.values {
            Values::Integers(values) => Some(values),
            Values::Floats(_) | Values::Doubles(_) => None,
        }
    }

    /// The first value that is NaN or an infinity, with its index.
    pub fn first_not_finite(&self) -> Option<(usize, f32)> {
        self.values.first_not_finite()
    }

    /// Transposes the tensor. `None` unless it has two dimensions and the right number of values.
    pub fn transposed(&self) -> Option<Tensor> {
        let [rows, columns] = self.shape[..] else { return None };
        if rows.checked_mul(columns) != Some(self.values.len()) {
            return None;
        }
        let values = match &self.values {
            Values::Floats(values) => Values::Floats(columns_first(values, rows, columns)),
            Values::Doubles(values) => Values::Doubles(columns_first(values, rows, columns)),
            Values::Integers(values) => Values::Integers(columns_first(values, rows, columns)),
        };
        Some(Tensor { dtype: self.dtype, shape: vec![columns, rows], values })
    }
}

fn columns_first<T: Copy>(values: &[T], rows: usize, columns: usize) -> Vec<T> {
    (0..columns).flat_map(|column| (0..rows).map(move |row| values[row * columns + column])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposing_turns_rows_into_columns() {
        let values = Values::Integers(vec![1, 2, 3, 4, 5, 6]);
        let tensor = Tensor { dtype: Dtype::I8, shape: vec![2, 3], values };
        let turned = tensor.transposed().unwrap();
        // 1 2 3      1 4
        // 4 5 6  →   2 5
        //            3 6
        assert_eq!((turned.shape.clone(), turned.integers().unwrap()), (vec![3, 2], &[1, 4, 2, 5, 3, 6][..]));
        assert_eq!(turned.transposed().unwrap(), tensor);
    }

    #[test]
    fn only_two_dimensions_are_transposed() {
        let tensor = |shape: Vec<usize>| Tensor { dtype: Dtype::F32, shape, values: Values::Floats(vec![0.0; 4]) };
        assert!(tensor(vec![4]).transposed().is_none());
        assert!(tensor(vec![2, 2, 1]).transposed().is_none());
        assert!(tensor(vec![3, 2]).transposed().is_none(), "there are not six values");
    }

    #[test]
    fn products_do_not_overflow() {
        assert_eq!(elements(&[]), Some(1));
        assert_eq!(elements(&[1 << 60, 1 << 60]), None);
        let info = TensorInfo { name: "a".to_owned(), dtype: Dtype::F64, shape: vec![1 << 60, 2] };
        assert_eq!(info.bytes(), u64::MAX);
    }
}
