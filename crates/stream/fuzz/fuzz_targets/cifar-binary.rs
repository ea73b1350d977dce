//! Reads any bytes as a file of the binary version of CIFAR-100. It must not panic, and labels must be valid classes.

#![no_main]

use alluvium_readers_fuzz::labelling::Labelling;
use alluvium_readers_fuzz::{INPUT, Samples, binary};
use libfuzzer_sys::fuzz_target;

const LABELLING: Labelling =
    Labelling { classes: 100, label_bytes: 2, label_byte: 1, labels_key: "fine_labels", names_key: "fine_label_names" };

fuzz_target!(|bytes: &[u8]| {
    let mut samples = Samples::new(INPUT.into());
    let _ = binary::add(bytes, &LABELLING, &mut samples);
    assert!(samples.labels().iter().all(|label| *label < 100));
});
