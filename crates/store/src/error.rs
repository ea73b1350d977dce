//! What can go wrong with files, apart from damage.

use std::io;
use std::path::{Path, PathBuf};

/// A file or folder that the operating system does not let us read or write.
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

/// What helps, where that is known.
fn advice(error: &io::Error) -> &'static str {
    if no_room(error) {
        "; there is no room: what was written before is whole, and the same command goes on from there when there is"
    } else {
        ""
    }
}

fn no_room(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

impl StoreError {
    /// Whether a disk, or what the user may have of it, is full.
    pub fn is_no_room(&self) -> bool {
        matches!(self, StoreError::Write { cause, .. } if no_room(cause))
    }

    /// The same error for a file that is going to be below `to`, not `from`.
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
