//! Any bytes as an IDX file, gzipped or not: no panic, and as many values as the shape says.

#![no_main]

use alluvium_readers_fuzz::idx;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(read) = idx::parse(bytes) {
        assert_eq!(read.shape.iter().product::<usize>(), read.values.len());
    }
});
