//! Reads any bytes as a file of the Python version of CIFAR-100. It must not panic, and labels must be valid classes.

#![no_main]

use alluvium_readers_fuzz::labelling::Labelling;
use alluvium_readers_fuzz::{INPUT, Samples, python};
use libfuzzer_sys::fuzz_target;

const LABELLING: Labelling =
    Labelling { classes: 100, label_bytes: 2, label_byte: 1, labels_key: "fine_labels", names_key: "fine_label_names" };

fuzz_target!(|bytes: &[u8]| {
    let mut samples = Samples::new(INPUT.into());
    let _ = python::add(bytes, &LABELLING, None, &mut samples);
    assert!(samples.labels().iter().all(|label| *label < 100));
    let _ = python::names_of(bytes, LABELLING.names_key);
});
