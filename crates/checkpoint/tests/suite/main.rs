//! Model files read and written: sound ones, hostile ones, and what may be done with them. One module for each subject.

mod adapters;
#[path = "../by_hand/mod.rs"]
mod by_hand;
mod costly;
mod hostile;
mod legacy;
#[cfg(unix)]
mod links;
mod mutations;
mod names;
mod parts;
mod pieces;
mod pytorch;
mod writing;

use std::fs;
use std::path::Path;

/// The names of the files in a folder, sorted.
fn file_names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
