//! Reads any bytes as a file of SVHN. It must not panic, and every image with a label must be readable.

#![no_main]

use alluvium_readers_fuzz::DataPart;
use alluvium_readers_fuzz::digits::Digits;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(digits) = Digits::parse(bytes) else { return };
    let indices: Vec<_> = (0..digits.labels().len().min(64)).collect();
    assert!(digits.read(&indices).unwrap().labels().iter().all(|label| *label < 10));
});
