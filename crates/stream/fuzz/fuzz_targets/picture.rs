//! Reads any bytes as a picture. It must not panic, and the input must have the requested shape.

#![no_main]

use alluvium_readers_fuzz::picture::{Orientation, decode, fit};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(picture) = decode(bytes, Orientation::Apply) else { return };
    for input in [[3, 8, 8], [1, 2, 5]] {
        assert_eq!(fit(&picture, input.into()).len(), input.iter().product::<usize>());
    }
});
