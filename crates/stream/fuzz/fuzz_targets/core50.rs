//! Reads any text as a list of frames. It must not panic, and no path may leave the folder of the sessions.

#![no_main]

use std::path::{Component, Path};

use alluvium_readers_fuzz::lists;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    for test in [false, true] {
        for (_, frame) in lists::parse(&text, Path::new(""), test, &mut Default::default()).unwrap_or_default() {
            let parts: Vec<_> = frame.path.components().collect();
            assert!(matches!(parts[..], [Component::Normal(_), Component::Normal(_), Component::Normal(_)]), "{frame:?}");
        }
    }
});
