//! Reads any bytes as a pickle in an archive, or as the archive itself. It must not panic.

#![no_main]

use std::io::Cursor;

use alluvium_checkpoint::Checkpoint;
use libfuzzer_sys::fuzz_target;

#[path = "../../tests/by_hand/mod.rs"]
mod by_hand;

fuzz_target!(|bytes: &[u8]| {
    // A changed archive nearly always has a wrong checksum. So the bytes become the pickle of a new archive.
    let archive = if bytes.starts_with(b"PK") {
        bytes.to_vec()
    } else {
        by_hand::zip(&[("a/data.pkl", bytes), ("a/data/0", &[0; 16]), ("a/data/1", &[1; 8])])
    };
    let Ok(checkpoint) = Checkpoint::from_reader(Cursor::new(archive)) else { return };
    for info in checkpoint.tensors() {
        let _ = checkpoint.read_finite(&info.name);
        let half = info.elements() / 2;
        let _ = checkpoint.read_finite_range(&info.name, half / 2..half);
    }
    let _ = checkpoint.digest();
});
