//! The classes of a data set: the names that its files state, matched by name.
//!
//! A label is an index into the list of its own file. The files of a data set state the same names, but not always in
//! the same order, for example after a file was rewritten.

use std::collections::HashMap;
use std::path::Path;

use alluvium_stream::StreamError;

use crate::table::Table;

/// The names of the classes of two parts, training and test, in the order of the first training file. If no file states
/// names, they are the numbers of the labels. The labels of both parts become indices into this list.
///
/// # Errors
/// [`StreamError::File`] when a label is beyond the names of its file, when only some files state names, or when a file
/// states other names than the first one.
pub fn share(train: &mut Table, test: &mut Table) -> Result<Vec<String>, StreamError> {
    let files = || train.files().chain(test.files()).filter(|file| file.names.is_some() || !file.labels.is_empty());
    let Some((first, names)) = files().find_map(|file| Some((file.path, file.names?))) else {
        let most = files().flat_map(|file| file.labels).max().map_or(0, |label| label + 1);
        return Ok((0..most).map(|label| label.to_string()).collect());
    };
    let (first, names) = (first.to_owned(), names.to_vec());
    let indices: HashMap<_, _> = names.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
    for file in files() {
        check(file.path, file.names, file.labels, &first, &indices)?;
    }
    for table in [train, test] {
        table.relabel(|own| own.iter().map(|name| indices[name.as_str()]).collect());
    }
    Ok(names)
}

/// Checks that a file states the names of the first one, and that its labels are indices into its own list.
fn check(
    path: &Path,
    names: Option<&[String]>,
    labels: &[usize],
    first: &Path,
    indices: &HashMap<&str, usize>,
) -> Result<(), StreamError> {
    let wrong = |cause: String| Err(StreamError::file(path, cause));
    let first = first.display();
    let Some(names) = names else {
        return wrong(format!(
            "does not state the names of its classes, but {first} does; accepted: the same names in all files"
        ));
    };
    if let Some(other) = names.iter().find(|name| !indices.contains_key(name.as_str())) {
        return wrong(format!("names the class \"{other}\", which {first} does not name"));
    }
    if names.len() < indices.len() {
        let missing = indices.iter().filter(|(name, _)| !names.iter().any(|own| own == *name));
        let missing = missing.min_by_key(|(_, index)| **index).map_or("", |(name, _)| name);
        return wrong(format!("does not name the class \"{missing}\", which {first} names"));
    }
    match labels.iter().max() {
        Some(most) if *most >= names.len() => wrong(format!("names {} classes, but has the label {most}", names.len())),
        _ => Ok(()),
    }
}
