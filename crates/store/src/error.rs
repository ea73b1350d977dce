//! Errors of the file system. Damaged files are in [`Damage`](crate::Damage).

use std::io;
use std::path::{Path, PathBuf};

/// The operating system refused to read or write a file or folder.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be read.
    #[error("{}: cannot be read ({cause})", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// It cannot be written.
    #[error("{}: cannot be written ({cause}){}", path.display(), advice(cause))]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
}

/// What to do about it, where that is known.
fn advice(error: &io::Error) -> &'static str {
    if no_room(error) {
        "; there is no space left. What was written before is intact: free some space and run the same command to continue"
    } else {
        ""
    }
}

fn no_room(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

impl StoreError {
    /// Whether the disk or the user's quota is full.
    pub fn is_no_room(&self) -> bool {
        matches!(self, StoreError::Write { cause, .. } if no_room(cause))
    }

    /// The same error, with the path below `from` replaced by the one below `to`, where the file was to end up.
    pub(crate) fn within(self, from: &Path, to: &Path) -> Self {
        let moved = |path: PathBuf| path.strip_prefix(from).map(|name| to.join(name)).unwrap_or(path);
        match self {
            StoreError::Read { path, cause } => StoreError::Read { path: moved(path), cause },
            StoreError::Write { path, cause } => StoreError::Write { path: moved(path), cause },
        }
    }

    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |cause| StoreError::Read { path: path.to_owned(), cause }
    }

    pub(crate) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |cause| StoreError::Write { path: path.to_owned(), cause }
    }
}
