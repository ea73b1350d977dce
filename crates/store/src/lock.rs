//! A lock on a folder: one process holds it at a time, and it ends with that process.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

/// A lock that is held until it is dropped or its process ends in any way.
///
/// It is the operating system's lock on an open file. A lock file that a killed process left behind locks nothing. The
/// file contains the process number, for messages.
#[derive(Debug)]
pub struct Lock {
    file: File,
    left_by: Option<u32>,
}

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process holds it.
    #[error("{}: {} is using this folder; wait until it is done, or use another folder", path.display(), process(*holder))]
    Held {
        /// The lock file.
        path: PathBuf,
        /// The process that holds it, if the file names it.
        holder: Option<u32>,
    },
    /// The operating system refused the lock.
    #[error("{}: cannot be locked ({cause})", path.display())]
    Refused {
        /// The lock file.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
}

fn process(holder: Option<u32>) -> String {
    holder.map_or("another process".to_owned(), |holder| format!("process {holder}"))
}

impl Lock {
    /// Takes the lock.
    ///
    /// # Errors
    /// [`LockError::Held`] when another process has the lock. This function does not wait for it.
    pub fn take(path: &Path) -> Result<Self, LockError> {
        let refused = |cause| LockError::Refused { path: path.to_owned(), cause };
        let mut file = open(path).map_err(refused)?;
        let before = holder(&mut file);
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held { path: path.to_owned(), holder: before }),
            Err(TryLockError::Error(cause)) => return Err(refused(cause)),
        }
        // If the process number cannot be written (such as on a full disk), messages lack it. The lock holds all the
        // same.
        let _ = name(&mut file, &std::process::id().to_string());
        Ok(Lock { file, left_by: before })
    }

    /// The process that held the lock before and was killed.
    pub fn left_by(&self) -> Option<u32> {
        self.left_by
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The file stays. Removing it could remove a file that a third process has just locked.
        let _ = name(&mut self.file, "");
    }
}

/// The process that holds this lock now. `None`: the lock is free. `Some(None)`: the process number is not known.
pub fn is_locked(path: &Path) -> Option<Option<u32>> {
    let mut file = OpenOptions::new().read(true).open(path).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Some(holder(&mut file)),
        _ => None,
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().and_then(|()| file.read_to_string(&mut text)).ok()?;
    text.trim().parse().ok()
}

fn name(file: &mut File, process: &str) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(process.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_refused_and_told_who_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let lock = Lock::take(&path).unwrap();
        assert_eq!(is_locked(&path), Some(Some(std::process::id())));
        let message = Lock::take(&path).unwrap_err().to_string();
        assert!(message.contains(&format!("process {}", std::process::id())), "{message}");
        drop(lock);
        assert_eq!(is_locked(&path), None);
        assert_eq!(Lock::take(&path).unwrap().left_by(), None);
    }

    #[test]
    fn a_lock_file_without_a_lock_is_taken_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        // What a killed process leaves.
        std::fs::write(&path, "4000000").unwrap();
        assert_eq!(is_locked(&path), None);
        assert_eq!(Lock::take(&path).unwrap().left_by(), Some(4_000_000));
        std::fs::write(&path, [0xff, 0xfe]).unwrap();
        assert_eq!(Lock::take(&path).unwrap().left_by(), None);
    }
}
