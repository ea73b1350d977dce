//! Files that are written under another name first, and get their own when all are whole.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use crate::CheckpointError;
use crate::error::Place;

/// A new file beside the one to be: a rename is atomic within one file system only. It goes away by itself.
pub(crate) fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let mut builder = Builder::new();
    builder.prefix(".tmp-");
    readable_by_all(&mut builder);
    builder.tempfile_in(folder(path))
}

/// Gives all files their names, in this order. Where one cannot have its name, those before it that were not there
/// earlier are removed again.
pub(crate) fn publish(files: Vec<(NamedTempFile, PathBuf)>) -> Result<Vec<PathBuf>, CheckpointError> {
    let (mut published, mut new) = (vec![], vec![]);
    for (file, path) in files {
        let was_there = path.exists();
        if let Err(error) = file.persist(&path) {
            for path in &new {
                // What cannot be removed is left: the first error is the one to tell.
                let _ = fs::remove_file(path);
            }
            return Err(Place::new(path).write(error.error));
        }
        if !was_there {
            new.push(path.clone());
        }
        published.push(path);
    }
    if let Some(path) = published.first() {
        sync(folder(path)).map_err(|cause| Place::new(path).write(cause))?;
    }
    Ok(published)
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
