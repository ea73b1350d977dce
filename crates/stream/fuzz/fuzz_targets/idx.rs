//! Reads any bytes as an IDX file, gzipped or not. It must not panic, and the number of values must fit the shape.

#![no_main]

use alluvium_readers_fuzz::idx;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(read) = idx::parse(bytes) {
        assert_eq!(read.shape.iter().product::<usize>(), read.values.len());
    }
});
