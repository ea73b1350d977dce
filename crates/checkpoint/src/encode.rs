//! Encodes values to the bytes of a file.

use std::fmt::Display;
use std::ops::Range;

use half::{bf16, f16};

use crate::{Dtype, Values};

/// Encodes some of the values, so that a caller can encode a large tensor piece by piece. Rounds to nearest, ties to
/// even.
///
/// The error says which value does not fit the type. `first` is the index of the first of `values` in its tensor.
pub(crate) fn encode(dtype: Dtype, values: &Values, piece: Range<usize>, first: usize) -> Result<Vec<u8>, String> {
    let first = first + piece.start;
    match values {
        Values::Floats(values) if dtype.is_float() => floats(dtype, &values[piece], first),
        Values::Doubles(values) if dtype.is_float() => doubles(dtype, &values[piece], first),
        Values::Integers(values) if !dtype.is_float() => integers(dtype, &values[piece], first),
        Values::Floats(_) | Values::Doubles(_) => Err(format!("was declared as {dtype}, but floats were given")),
        Values::Integers(_) => Err(format!("was declared as {dtype}, but integers were given")),
    }
}

fn floats(dtype: Dtype, values: &[f32], first: usize) -> Result<Vec<u8>, String> {
    match dtype {
        Dtype::F64 => each(dtype, values, first, |value| (f64::from(value).to_le_bytes(), true)),
        Dtype::F16 => each(dtype, values, first, |value| {
            let rounded = f16::from_f32(value);
            (rounded.to_le_bytes(), !rounded.is_infinite() || value.is_infinite())
        }),
        Dtype::Bf16 => each(dtype, values, first, |value| {
            let rounded = bf16::from_f32(value);
            (rounded.to_le_bytes(), !rounded.is_infinite() || value.is_infinite())
        }),
        _ => each(dtype, values, first, |value| (value.to_le_bytes(), true)),
    }
}

fn doubles(dtype: Dtype, values: &[f64], first: usize) -> Result<Vec<u8>, String> {
    match dtype {
        Dtype::F32 => each(dtype, values, first, |value| {
            let rounded = value as f32;
            (rounded.to_le_bytes(), !rounded.is_infinite() || value.is_infinite())
        }),
        Dtype::F16 => each(dtype, values, first, |value| {
            let rounded = f16::from_f32(to_odd(value));
            (rounded.to_le_bytes(), !rounded.is_infinite() || value.is_infinite())
        }),
        Dtype::Bf16 => each(dtype, values, first, |value| {
            let rounded = bf16::from_f32(to_odd(value));
            (rounded.to_le_bytes(), !rounded.is_infinite() || value.is_infinite())
        }),
        _ => each(dtype, values, first, |value| (value.to_le_bytes(), true)),
    }
}

/// Rounds a value to 32 bits as a step towards 16. If the value is not exact, this takes the neighbour whose last bit
/// is 1. Rounding to nearest could give the midpoint of two 16-bit values, which would then be rounded to the wrong one
/// (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms using rounding to odd", 2008).
fn to_odd(value: f64) -> f32 {
    let nearest = value as f32;
    if f64::from(nearest) == value || value.is_nan() {
        return nearest;
    }
    let beyond = f64::from(nearest).abs() > value.abs();
    f32::from_bits((nearest.to_bits() - u32::from(beyond)) | 1)
}

fn integers(dtype: Dtype, values: &[i64], first: usize) -> Result<Vec<u8>, String> {
    match dtype {
        Dtype::I32 => each(dtype, values, first, |value| fitting(i32::try_from(value).map(i32::to_le_bytes))),
        Dtype::I16 => each(dtype, values, first, |value| fitting(i16::try_from(value).map(i16::to_le_bytes))),
        Dtype::I8 => each(dtype, values, first, |value| fitting(i8::try_from(value).map(i8::to_le_bytes))),
        Dtype::U8 => each(dtype, values, first, |value| fitting(u8::try_from(value).map(u8::to_le_bytes))),
        Dtype::Bool => each(dtype, values, first, |value| ([u8::from(value == 1)], value == 0 || value == 1)),
        _ => each(dtype, values, first, |value| (value.to_le_bytes(), true)),
    }
}

/// Encodes each value, and checks that it fits.
fn each<const WIDTH: usize, T: Copy + Display>(
    dtype: Dtype,
    values: &[T],
    first: usize,
    of: impl Fn(T) -> ([u8; WIDTH], bool),
) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; values.len() * WIDTH];
    let mut all_fit = true;
    // The loop does not exit early, so it compiles to vector instructions.
    for (value, place) in values.iter().zip(bytes.as_chunks_mut().0) {
        let (own, fits) = of(*value);
        *place = own;
        all_fit &= fits;
    }
    if all_fit {
        return Ok(bytes);
    }
    let unfit = values.iter().enumerate().find(|(_, value)| !of(**value).1);
    Err(unfit.map_or_else(String::new, |(index, value)| {
        format!("has the value {value} at index {}, which does not fit {dtype}", first + index)
    }))
}

fn fitting<const WIDTH: usize, E>(bytes: Result<[u8; WIDTH], E>) -> ([u8; WIDTH], bool) {
    bytes.map_or(([0; WIDTH], false), |bytes| (bytes, true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::decode;

    fn bytes(dtype: Dtype, values: &Values) -> Result<Vec<u8>, String> {
        encode(dtype, values, 0..values.len(), 0)
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
    fn doubles_are_rounded_once() {
        // 0.1 is 0x3fb999999999999a, 0x3dcccccd, 0x2e66 and 0x3dcd in the four types (numpy).
        let tenth = Values::Doubles(vec![0.1]);
        assert_eq!(bytes(Dtype::F64, &tenth).unwrap(), 0x3fb9_9999_9999_999a_u64.to_le_bytes());
        assert_eq!(bytes(Dtype::F32, &tenth).unwrap(), 0x3dcc_cccd_u32.to_le_bytes());
        assert_eq!(bytes(Dtype::F16, &tenth).unwrap(), 0x2e66_u16.to_le_bytes());
        assert_eq!(bytes(Dtype::Bf16, &tenth).unwrap(), 0x3dcd_u16.to_le_bytes());
        // Between 2048 (0x6800) and 4096 the step of f16 is 2. 2049 + 2^-40 lies above the middle, and goes to 2050; in 32
        // bits it would be the middle, which goes to 2048. The same of bf16 between 256 (0x4380) and 512.
        let above = |middle: f64| [middle, -middle].map(|value| value * (1.0 + f64::EPSILON * 4.0));
        let halves = bytes(Dtype::F16, &Values::Doubles(above(2049.0).to_vec())).unwrap();
        assert_eq!(halves, [0x01, 0x68, 0x01, 0xe8]);
        let halves = bytes(Dtype::Bf16, &Values::Doubles(above(257.0).to_vec())).unwrap();
        assert_eq!(halves, [0x81, 0x43, 0x81, 0xc3]);
        // 3e-300 is nearer to 0 than to any other number of fewer bits, and -0 keeps its sign.
        for dtype in [Dtype::F32, Dtype::F16, Dtype::Bf16] {
            let small = bytes(dtype, &Values::Doubles(vec![3e-300])).unwrap();
            assert!(small.iter().all(|byte| *byte == 0), "{dtype}: {small:?}");
            let zero = bytes(dtype, &Values::Doubles(vec![-0.0])).unwrap();
            assert_eq!(zero.last(), Some(&0x80), "{dtype}");
        }
    }

    #[test]
    fn what_was_decoded_is_encoded_to_the_same_bytes() {
        for dtype in [Dtype::F16, Dtype::Bf16] {
            // Every pattern of 16 bits except NaN: there are many, and only one is kept.
            let all: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
            let Values::Floats(values) = decode(dtype, &all, 0).unwrap() else { panic!("floats") };
            let kept: Vec<_> = values.iter().copied().filter(|value| !value.is_nan()).collect();
            let pairs = all.chunks(2).zip(&values).filter(|(_, value)| !value.is_nan());
            let expected: Vec<u8> = pairs.flat_map(|(pair, _)| pair.to_vec()).collect();
            assert_eq!(bytes(dtype, &Values::Floats(kept)).unwrap(), expected, "{dtype}");
        }
        let all: Vec<u8> = (0..=u8::MAX).collect();
        for dtype in [Dtype::U8, Dtype::I8, Dtype::I16, Dtype::I32, Dtype::I64] {
            assert_eq!(bytes(dtype, &decode(dtype, &all, 0).unwrap()).unwrap(), all, "{dtype}");
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
            (Dtype::F32, Values::Doubles(vec![1.0, 1e39]), "at index 1, which does not fit F32"),
            (Dtype::F16, Values::Doubles(vec![1e300]), "at index 0, which does not fit F16"),
            (Dtype::Bf16, Values::Doubles(vec![-1e300]), "at index 0, which does not fit BF16"),
            (Dtype::I64, Values::Doubles(vec![1.0]), "floats were given"),
        ];
        for (dtype, values, expected) in cases {
            let error = bytes(dtype, &values).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn an_index_is_that_in_the_whole_tensor() {
        let values = Values::Integers(vec![1, 2, 300]);
        assert_eq!(encode(Dtype::U8, &values, 0..2, 40), Ok(vec![1, 2]));
        let error = encode(Dtype::U8, &values, 1..3, 40).unwrap_err();
        assert!(error.contains("300 at index 42"), "{error}");
    }
}
