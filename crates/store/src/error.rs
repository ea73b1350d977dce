//! What can go wrong with files, apart from damage.

use std::io;
use std::path::{Path, PathBuf};

/// A file or folder that the operating system does not let us read or write.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be read.
    #[error("{}: cannot be read ({source})", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It cannot be written.
    #[error("{}: cannot be written ({source}){}", path.display(), advice(source))]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// What helps, where that is known.
fn advice(error: &io::Error) -> &'static str {
    match no_room(error) {
        true => {
            "; there is no room: what was written before is whole, and the same command goes on from there when there is"
        }
        false => "",
    }
}

fn no_room(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

impl StoreError {
    /// Whether a disk, or what the user may have of it, is full.
    pub fn is_no_room(&self) -> bool {
        matches!(self, StoreError::Write { source, .. } if no_room(source))
    }

    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| StoreError::Read { path: path.to_owned(), source }
    }

    pub(crate) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| StoreError::Write { path: path.to_owned(), source }
    }
}
