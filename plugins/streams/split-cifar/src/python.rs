//! The Python version: pickled dicts.
//!
//! A file of samples is a dict with `data`, a numpy array of unsigned bytes of shape `[images, 3072]`, and a list of
//! labels. A row of the array has the pixels in the order of the binary version. The labels are `labels` in CIFAR-10,
//! `fine_labels` and `coarse_labels` in CIFAR-100. Another file holds the names of the classes in lists, `label_names`,
//! or `fine_label_names` and `coarse_label_names` (<https://www.cs.toronto.edu/~kriz/cifar.html>, "Python / Matlab
//! versions").

use std::path::Path;

use alluvium_stream::{Samples, StreamError, read_file};

use crate::IMAGE_BYTES;
use crate::labelling::{Batch, Labelling};
use crate::pickle::{Pickle, Value, run};

/// The largest file that is read. The largest published one has 155 MB.
const LARGEST: u64 = 1 << 30;

/// Adds the samples of a file. The file must match `batch`: its label and its number of images.
pub fn read(path: &Path, labelling: &Labelling, batch: &Batch, samples: &mut Samples) -> Result<(), StreamError> {
    let bytes = read_file(path, LARGEST)?;
    add(&bytes, labelling, Some(batch), samples).map_err(|cause| StreamError::file(path, cause))
}

/// Adds the samples of the bytes of a file. If there is a batch, the file must match its label and its number of
/// images.
pub fn add(bytes: &[u8], labelling: &Labelling, batch: Option<&Batch>, samples: &mut Samples) -> Result<(), String> {
    let pickle = run(bytes)?;
    if let (Ok(Value::Text(own)), Some(batch)) = (pickle.entry("batch_label"), batch)
        && *own != batch.label.as_bytes()
    {
        return Err(format!("is the \"{}\"; its name says \"{}\"", String::from_utf8_lossy(own), batch.label));
    }
    let Value::Array(array) = pickle.entry("data")? else {
        return Err("`data` is not a numpy array of unsigned bytes".to_owned());
    };
    let [images, IMAGE_BYTES] = array.shape[..] else {
        return Err(format!("`data` has the shape {:?}; accepted: [images, {IMAGE_BYTES}]", array.shape));
    };
    if let Some(stated) = batch.and_then(|batch| batch.images).filter(|stated| *stated != images) {
        return Err(format!("holds {images} images, but the file of the names states {stated}"));
    }
    let labels = labels(&pickle, labelling)?;
    if labels.len() != images {
        return Err(format!("`{}` has {} labels, but `data` has {images} images", labelling.labels_key, labels.len()));
    }
    // Unused lists must also have an entry for each image.
    for key in ["coarse_labels", "fine_labels", "filenames"] {
        if let Ok(Value::List(entries)) = pickle.entry(key)
            && entries.len() != images
        {
            return Err(format!("`{key}` has {} entries, but `data` has {images} images", entries.len()));
        }
    }
    for (number, label) in labels.into_iter().enumerate() {
        samples.push(&array.row(number), label);
    }
    Ok(())
}

fn labels(pickle: &Pickle<'_>, labelling: &Labelling) -> Result<Vec<usize>, String> {
    let key = labelling.labels_key;
    let label = |value: &Value<'_>| match value {
        Value::Int(label) if (0..labelling.classes as i64).contains(label) => Ok(*label as usize),
        Value::Int(label) => Err(format!("`{key}` has the label {label}; accepted: 0 to {}", labelling.classes - 1)),
        other => Err(format!("`{key}` holds {}, not whole numbers", other.kind())),
    };
    pickle.list(key)?.into_iter().map(label).collect()
}

/// The names of the classes, by their key, and the stated number of images of each file of samples.
pub fn meta(path: &Path, key: &str) -> Result<(Vec<String>, Option<usize>), StreamError> {
    let bytes = read_file(path, LARGEST)?;
    let read = || Ok::<_, String>((names_of(&bytes, key)?, images_of(&bytes)?));
    read().map_err(|cause| StreamError::file(path, cause))
}

/// `num_cases_per_batch`, which CIFAR-10 has.
fn images_of(bytes: &[u8]) -> Result<Option<usize>, String> {
    match run(bytes)?.entry("num_cases_per_batch") {
        Ok(Value::Int(images)) => Ok(usize::try_from(*images).ok()),
        _ => Ok(None),
    }
}

/// The names of the classes in the bytes of a file, by their key.
pub fn names_of(bytes: &[u8], key: &str) -> Result<Vec<String>, String> {
    let pickle = run(bytes)?;
    let name = |value: &Value<'_>| match value {
        // Two names that are not text could be taken for the same name.
        Value::Text(name) => {
            String::from_utf8(name.to_vec()).map_err(|_| format!("`{key}` holds a name that is not text in UTF-8"))
        }
        other => Err(format!("`{key}` holds {}, not names", other.kind())),
    };
    pickle.list(key)?.into_iter().map(name).collect()
}
