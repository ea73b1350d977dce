//! Reads any texts, separated by zero bytes, as the lists of Tiny-ImageNet-200. It must not panic, and no path may
//! leave the folder.

#![no_main]

use std::path::{Component, Path};

use alluvium_readers_fuzz::tiny_imagenet::{class_names, ids, test};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let mut texts = text.splitn(3, '\0');
    let mut next = || texts.next().unwrap_or_default();
    let (numbers, words, annotations) = (next(), next(), next());
    let Ok(ids) = ids(numbers) else { return };
    if let Ok(names) = class_names(&ids, words) {
        assert_eq!(names.len(), ids.len());
    }
    for (path, label) in test(annotations, Path::new(""), &ids).unwrap_or_default() {
        let parts: Vec<_> = path.components().collect();
        assert!(matches!(parts[..], [Component::Normal(_)]) && label < ids.len(), "{path:?}");
    }
});
