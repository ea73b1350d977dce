//! Reads any bytes as an index. It must not panic, nor accept a file name that leaves the folder.

#![no_main]

use std::path::{Component, Path};

use alluvium_checkpoint::ShardIndex;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(index) = ShardIndex::from_bytes(bytes) else { return };
    for (tensor, file) in index.iter() {
        let parts: Vec<_> = Path::new(file).components().collect();
        assert!(matches!(parts[..], [Component::Normal(_)]), "{file:?}");
        assert_eq!(index.file_of(tensor), Some(file));
    }
});
