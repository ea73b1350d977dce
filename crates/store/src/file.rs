//! Writing one file: the old one or the new one is there, never a part of one.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tempfile::Builder;

use crate::StoreError;

/// Writers hold it shared; whoever ends the process holds it alone.
static WRITING: RwLock<()> = RwLock::new(());

/// What temporary files and folders begin with: such a one is left over when its process was killed.
pub(crate) const TEMPORARY: &str = ".tmp-";

/// As long as it lives, no file is being written by this crate.
#[derive(Debug)]
pub struct Held(#[expect(dead_code, reason = "held, not read")] RwLockWriteGuard<'static, ()>);

/// Waits until every file that this process is writing is whole, and lets no new one begin: for ending a process
/// between two files.
pub fn hold_writing() -> Held {
    Held(WRITING.write().unwrap_or_else(PoisonError::into_inner))
}

pub(crate) fn writing() -> RwLockReadGuard<'static, ()> {
    WRITING.read().unwrap_or_else(PoisonError::into_inner)
}

/// Replaces the file by one with these bytes, at once and for good: a temporary file beside it, written through to
/// the disk, then renamed. The folder must exist.
///
/// # Errors
/// [`StoreError::Write`], which names the file; the old file is then still there, whole.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let _writing = writing();
    replace(path, bytes).map_err(StoreError::write(path))
}

/// As [`write_file`], for callers that hold [`writing`] already.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // In the same folder: a rename is atomic within one file system only.
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = Builder::new();
    builder.prefix(TEMPORARY);
    readable_by_all(&mut builder);
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(folder)
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
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
pub(crate) fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Removes what killed processes left unfinished in a folder, if it is older than `age`.
pub(crate) fn remove_leftovers(folder: &Path, age: std::time::Duration) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let temporary = entry.file_name().to_string_lossy().starts_with(TEMPORARY);
        let old = || {
            entry
                .metadata()
                .and_then(|data| data.modified())
                .is_ok_and(|time| time.elapsed().unwrap_or_default() >= age)
        };
        if temporary && old() {
            let path = entry.path();
            // It may be another process's, which removes it at the same time.
            let _ = if entry.file_type()?.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write_file(&path, b"one").unwrap();
        write_file(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("missing").join("a.txt");
        let message = write_file(&path, b"one").unwrap_err().to_string();
        assert!(message.contains("missing") && message.contains("cannot be written"), "{message}");
    }

    #[test]
    fn holding_waits_for_no_one_when_nobody_writes_and_keeps_writers_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let held = hold_writing();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| write_file(&path, b"one"));
            std::thread::sleep(Duration::from_millis(50));
            assert!(!path.exists(), "written while writing was held");
            drop(held);
            writer.join().unwrap().unwrap();
        });
        assert!(path.exists());
    }

    #[test]
    fn leftovers_go_and_files_stay() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(".tmp-folder")).unwrap();
        for name in [".tmp-a", "kept"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        remove_leftovers(folder.path(), Duration::from_secs(3600)).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "young ones may be in use");
        remove_leftovers(folder.path(), Duration::ZERO).unwrap();
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["kept"]);
    }
}
