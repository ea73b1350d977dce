//! Finds the files of a part of a data set.
//!
//! The hub's files have names such as `data/train-00000-of-00002.parquet`; older ones have a digest after the last
//! number. Files that the hub converts itself have names such as `default/train/0000.parquet` (documentation of the
//! library `datasets`, "Structure your repository", and of the dataset viewer, "List Parquet files").

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use alluvium_stream::StreamError;

use crate::shards::{self, Shard};

/// The sorted files of a part in a folder and its subfolders.
///
/// # Errors
/// [`StreamError::File`] when there are no files, one is missing, or they are in several folders.
pub fn find(directory: &Path, part: &str) -> Result<Vec<PathBuf>, StreamError> {
    let names = names(directory)?;
    let wrong = |cause: String| StreamError::file(directory, cause);
    let own = of_part(&names, part).map_err(wrong)?;
    shards::check(&own).map_err(wrong)?;
    Ok(own.into_iter().map(|name| directory.join(name)).collect())
}

/// The paths of all files in a folder and its subfolders, relative to the folder and with `/`.
///
/// # Errors
/// [`StreamError::File`] when a folder cannot be read.
pub fn names(directory: &Path) -> Result<Vec<String>, StreamError> {
    let mut names = vec![];
    collect(directory, "", &mut names)?;
    Ok(names)
}

/// Selects the files of a part, sorted. `names` are paths with `/`.
///
/// # Errors
/// A description of the problem, when there are no files, or they are in several folders.
pub fn of_part<'a>(names: &'a [String], part: &str) -> Result<Vec<&'a str>, String> {
    let mut own: Vec<_> = names.iter().map(String::as_str).filter(|name| is_of_part(name, part)).collect();
    own.sort_unstable();
    let folders: BTreeSet<_> = own.iter().map(|name| name.rsplit_once('/').map_or("", |(folder, _)| folder)).collect();
    match folders.len() {
        0 => Err(format!(
            "does not hold a Parquet file of the part \"{part}\", such as {part}-00000-of-00001.parquet or {part}/0000.parquet; \
             it has {}",
            listed(names)
        )),
        1 => Ok(own),
        _ => {
            let folders: Vec<_> = folders.into_iter().collect();
            Err(format!("holds files of the part \"{part}\" in several folders: {}", folders.join(", ")))
        }
    }
}

fn is_of_part(name: &str, part: &str) -> bool {
    let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
    let Some(stem) = file.strip_suffix(".parquet") else { return false };
    if folder.rsplit('/').next() == Some(part) {
        return true;
    }
    // `train-small-00000-of-00001` belongs to the part `train-small`.
    match Shard::of(stem) {
        Some(shard) => shard.prefix == part,
        None => stem.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with('-')),
    }
}

/// The first files of a list, for an error message.
fn listed(names: &[String]) -> String {
    const MOST: usize = 5;
    let mut names: Vec<_> = names.iter().filter(|name| name.ends_with(".parquet")).map(String::as_str).collect();
    names.sort_unstable();
    match names.len() {
        0 => "no files".to_owned(),
        count if count > MOST => format!("{} and {} more", names[..MOST].join(", "), count - MOST),
        _ => names.join(", "),
    }
}

/// Adds the paths of all files below a folder, relative to the start of the search.
fn collect(folder: &Path, prefix: &str, names: &mut Vec<String>) -> Result<(), StreamError> {
    let failed = |error: std::io::Error| StreamError::file(folder, error.to_string());
    for entry in folder.read_dir().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        // A link to a folder is skipped, because a link to a parent folder would never end.
        if entry.file_type().map_err(failed)?.is_dir() {
            collect(&entry.path(), &path, names)?
        } else {
            names.push(path)
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_conventions_of_file_names_are_known() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let hub = names(&[
            "README.md",
            "data/test-00000-of-00001.parquet",
            "data/train-00001-of-00002-a1b2.parquet",
            "data/train-00000-of-00002-c3d4.parquet",
            "data/training.parquet",
        ]);
        let train = ["data/train-00000-of-00002-c3d4.parquet", "data/train-00001-of-00002-a1b2.parquet"];
        assert_eq!(of_part(&hub, "train").unwrap(), train);
        let converted =
            names(&["default/train/0000.parquet", "default/partial-train/0000.parquet", "default/test/0000.parquet"]);
        assert_eq!(of_part(&converted, "train").unwrap(), ["default/train/0000.parquet"]);
        assert_eq!(of_part(&names(&["train.parquet"]), "train").unwrap(), ["train.parquet"]);
        let small = names(&["train-00000-of-00001.parquet", "train-small-00000-of-00001.parquet", "train-a.parquet"]);
        assert_eq!(of_part(&small, "train").unwrap(), ["train-00000-of-00001.parquet", "train-a.parquet"]);
        assert_eq!(of_part(&small, "train-small").unwrap(), ["train-small-00000-of-00001.parquet"]);
        let error = of_part(&hub, "valid").unwrap_err();
        assert!(
            error.contains("not hold a Parquet file of the part \"valid\"") && error.contains("training.parquet"),
            "{error}"
        );
        let error = of_part(&names(&["a/train.parquet", "b/train.parquet"]), "train").unwrap_err();
        assert!(error.contains("in several folders: a, b"), "{error}");
    }
}
