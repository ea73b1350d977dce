//! From values to the bytes of a file.

use std::fmt::Display;
use std::ops::Range;

use half::{bf16, f16};

use crate::{Dtype, Values};

/// The bytes of some of the values; a caller goes through a large tensor piece by piece. Rounds to nearest, ties to even.
///
/// The error says which value does not fit the type.
pub(crate) fn encode(dtype: Dtype, values: &Values, piece: Range<usize>) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(piece.len() * dtype.bytes());
    match values {
        Values::Floats(values) if dtype.is_float() => {
            for index in piece {
                float(dtype, values[index], &mut bytes).ok_or_else(|| unfit(dtype, &values[index], index))?;
            }
        }
        Values::Integers(values) if !dtype.is_float() => {
            for index in piece {
                integer(dtype, values[index], &mut bytes).ok_or_else(|| unfit(dtype, &values[index], index))?;
            }
        }
        Values::Floats(_) => return Err(format!("was declared as {dtype}, but floats were given")),
        Values::Integers(_) => return Err(format!("was declared as {dtype}, but integers were given")),
    }
    Ok(bytes)
}

fn unfit(dtype: Dtype, value: &dyn Display, index: usize) -> String {
    format!("has the value {value} at index {index}, which does not fit {dtype}")
}

/// `None` when a finite value would become an infinity.
fn float(dtype: Dtype, value: f32, bytes: &mut Vec<u8>) -> Option<()> {
    match dtype {
        Dtype::F64 => bytes.extend_from_slice(&f64::from(value).to_le_bytes()),
        Dtype::F32 => bytes.extend_from_slice(&value.to_le_bytes()),
        Dtype::F16 => {
            let rounded = f16::from_f32(value);
            if rounded.is_infinite() && value.is_finite() {
                return None;
            }
            bytes.extend_from_slice(&rounded.to_le_bytes());
        }
        Dtype::Bf16 => {
            let rounded = bf16::from_f32(value);
            if rounded.is_infinite() && value.is_finite() {
                return None;
            }
            bytes.extend_from_slice(&rounded.to_le_bytes());
        }
        _ => return None,
    }
    Some(())
}

fn integer(dtype: Dtype, value: i64, bytes: &mut Vec<u8>) -> Option<()> {
    match dtype {
        Dtype::I64 => bytes.extend_from_slice(&value.to_le_bytes()),
        Dtype::I32 => bytes.extend_from_slice(&i32::try_from(value).ok()?.to_le_bytes()),
        Dtype::I16 => bytes.extend_from_slice(&i16::try_from(value).ok()?.to_le_bytes()),
        Dtype::I8 => bytes.extend_from_slice(&i8::try_from(value).ok()?.to_le_bytes()),
        Dtype::U8 => bytes.push(u8::try_from(value).ok()?),
        Dtype::Bool => bytes.push(u8::try_from(value).ok().filter(|byte| *byte <= 1)?),
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::decode;

    fn bytes(dtype: Dtype, values: &Values) -> Result<Vec<u8>, String> {
        encode(dtype, values, 0..values.len())
    }

    #[test]
    fn halves_are_rounded_to_nearest_and_ties_to_even() {
        // f16 has 10 bits behind the point: between 2048 (0x6800) and 4096 its step is 2. 2049 lies between 2048 and 2050
        // and goes to the even mantissa, 2048; 2051 lies between 2050 (0x6801) and 2052 (0x6802) and goes to 2052.
        let halves = bytes(Dtype::F16, &Values::Floats(vec![2049.0, 2051.0, 2051.1])).unwrap();
        assert_eq!(halves, [0x00, 0x68, 0x02, 0x68, 0x02, 0x68]);
        // bf16 has 7: between 256 (0x4380) and 512 its step is 2.
        let halves = bytes(Dtype::Bf16, &Values::Floats(vec![257.0, 259.0, 257.1])).unwrap();
        assert_eq!(halves, [0x80, 0x43, 0x82, 0x43, 0x81, 0x43]);
    }

    #[test]
    fn what_was_decoded_is_encoded_to_the_same_bytes() {
        for dtype in [Dtype::F16, Dtype::Bf16] {
            // Every pattern of 16 bits but NaN, of which there are many and one is kept.
            let all: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
            let Values::Floats(values) = decode(dtype, &all).unwrap() else { panic!("floats") };
            let kept: Vec<_> = values.iter().copied().filter(|value| !value.is_nan()).collect();
            let pairs = all.chunks(2).zip(&values).filter(|(_, value)| !value.is_nan());
            let expected: Vec<u8> = pairs.flat_map(|(pair, _)| pair.to_vec()).collect();
            assert_eq!(bytes(dtype, &Values::Floats(kept)).unwrap(), expected, "{dtype}");
        }
        let all: Vec<u8> = (0..=u8::MAX).collect();
        for dtype in [Dtype::U8, Dtype::I8, Dtype::I16, Dtype::I32, Dtype::I64] {
            assert_eq!(bytes(dtype, &decode(dtype, &all).unwrap()).unwrap(), all, "{dtype}");
        }
    }

    #[test]
    fn values_that_do_not_fit_are_named_with_their_index() {
        let cases = [
            (Dtype::U8, Values::Integers(vec![255, 300]), "300 at index 1"),
            (Dtype::Bool, Values::Integers(vec![1, 2]), "2 at index 1"),
            (Dtype::I64, Values::Floats(vec![1.0]), "floats were given"),
            (Dtype::F32, Values::Integers(vec![1]), "integers were given"),
            // The largest f16 is 65504; half a step above it and more is rounded to an infinity.
            (Dtype::F16, Values::Floats(vec![65504.0, 65520.0]), "65520 at index 1"),
            (Dtype::Bf16, Values::Floats(vec![f32::MAX]), "at index 0"),
        ];
        for (dtype, values, expected) in cases {
            let error = bytes(dtype, &values).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
