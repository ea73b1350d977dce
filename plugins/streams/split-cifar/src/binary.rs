//! The binary version: records of labels and pixels.
//!
//! A file of CIFAR-10 is `<1 x label><3072 x pixel>` for each image; one of CIFAR-100 has two label bytes, coarse and
//! fine. The first 1024 pixels are the red channel, the next the green and the last the blue one, each row by row
//! (<https://www.cs.toronto.edu/~kriz/cifar.html>, "Binary version"). That is the order of an input, `[channels,
//! height, width]`. The names of the classes are lines of a text, the first of label 0.

use std::path::Path;

use alluvium_stream::{Samples, StreamError, read_file, read_text};

use crate::IMAGE_BYTES;
use crate::labelling::Labelling;

/// The largest file of records that is read. The largest published one has 154 MB.
const LARGEST: u64 = 1 << 30;
const LARGEST_TEXT: u64 = 1 << 20;

/// Adds the samples of a file.
pub fn read(path: &Path, labelling: &Labelling, samples: &mut Samples) -> Result<(), StreamError> {
    let bytes = read_file(path, LARGEST)?;
    add(&bytes, labelling, samples).map_err(|cause| StreamError::file(path, cause))
}

/// Adds the samples of the bytes of a file.
pub fn add(bytes: &[u8], labelling: &Labelling, samples: &mut Samples) -> Result<(), String> {
    let record = labelling.label_bytes + IMAGE_BYTES;
    if bytes.is_empty() || !bytes.len().is_multiple_of(record) {
        return Err(format!("has {} bytes; accepted: records of {record} bytes each, at least one", bytes.len()));
    }
    for (number, record) in bytes.chunks_exact(record).enumerate() {
        let (labels, pixels) = record.split_at(labelling.label_bytes);
        let label = usize::from(labels[labelling.label_byte]);
        if label >= labelling.classes {
            return Err(format!(
                "label {label} of image number {number} is out of range; accepted: 0 to {}",
                labelling.classes - 1
            ));
        }
        samples.push(pixels, label);
    }
    Ok(())
}

/// The names of the classes.
pub fn names(path: &Path) -> Result<Vec<String>, StreamError> {
    let text = read_text(path, LARGEST_TEXT)?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
}
