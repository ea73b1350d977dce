//! Finds the files of an older model that a new one of the same name replaces: the whole file, the index, and every
//! part.
//!
//! A reader finds a model by the whole file, by the index or by the folder. If any file of the old model remained,
//! these could lead to different models.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use alluvium_store::folder_of;

use crate::parts::Part;

/// The existing files of a model of this name, the index first. Without the index, its parts do not count as a model.
pub(crate) fn replaced(path: &Path) -> io::Result<Vec<PathBuf>> {
    let (Some(name), Some(stem)) =
        (path.file_name().and_then(|name| name.to_str()), path.file_stem().and_then(|stem| stem.to_str()))
    else {
        return Ok(vec![path.to_owned()].into_iter().filter(|path| is_there(path)).collect());
    };
    let mut files: Vec<_> = [index_of(path, name), path.to_owned()].into_iter().filter(|path| is_there(path)).collect();
    let mut parts = vec![];
    for entry in fs::read_dir(folder_of(path))? {
        let file = entry?.file_name();
        let part = file.to_str().and_then(Part::any).filter(|part| (part.set.stem, part.set.ending) == (stem, PART));
        if part.is_some() {
            parts.push(path.with_file_name(file));
        }
    }
    parts.sort();
    files.extend(parts);
    Ok(files)
}

/// The ending of the names of parts, whatever the ending of the whole file.
const PART: &str = ".safetensors";

/// The index of a model whose file has this path and name.
pub(crate) fn index_of(path: &Path, name: &str) -> PathBuf {
    path.with_file_name(format!("{name}.index.json"))
}

/// Whether something has this path. A dangling link counts, too.
fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}
