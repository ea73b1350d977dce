//! Decodes the bytes of a file to values.

use half::{bf16, f16};

use crate::{Dtype, Values};

/// Decodes little-endian bytes of this type. The first value has the index `first` in its tensor. Surplus bytes at the
/// end are ignored, because callers have checked the length.
pub(crate) fn decode(dtype: Dtype, bytes: &[u8], first: usize) -> Result<Values, String> {
    Ok(match dtype {
        Dtype::F64 => Values::Doubles(each(bytes, f64::from_le_bytes)),
        Dtype::F32 => Values::Floats(each(bytes, f32::from_le_bytes)),
        Dtype::F16 => Values::Floats(each(bytes, |two| f16::from_le_bytes(two).to_f32())),
        Dtype::Bf16 => Values::Floats(each(bytes, |two| bf16::from_le_bytes(two).to_f32())),
        Dtype::I64 => Values::Integers(each(bytes, i64::from_le_bytes)),
        Dtype::I32 => Values::Integers(each(bytes, |four| i32::from_le_bytes(four).into())),
        Dtype::I16 => Values::Integers(each(bytes, |two| i16::from_le_bytes(two).into())),
        Dtype::I8 => Values::Integers(each(bytes, |one| i8::from_le_bytes(one).into())),
        Dtype::U8 => Values::Integers(each(bytes, |[one]| one.into())),
        Dtype::Bool => Values::Integers(truths(bytes, first)?),
    })
}

/// The first value that is NaN or an infinity, with its index in its tensor. The error is that of [`decode`].
pub(crate) fn check_bytes(dtype: Dtype, bytes: &[u8], first: usize) -> Result<Option<(usize, f32)>, String> {
    let found = match dtype {
        Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::Bf16 | Dtype::Bool => {
            decode(dtype, bytes, first)?.first_not_finite()
        }
        _ => None,
    };
    Ok(found.map(|(index, value)| (first + index, value)))
}

fn each<const WIDTH: usize, T>(bytes: &[u8], value: impl Fn([u8; WIDTH]) -> T) -> Vec<T> {
    let (chunks, _) = bytes.as_chunks::<WIDTH>();
    chunks.iter().map(|chunk| value(*chunk)).collect()
}

fn truths(bytes: &[u8], first: usize) -> Result<Vec<i64>, String> {
    match bytes.iter().position(|byte| *byte > 1) {
        None => Ok(bytes.iter().map(|byte| i64::from(*byte)).collect()),
        Some(index) => {
            let (byte, index) = (bytes[index], first + index);
            Err(format!("holds the byte {byte} at index {index}; accepted for BOOL: 0 and 1"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_decoded() {
        // Worked out with Python: struct.pack('<d', 0.1) and so on; bf16 is the upper half of the f32.
        let floats = [
            (Dtype::F32, &[0x00, 0x00, 0xc0, 0x3f][..], 1.5),
            (Dtype::F16, &[0x00, 0xc1], -2.5),
            (Dtype::F16, &[0x01, 0x00], 5.960_464_5e-8),
            (Dtype::Bf16, &[0x49, 0x40], 3.140_625),
        ];
        for (dtype, bytes, value) in floats {
            assert_eq!(decode(dtype, bytes, 0), Ok(Values::Floats(vec![value])), "{dtype}");
        }
        let tenth = [0x9a, 0x99, 0x99, 0x99, 0x99, 0x99, 0xb9, 0x3f];
        assert_eq!(decode(Dtype::F64, &tenth, 0), Ok(Values::Doubles(vec![0.1])));
        let integers = [
            (Dtype::I64, &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff][..], vec![-2]),
            (Dtype::I32, &[0x00, 0x00, 0x00, 0x80], vec![-2_147_483_648]),
            (Dtype::I16, &[0x01, 0x02, 0xff, 0xff], vec![513, -1]),
            (Dtype::I8, &[0x80, 0x7f], vec![-128, 127]),
            (Dtype::U8, &[0x80, 0xff], vec![128, 255]),
            (Dtype::Bool, &[0, 1], vec![0, 1]),
        ];
        for (dtype, bytes, values) in integers {
            assert_eq!(decode(dtype, bytes, 0), Ok(Values::Integers(values)), "{dtype}");
        }
    }

    #[test]
    fn bytes_are_finite_in_their_own_width() {
        // 1e300 is finite, though too large for 32 bits.
        let doubles = [1e300, f64::NEG_INFINITY].map(f64::to_le_bytes).concat();
        assert_eq!(check_bytes(Dtype::F64, &doubles[..8], 0), Ok(None));
        assert_eq!(check_bytes(Dtype::F64, &doubles, 40), Ok(Some((41, f32::NEG_INFINITY))));
        // The largest half is 0x7bff; after it comes the infinity.
        assert_eq!(check_bytes(Dtype::F16, &[0xff, 0x7b], 0), Ok(None));
        assert_eq!(check_bytes(Dtype::F16, &[0xff, 0x7b, 0x00, 0x7c], 0), Ok(Some((1, f32::INFINITY))));
        assert_eq!(check_bytes(Dtype::I64, &[0xff; 8], 0), Ok(None));
        assert!(check_bytes(Dtype::Bool, &[2], 0).is_err());
    }

    #[test]
    fn a_truth_value_is_0_or_1() {
        let error = decode(Dtype::Bool, &[1, 7], 40).unwrap_err();
        assert!(error.contains("byte 7 at index 41"), "{error}");
    }
}
