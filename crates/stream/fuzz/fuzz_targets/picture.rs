//! Any bytes as a picture: no panic, and an input of the shape that was asked for.

#![no_main]

use alluvium_readers_fuzz::picture::{Orientation, decode, fit};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(picture) = decode(bytes, Orientation::Apply) else { return };
    for input in [[3, 8, 8], [1, 2, 5]] {
        assert_eq!(fit(&picture, input.into()).len(), input.iter().product::<usize>());
    }
});
