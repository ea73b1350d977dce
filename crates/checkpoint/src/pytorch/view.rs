//! A tensor as a view of a storage: which of the storage's values it has, and in which order.

use crate::Dtype;
use crate::tensor::elements;

/// A view that was checked against the length of its storage.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct View {
    /// The first value of the storage that is needed, and how many from there on.
    pub start: u64,
    pub length: u64,
    shape: Vec<usize>,
    strides: Vec<usize>,
    pub dtype: Dtype,
    /// Whether the values are those of the storage, negated.
    pub is_negative: bool,
}

impl View {
    /// Checks a view. The error completes the sentence "the tensor …".
    pub(crate) fn new(dtype: Dtype, storage: i64, offset: i64, sizes: &[i64], strides: &[i64]) -> Result<Self, String> {
        let whole = |numbers: &[i64]| numbers.iter().map(|number| usize::try_from(*number).ok()).collect::<Option<_>>();
        let (Some(shape), Some(steps), Ok(storage), Ok(start)) =
            (whole(sizes), whole(strides), u64::try_from(storage), u64::try_from(offset))
        else {
            return Err(format!(
                "has a negative size: shape {sizes:?}, strides {strides:?}, offset {offset}, storage of {storage}"
            ));
        };
        let (shape, strides): (Vec<usize>, Vec<usize>) = (shape, steps);
        if shape.len() != strides.len() {
            return Err(format!("has the shape {shape:?} and strides for {} dimensions", strides.len()));
        }
        let count = elements(&shape).filter(|count| count.checked_mul(dtype.bytes()).is_some());
        let count = count.ok_or_else(|| format!("has the shape {shape:?}, which is more than fits into memory"))?;
        if count == 0 {
            return Ok(View { start: 0, length: 0, shape, strides, dtype, is_negative: false });
        }
        let outside = || {
            format!(
                "needs values outside of its storage of {storage}: shape {shape:?}, strides {strides:?}, offset {start}"
            )
        };
        let reach = shape.iter().zip(&strides).try_fold(0_u64, |reach, (size, stride)| {
            reach.checked_add((*size as u64 - 1).checked_mul(*stride as u64)?)
        });
        let length = reach.and_then(|reach| reach.checked_add(1)).ok_or_else(outside)?;
        if start.checked_add(length).is_none_or(|end| end > storage) {
            return Err(outside());
        }
        if count as u64 > storage {
            return Err(format!(
                "was expanded: it has {count} values, but a storage of {storage}; save it after `.clone()`"
            ));
        }
        Ok(View { start, length, shape, strides, dtype, is_negative: false })
    }

    /// The negated view, if the type has signs.
    pub(crate) fn negative(self) -> Result<Self, String> {
        match self.dtype {
            Dtype::U8 | Dtype::Bool => Err(format!(
                "is a negated view of {}; accepted: a type with signs (save it after `.resolve_neg()`)",
                self.dtype
            )),
            _ => Ok(View { is_negative: true, ..self }),
        }
    }

    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// How many values the tensor has.
    pub(crate) fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// The tensor's bytes, row-major. `storage` holds the storage's bytes from [`start`](View::start) on.
    pub(crate) fn gather(&self, mut storage: Vec<u8>) -> Vec<u8> {
        if self.is_negative {
            turn_signs(self.dtype, &mut storage);
        }
        if self.is_row_major() {
            return storage;
        }
        let width = self.dtype.bytes();
        let mut bytes = Vec::with_capacity(self.elements() * width);
        let (mut index, mut at) = (vec![0; self.shape.len()], 0);
        loop {
            bytes.extend_from_slice(&storage[at * width..(at + 1) * width]);
            if !self.advance(&mut index, &mut at) {
                return bytes;
            }
        }
    }

    /// Advances the index like an odometer, the last dimension first. Returns false at the end.
    fn advance(&self, index: &mut [usize], at: &mut usize) -> bool {
        for (place, count) in index.iter_mut().enumerate().rev() {
            if *count + 1 < self.shape[place] {
                *count += 1;
                *at += self.strides[place];
                return true;
            }
            *at -= *count * self.strides[place];
            *count = 0;
        }
        false
    }

    /// Whether the values are stored in row-major order. The stride of a dimension of size one does not matter.
    pub(crate) fn is_row_major(&self) -> bool {
        if self.length == 0 {
            return true;
        }
        let mut expected = 1;
        self.shape.iter().zip(&self.strides).rev().all(|(size, stride)| {
            let fits = *size == 1 || *stride == expected;
            expected *= size;
            fits
        })
    }
}

/// Negates each of these little-endian values. The smallest integer has no counterpart and stays unchanged, as in
/// PyTorch.
pub(crate) fn turn_signs(dtype: Dtype, bytes: &mut [u8]) {
    match dtype {
        // The sign of a float is its highest bit, also for NaN.
        Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::Bf16 => {
            bytes.iter_mut().skip(dtype.bytes() - 1).step_by(dtype.bytes()).for_each(|byte| *byte ^= 0x80);
        }
        Dtype::I64 => each(bytes, |eight| i64::from_le_bytes(eight).wrapping_neg().to_le_bytes()),
        Dtype::I32 => each(bytes, |four| i32::from_le_bytes(four).wrapping_neg().to_le_bytes()),
        Dtype::I16 => each(bytes, |two| i16::from_le_bytes(two).wrapping_neg().to_le_bytes()),
        Dtype::I8 => each(bytes, |one| i8::from_le_bytes(one).wrapping_neg().to_le_bytes()),
        Dtype::U8 | Dtype::Bool => {}
    }
}

fn each<const WIDTH: usize>(bytes: &mut [u8], turned: impl Fn([u8; WIDTH]) -> [u8; WIDTH]) {
    bytes.as_chunks_mut().0.iter_mut().for_each(|value| *value = turned(*value));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_are_turned_in_every_type() {
        let turned = |dtype, bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            turn_signs(dtype, &mut bytes);
            bytes
        };
        assert_eq!(turned(Dtype::F64, &1.5_f64.to_le_bytes()), (-1.5_f64).to_le_bytes());
        assert_eq!(turned(Dtype::F32, &[0, 0, 0, 0, 0, 0, 0x80, 0x3f]), [0, 0, 0, 0x80, 0, 0, 0x80, 0xbf], "-0 and -1");
        // 1.0 is 0x3c00 in f16 and 0x3f80 in bf16; the sign is the highest bit.
        assert_eq!(turned(Dtype::F16, &[0x00, 0x3c]), [0x00, 0xbc]);
        assert_eq!(turned(Dtype::Bf16, &[0x80, 0xbf]), [0x80, 0x3f]);
        assert_eq!(turned(Dtype::I64, &300_i64.to_le_bytes()), (-300_i64).to_le_bytes());
        assert_eq!(turned(Dtype::I32, &i32::MIN.to_le_bytes()), i32::MIN.to_le_bytes());
        assert_eq!(turned(Dtype::I16, &(-2_i16).to_le_bytes()), 2_i16.to_le_bytes());
        assert_eq!(turned(Dtype::I8, &[0x81]), [0x7f]);
    }

    fn gathered(storage: &[u8], offset: i64, sizes: &[i64], strides: &[i64]) -> Result<Vec<u8>, String> {
        let view = View::new(Dtype::U8, storage.len() as i64, offset, sizes, strides)?;
        let needed = view.start as usize..(view.start + view.length) as usize;
        Ok(view.gather(storage[needed].to_vec()))
    }

    #[test]
    fn views_take_their_values_in_row_order() {
        let storage: Vec<u8> = (0..12).collect();
        // torch.arange(12).view(3, 4), and of it .t(), [:, 1], [1:, ::2], .view(3, 2, 2).permute(2, 0, 1), and one value.
        type Case<'a> = (i64, &'a [i64], &'a [i64], &'a [u8]);
        let cases: [Case<'_>; 6] = [
            (0, &[3, 4], &[4, 1], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
            (0, &[4, 3], &[1, 4], &[0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]),
            (1, &[3], &[4], &[1, 5, 9]),
            (4, &[2, 2], &[4, 2], &[4, 6, 8, 10]),
            (0, &[2, 3, 2], &[1, 4, 2], &[0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11]),
            (7, &[], &[], &[7]),
        ];
        for (offset, sizes, strides, expected) in cases {
            assert_eq!(gathered(&storage, offset, sizes, strides).unwrap(), expected, "{sizes:?} {strides:?}");
        }
        assert!(gathered(&storage, 0, &[0, 5], &[5, 1]).unwrap().is_empty());
        assert_eq!(gathered(&storage, 3, &[1, 2], &[99, 1]).unwrap(), [3, 4], "a stride that is never used");
    }

    #[test]
    fn views_stay_within_their_storage() {
        let storage = [0; 12];
        let cases: [(i64, &[i64], &[i64], &str); 9] = [
            (1, &[12], &[1], "outside of its storage of 12"),
            (0, &[3, 4], &[5, 1], "outside"),
            (i64::MAX, &[1], &[1], "outside"),
            (0, &[2, 2], &[i64::MAX, i64::MAX], "outside"),
            (0, &[1 << 40], &[0], "was expanded"),
            (0, &[1 << 40, 1 << 40], &[0, 0], "more than fits into memory"),
            (0, &[-1], &[1], "negative"),
            (-1, &[1], &[1], "negative"),
            (0, &[2], &[1, 1], "strides for 2 dimensions"),
        ];
        for (offset, sizes, strides, expected) in cases {
            let error = gathered(&storage, offset, sizes, strides).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
