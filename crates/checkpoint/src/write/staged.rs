//! Files that are written under another name first, and get their own when all are whole.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile, TempDir};

use crate::CheckpointError;
use crate::error::Place;

/// A new file beside the one to be: a rename is atomic within one file system only. It goes away by itself.
pub(crate) fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let mut builder = Builder::new();
    builder.prefix(".tmp-");
    readable_by_all(&mut builder);
    builder.tempfile_in(folder(path))
}

/// Gives all files their names, in this order, all of which are in one folder. Where one cannot have its name, everything
/// is again as it was.
pub(crate) fn publish(files: Vec<(NamedTempFile, PathBuf)>) -> Result<Vec<PathBuf>, CheckpointError> {
    let paths: Vec<_> = files.iter().map(|(_, path)| path.clone()).collect();
    let Some(folder) = paths.first().map(|path| folder(path).to_owned()) else { return Ok(paths) };
    let mut exchange = Exchange::default();
    let exchanged = match paths.len() {
        // One rename replaces one file.
        1 => Ok(()),
        // The index is last, and goes first: at no moment does it stand beside files that are not its own.
        _ => paths.iter().rev().try_for_each(|path| exchange.set_aside(path, &folder)),
    };
    let exchanged = exchanged.and_then(|()| files.into_iter().try_for_each(|(file, path)| exchange.put(file, path)));
    match exchanged {
        Ok(()) => sync(&folder).map_err(|cause| Place::new(&paths[0]).write(cause))?,
        Err(error) => return Err(exchange.undo(error)),
    }
    Ok(paths)
}

/// What was done so far to put new files in the place of old ones.
#[derive(Debug, Default)]
struct Exchange {
    /// Where old files are meanwhile.
    aside: Option<TempDir>,
    /// The old files: where they were, and where they are.
    old: Vec<(PathBuf, PathBuf)>,
    new: Vec<PathBuf>,
}

impl Exchange {
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
            None => Builder::new().prefix(".tmp-").tempdir_in(folder).map_err(|cause| place.write(cause))?,
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
        let lost: Vec<_> = self.old.iter().rev().filter(|(path, there)| fs::rename(there, path).is_err()).collect();
        match (lost.first(), self.aside.take()) {
            (Some((path, _)), Some(aside)) => {
                let reason = format!("could be neither written nor put back; it is in {}", aside.keep().display());
                Place::new(path).broken(format!("{reason} ({error})"))
            }
            _ => error,
        }
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
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
