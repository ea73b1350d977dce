//! The pictures of a folder.

use std::io;
use std::path::{Path, PathBuf};

/// The endings of the names of pictures.
const ENDINGS: [&str; 3] = ["png", "jpg", "jpeg"];

/// The sorted paths of all files in a folder and its subfolders whose names end in `.png`, `.jpg` or `.jpeg`, in upper
/// or lower case. Names that begin with a dot and links to folders are skipped.
///
/// # Errors
/// The folder that cannot be read, and the cause.
pub fn list(folder: &Path) -> Result<Vec<PathBuf>, (PathBuf, io::Error)> {
    let mut found = vec![];
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let failed = |error: io::Error| (folder.clone(), error);
        for entry in folder.read_dir().map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            // A link to a folder is not followed, because a link to a parent folder would never end.
            if entry.file_type().map_err(failed)?.is_dir() {
                folders.push(path);
            } else if is_picture(&path) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn is_picture(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}
