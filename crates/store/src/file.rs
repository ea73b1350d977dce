//! Writes one file atomically: readers see the whole old file or the whole new one.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tempfile::{Builder, NamedTempFile};

use crate::StoreError;

/// Writers hold it shared. Code that ends the process holds it exclusively.
static WRITING: RwLock<()> = RwLock::new(());

/// The prefix of temporary files and folders. A killed process leaves such files behind.
pub const TEMPORARY: &str = ".tmp-";

/// While this value exists, this crate writes no file.
#[derive(Debug)]
pub struct WritingPause(#[expect(dead_code, reason = "held, not read")] RwLockWriteGuard<'static, ()>);

/// Waits until this process has finished writing its files, and keeps it from starting another one. Use it to end a
/// process between two files.
pub fn hold_writing() -> WritingPause {
    WritingPause(WRITING.write().unwrap_or_else(PoisonError::into_inner))
}

pub(crate) fn writing() -> RwLockReadGuard<'static, ()> {
    WRITING.read().unwrap_or_else(PoisonError::into_inner)
}

/// Replaces the file by one with these bytes, atomically and durably. Writes a temporary file beside it, flushes that
/// to disk and renames it. The folder must exist.
///
/// # Errors
/// [`StoreError::Write`], which names the file. The old file is then unchanged.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let _writing = writing();
    replace(path, bytes).map_err(StoreError::write(path))
}

/// Like [`write_file`], for callers that already hold [`writing`].
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = temporary_beside(path)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(folder_of(path))
}

/// Creates a temporary file in the folder of `path`, because a rename is atomic only within one file system. It has the
/// permissions of any new file of the user, and is removed when it is dropped.
///
/// # Errors
/// When the folder does not exist or cannot be written.
pub fn temporary_beside(path: &Path) -> io::Result<NamedTempFile> {
    let mut builder = Builder::new();
    builder.prefix(TEMPORARY);
    readable_by_all(&mut builder);
    builder.tempfile_in(folder_of(path))
}

/// The folder of a file: `.` for a name alone.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Temporary files are private by default. This gives them the permissions of any new file of the user.
#[cfg(unix)]
fn readable_by_all(builder: &mut Builder<'_, '_>) {
    use std::os::unix::fs::PermissionsExt as _;
    // The operating system applies the user's umask.
    builder.permissions(fs::Permissions::from_mode(0o666));
}

#[cfg(not(unix))]
fn readable_by_all(_builder: &mut Builder<'_, '_>) {}

/// Flushes a folder, so that a rename in it survives a power cut. Does nothing where the system cannot do this.
///
/// # Errors
/// When the folder cannot be opened or flushed.
#[cfg(unix)]
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Flushes a folder, so that a rename in it survives a power cut. Does nothing where the system cannot do this.
///
/// # Errors
/// None on this system.
#[cfg(not(unix))]
pub fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Removes the temporary files and folders of killed processes that are older than `age`.
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
            // Another process may be removing it at the same time.
            let _ = if entry.file_type()?.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
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
    fn holding_keeps_writers_waiting_until_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let released = AtomicBool::new(false);
        let pause = hold_writing();
        assert!(WRITING.try_read().is_err(), "a writer could begin");
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                write_file(&path, b"one").unwrap();
                released.load(Ordering::SeqCst)
            });
            assert!(!path.exists(), "written while writing was held");
            released.store(true, Ordering::SeqCst);
            drop(pause);
            assert!(writer.join().unwrap(), "written while writing was held");
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
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "recent ones may be in use");
        remove_leftovers(folder.path(), Duration::ZERO).unwrap();
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["kept"]);
    }
}
