//! Errors about model files. Each message says which file, which tensor, and what is accepted.

use std::io;
use std::path::{Path, PathBuf};

use crate::shown::shown;

/// Why a model file cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The operating system cannot read it.
    #[error("{}: cannot be read ({cause})", file.display())]
    Read {
        /// The file or folder.
        file: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// The operating system cannot write it.
    #[error("{}: cannot be written ({cause})", file.display())]
    Write {
        /// The file that was to be written.
        file: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// The file contradicts itself, or is not an accepted kind of file.
    #[error("{}: {reason}", file.display())]
    File {
        /// The file or folder.
        file: PathBuf,
        /// What is wrong, and what is accepted.
        reason: String,
    },
    /// One of its tensors is not acceptable.
    #[error("{}: the tensor {} {reason}", file.display(), shown(name))]
    Tensor {
        /// The file.
        file: PathBuf,
        /// The tensor's name in the file.
        name: String,
        /// What is wrong, and what is accepted.
        reason: String,
    },
    /// A pickle that has code in place of the weights or of the dict that holds them.
    #[error(
        "{}: this file wants to call {}; nothing was executed. Accepted: what `torch.save` writes for a dict of tensors",
        file.display(), shown(wanted)
    )]
    Code {
        /// The file.
        file: PathBuf,
        /// Module and name, joined by a dot.
        wanted: String,
    },
    /// A tensor holds NaN or an infinity, but finite values were required.
    #[error("{}: the tensor {} holds a value that is not finite ({value} at index {index})", file.display(), shown(name))]
    NotFinite {
        /// The file.
        file: PathBuf,
        /// The tensor's name in the file.
        name: String,
        /// The row-major index of the first such value.
        index: usize,
        /// The value.
        value: f32,
    },
}

/// What messages call a model that is not in a file.
pub(crate) const MEMORY: &str = "(memory)";

/// The file that is being read or written. Every message about it begins with its name.
#[derive(Debug, Clone)]
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new(file: impl Into<PathBuf>) -> Self {
        Place(file.into())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn read(&self, cause: io::Error) -> CheckpointError {
        CheckpointError::Read { file: self.0.clone(), cause }
    }

    pub(crate) fn write(&self, cause: io::Error) -> CheckpointError {
        CheckpointError::Write { file: self.0.clone(), cause }
    }

    pub(crate) fn broken(&self, reason: impl Into<String>) -> CheckpointError {
        CheckpointError::File { file: self.0.clone(), reason: reason.into() }
    }

    pub(crate) fn tensor(&self, name: &str, reason: impl Into<String>) -> CheckpointError {
        CheckpointError::Tensor { file: self.0.clone(), name: name.to_owned(), reason: reason.into() }
    }

    pub(crate) fn not_finite(&self, name: &str, index: usize, value: f32) -> CheckpointError {
        CheckpointError::NotFinite { file: self.0.clone(), name: name.to_owned(), index, value }
    }

    pub(crate) fn code(&self, wanted: impl Into<String>) -> CheckpointError {
        CheckpointError::Code { file: self.0.clone(), wanted: wanted.into() }
    }
}
