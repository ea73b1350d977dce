//! Reads any bytes after the first pickles of a file by `torch.save` before version 1.6. It must not panic.

#![no_main]

use std::io::Cursor;

use alluvium_checkpoint::Checkpoint;
use libfuzzer_sys::fuzz_target;

#[path = "../../tests/by_hand/mod.rs"]
mod by_hand;

fuzz_target!(|bytes: &[u8]| {
    // The first pickles are fixed. A fuzzer would waste its time changing them.
    let file = [by_hand::LEGACY_START, bytes].concat();
    let Ok(checkpoint) = Checkpoint::from_reader(Cursor::new(file)) else { return };
    for info in checkpoint.tensors() {
        let _ = checkpoint.read_finite(&info.name);
        let half = info.elements() / 2;
        let _ = checkpoint.read_finite_range(&info.name, half / 2..half);
    }
    let _ = checkpoint.digest();
});
