//! Reads any bytes as a safetensors file. It must not panic, nor accept anything that the reference implementation
//! refuses.

#![no_main]

use std::io::Cursor;

use alluvium_checkpoint::Checkpoint;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(checkpoint) = Checkpoint::from_reader(Cursor::new(bytes.to_vec())) else { return };
    for info in checkpoint.tensors() {
        let _ = checkpoint.read_finite(&info.name);
        let half = info.elements() / 2;
        let _ = checkpoint.read_finite_range(&info.name, half / 2..half);
    }
    let _ = checkpoint.digest();
    // Bytes that begin like an archive or a pickle may be one.
    if !matches!(bytes[0], b'P' | 0x80) {
        let reference = safetensors::SafeTensors::deserialize(bytes).expect("the reference implementation accepts it");
        assert_eq!(reference.len(), checkpoint.tensors().count());
    }
});
