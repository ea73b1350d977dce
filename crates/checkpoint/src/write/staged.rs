//! Writes files under temporary names first, and renames them when all are complete.
//!
//! The index decides which files belong to a model in several files. It names the old files until all new ones exist,
//! then the new ones. While new parts take the names of old ones, the old parts have second names, and the index refers
//! to these. A process that is killed at any moment leaves an index or a whole file that leads to the old model or to
//! the new one. Anything else that it leaves is hidden or not a model.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use alluvium_store::{TEMPORARY, folder_of, sync_folder, temporary_beside};
use serde_json::json;
use tempfile::{Builder, NamedTempFile, TempDir};

use crate::error::Place;
use crate::write::replaced::replaced;
use crate::{CheckpointError, ShardIndex};

/// Renames all files of a model to their final names, in this order, and removes the rest of an older model of the same
/// name. All files are in one folder. If a file cannot be renamed, the old state is restored.
pub(crate) fn publish(files: Vec<(NamedTempFile, PathBuf)>, name: &Path) -> Result<Vec<PathBuf>, CheckpointError> {
    let paths: Vec<_> = files.iter().map(|(_, path)| path.clone()).collect();
    let Some(folder) = paths.first().map(|path| folder_of(path).to_owned()) else { return Ok(paths) };
    let mut exchange = Exchange::default();
    let mut exchanged = Ok(());
    // One rename replaces one file. If there are several files, the index is last.
    if let [_, .., index] = &paths[..]
        && exchange.name_again(index, &folder).is_err()
    {
        // If the old parts cannot get second names, the whole old model is moved away meanwhile. The index is moved
        // first, so that it is never beside files that are not its own.
        exchange.drop_names();
        exchanged = paths.iter().rev().try_for_each(|path| exchange.set_aside(path, &folder));
    }
    let exchanged = exchanged.and_then(|()| files.into_iter().try_for_each(|(file, path)| exchange.put(file, path)));
    if let Err(error) = exchanged {
        return Err(exchange.undo(error));
    }
    exchange.drop_names();
    sync_folder(&folder).map_err(|cause| Place::new(name).write(cause))?;
    remove_old(name, &paths)?;
    sync_folder(&folder).map_err(|cause| Place::new(name).write(cause))?;
    Ok(paths)
}

/// Removes the files that belong only to an older model of this name, the index first.
fn remove_old(name: &Path, new: &[PathBuf]) -> Result<(), CheckpointError> {
    let place = Place::new(name);
    for path in replaced(name).map_err(|cause| place.read(cause))? {
        if !new.contains(&path) {
            fs::remove_file(&path).map_err(|cause| {
                let old = path.display();
                place.broken(format!(
                    "was written, but the file {old} of the older model cannot be removed ({cause}); remove it"
                ))
            })?;
        }
    }
    Ok(())
}

/// The state of replacing old files by new ones.
#[derive(Debug, Default)]
struct Exchange {
    /// The folder that old files are moved to meanwhile.
    aside: Option<TempDir>,
    /// The old files: their original path, and the path that they were moved or linked to.
    old: Vec<(PathBuf, PathBuf)>,
    new: Vec<PathBuf>,
    /// The path and the original bytes of the old index, while it refers to the old files by their second names.
    index: Option<(PathBuf, Vec<u8>)>,
}

impl Exchange {
    /// Gives the files of an old model second names, and changes the index to use them. Does nothing without an index.
    fn name_again(&mut self, index: &Path, folder: &Path) -> io::Result<()> {
        let bytes = match fs::read(index) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let old = ShardIndex::from_bytes(&bytes).map_err(io::Error::other)?;
        // A free name: that of a temporary file that is removed at once.
        let unique = temporary_beside(index)?
            .path()
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let second = |file: &str| format!("{unique}-{file}");
        for file in old.iter().map(|(_, file)| file).collect::<BTreeSet<_>>() {
            let (path, there) = (folder.join(file), folder.join(second(file)));
            fs::hard_link(&path, &there)?;
            self.old.push((path, there));
        }
        let map: BTreeMap<_, _> = old.iter().map(|(tensor, file)| (tensor, second(file))).collect();
        let mut meanwhile = temporary_beside(index)?;
        meanwhile.write_all(json!({ "weight_map": map }).to_string().as_bytes())?;
        meanwhile.as_file().sync_all()?;
        meanwhile.persist(index).map_err(|error| error.error)?;
        sync_folder(folder)?;
        self.index = Some((index.to_owned(), bytes));
        Ok(())
    }

    /// Removes the second names. One that cannot be removed is hidden, and does not count as a model.
    fn drop_names(&mut self) {
        if self.aside.is_none() {
            for (_, there) in self.old.drain(..) {
                let _ = fs::remove_file(there);
            }
        }
    }

    /// Moves the file with this name away. Moves a link itself, not its target.
    fn set_aside(&mut self, path: &Path, folder: &Path) -> Result<(), CheckpointError> {
        let place = Place::new(path);
        match fs::symlink_metadata(path) {
            Ok(data) if data.is_dir() => return Err(place.write(io::ErrorKind::IsADirectory.into())),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(place.write(error)),
        }
        let aside = match self.aside.take() {
            Some(aside) => aside,
            None => Builder::new().prefix(TEMPORARY).tempdir_in(folder).map_err(|cause| place.write(cause))?,
        };
        let there = aside.path().join(self.old.len().to_string());
        self.aside = Some(aside);
        fs::rename(path, &there).map_err(|cause| place.write(cause))?;
        self.old.push((path.to_owned(), there));
        Ok(())
    }

    fn put(&mut self, file: NamedTempFile, path: PathBuf) -> Result<(), CheckpointError> {
        file.persist(&path).map_err(|error| Place::new(&path).write(error.error))?;
        self.new.push(path);
        Ok(())
    }

    /// Restores the old state, and returns the error. A file that cannot be restored stays where it is, and the error
    /// names it.
    fn undo(mut self, error: CheckpointError) -> CheckpointError {
        for path in &self.new {
            // A failure to remove is ignored, because the first error is the one to report.
            let _ = fs::remove_file(path);
        }
        let mut lost: Vec<_> = self.old.iter().rev().filter(|(path, there)| fs::rename(there, path).is_err()).collect();
        // Renaming one name of a file to another name of the same file leaves both.
        self.old.iter().filter(|_| self.aside.is_none()).for_each(|(_, there)| drop(fs::remove_file(there)));
        if let Some((path, bytes)) = &self.index {
            let put_back = temporary_beside(path).and_then(|mut file| {
                file.write_all(bytes)?;
                file.persist(path).map_err(|error| error.error)
            });
            match put_back {
                Ok(_) => lost.clear(),
                Err(cause) => return Place::new(path).broken(format!("could not be restored ({cause}; {error})")),
            }
        }
        match (lost.first(), self.aside.take()) {
            (Some((path, _)), Some(aside)) => {
                let reason =
                    format!("could be neither written nor restored; the old file is in {}", aside.keep().display());
                Place::new(path).broken(format!("{reason} ({error})"))
            }
            _ => error,
        }
    }
}
