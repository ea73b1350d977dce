//! Files that are written under another name first, and get their own when all are whole.
//!
//! Of a model in several files, the index decides: it names the old files until all new ones are there, then the new ones. So
//! that old parts can be named while new ones take their names, they get a second name each, and the index names these
//! meanwhile. A process that is killed at any moment leaves an index, or a whole file, that leads to the old model or to the
//! new one; what it leaves beside them is hidden, or no model.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::{Builder, NamedTempFile, TempDir};

use crate::error::Place;
use crate::write::replaced::{folder, replaced};
use crate::{CheckpointError, ShardIndex};

/// What temporary names begin with; a folder's hidden files are nobody's model.
const TEMPORARY: &str = ".tmp-";

/// A new file beside the one to be: a rename is atomic within one file system only. It goes away by itself.
pub(crate) fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let mut builder = Builder::new();
    builder.prefix(TEMPORARY);
    readable_by_all(&mut builder);
    builder.tempfile_in(folder(path))
}

/// Gives all files of the model of this name their own names, in this order, all of which are in one folder, and removes what
/// is left of a model that had the name before. Where one cannot have its name, everything is again as it was.
pub(crate) fn publish(files: Vec<(NamedTempFile, PathBuf)>, name: &Path) -> Result<Vec<PathBuf>, CheckpointError> {
    let paths: Vec<_> = files.iter().map(|(_, path)| path.clone()).collect();
    let Some(folder) = paths.first().map(|path| folder(path).to_owned()) else { return Ok(paths) };
    let mut exchange = Exchange::default();
    let mut exchanged = Ok(());
    // One rename replaces one file. Of several files the index is last.
    if let [_, .., index] = &paths[..]
        && exchange.name_again(index, &folder).is_err()
    {
        // Where the old parts cannot have second names, all of the old model is out of the way meanwhile. The index goes
        // first: at no moment does it stand beside files that are not its own.
        exchange.drop_names();
        exchanged = paths.iter().rev().try_for_each(|path| exchange.set_aside(path, &folder));
    }
    let exchanged = exchanged.and_then(|()| files.into_iter().try_for_each(|(file, path)| exchange.put(file, path)));
    if let Err(error) = exchanged {
        return Err(exchange.undo(error));
    }
    exchange.drop_names();
    sync(&folder).map_err(|cause| Place::new(name).write(cause))?;
    remove_old(name, &paths)?;
    sync(&folder).map_err(|cause| Place::new(name).write(cause))?;
    Ok(paths)
}

/// Removes what belongs to an older model of this name and not to the new one, the index first.
fn remove_old(name: &Path, new: &[PathBuf]) -> Result<(), CheckpointError> {
    let place = Place::new(name);
    for path in replaced(name).map_err(|cause| place.read(cause))? {
        if !new.contains(&path) {
            fs::remove_file(&path).map_err(|cause| {
                let old = path.display();
                place.broken(format!(
                    "was written, but {old} of the model before it cannot be removed ({cause}); remove it"
                ))
            })?;
        }
    }
    Ok(())
}

/// What was done so far to put new files in the place of old ones.
#[derive(Debug, Default)]
struct Exchange {
    /// Where old files are meanwhile.
    aside: Option<TempDir>,
    /// The old files: where they were, and where they are, or are, too.
    old: Vec<(PathBuf, PathBuf)>,
    new: Vec<PathBuf>,
    /// The old index and its bytes, where it names the old files by their second names meanwhile.
    index: Option<(PathBuf, Vec<u8>)>,
}

impl Exchange {
    /// Gives the files of an old model second names, and lets the index name them by these. Does nothing without an index.
    fn name_again(&mut self, index: &Path, folder: &Path) -> io::Result<()> {
        let bytes = match fs::read(index) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let old = ShardIndex::from_bytes(&bytes).map_err(io::Error::other)?;
        // A name that nobody has: it is of a file that goes at once.
        let unique =
            beside(index)?.path().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let second = |file: &str| format!("{unique}-{file}");
        for file in old.iter().map(|(_, file)| file).collect::<BTreeSet<_>>() {
            let (path, there) = (folder.join(file), folder.join(second(file)));
            fs::hard_link(&path, &there)?;
            self.old.push((path, there));
        }
        let map: BTreeMap<_, _> = old.iter().map(|(tensor, file)| (tensor, second(file))).collect();
        let mut meanwhile = beside(index)?;
        meanwhile.write_all(json!({ "weight_map": map }).to_string().as_bytes())?;
        meanwhile.as_file().sync_all()?;
        meanwhile.persist(index).map_err(|error| error.error)?;
        sync(folder)?;
        self.index = Some((index.to_owned(), bytes));
        Ok(())
    }

    /// Second names are no longer needed. One that cannot be removed is hidden, and no model.
    fn drop_names(&mut self) {
        if self.aside.is_none() {
            for (_, there) in self.old.drain(..) {
                let _ = fs::remove_file(there);
            }
        }
    }

    /// Takes what has this name out of the way, a link itself and not what it leads to.
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

    /// Puts everything back, and says what was wrong. What cannot be put back stays where it is, and is named.
    fn undo(mut self, error: CheckpointError) -> CheckpointError {
        for path in &self.new {
            // What cannot be removed is replaced, or left: the first error is the one to tell.
            let _ = fs::remove_file(path);
        }
        let mut lost: Vec<_> = self.old.iter().rev().filter(|(path, there)| fs::rename(there, path).is_err()).collect();
        // Of two names of one file, a rename to the other leaves both.
        self.old.iter().filter(|_| self.aside.is_none()).for_each(|(_, there)| drop(fs::remove_file(there)));
        if let Some((path, bytes)) = &self.index {
            let put_back = beside(path).and_then(|mut file| {
                file.write_all(bytes)?;
                file.persist(path).map_err(|error| error.error)
            });
            match put_back {
                Ok(_) => lost.clear(),
                Err(cause) => return Place::new(path).broken(format!("could not be put back ({cause}; {error})")),
            }
        }
        match (lost.first(), self.aside.take()) {
            (Some((path, _)), Some(aside)) => {
                let reason = format!("could be neither written nor put back; it is in {}", aside.keep().display());
                Place::new(path).broken(format!("{reason} ({error})"))
            }
            _ => error,
        }
    }
}

/// Temporary files are private by default; ours become as readable as any file that the user makes.
#[cfg(unix)]
fn readable_by_all(builder: &mut Builder<'_, '_>) {
    use std::os::unix::fs::PermissionsExt as _;
    // The system takes the user's umask off.
    builder.permissions(fs::Permissions::from_mode(0o666));
}

#[cfg(not(unix))]
fn readable_by_all(_builder: &mut Builder<'_, '_>) {}

/// Makes a rename itself survive a power cut.
#[cfg(unix)]
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync(_folder: &Path) -> io::Result<()> {
    Ok(())
}
