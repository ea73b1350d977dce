//! What can be wrong with a foreign model, and how it is said: which file, which tensor in the file's own name, what is
//! accepted.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use alluvium_checkpoint::{CheckpointError, NamesError, shown};
use alluvium_merge::MergeError;
use alluvium_model::ModelError;
use alluvium_strategy::{StrategyError, SurrogateError};
use alluvium_stream::StreamError;

/// A foreign model that cannot be read, consolidated or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InterchangeError {
    /// A file cannot be read or written, or is not what it claims to be.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A table of names does not go with a file.
    #[error("{}: {cause}", file.display())]
    Names {
        /// The file.
        file: PathBuf,
        /// What does not go together.
        cause: NamesError,
    },
    /// A tensor is missing, or is not what the architecture needs.
    #[error("{}: the tensor {} {problem}", file.display(), shown(tensor))]
    Tensor {
        /// The file.
        file: PathBuf,
        /// The tensor's name, as the file has it or would have it.
        tensor: String,
        /// What is wrong, and what is accepted.
        problem: String,
    },
    /// A model contradicts itself, what was said of it, or another model.
    #[error("{}: {problem}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong, and what is accepted.
        problem: String,
    },
    /// Something was asked for that cannot be done.
    #[error("{0}")]
    Request(String),
    /// A strategy failed.
    #[error("{file}: {cause}")]
    Strategy {
        /// The expert that was being consolidated, or the strategy's kind where there was none yet.
        file: String,
        /// Why.
        cause: StrategyError,
    },
    /// Models cannot be consolidated in pieces; the message names the model and the tensor.
    #[error(transparent)]
    Merge(MergeError),
    /// The surrogate data cannot be made.
    #[error(transparent)]
    Surrogate(#[from] SurrogateError),
    /// A model cannot be run.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A stream cannot give a task.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// A burn operation or a plugin panicked.
    #[error("a computation failed inside the backend or a plugin: {0}")]
    Panicked(String),
    /// The work was stopped from outside. Nothing was written.
    #[error("stopped; nothing was written")]
    Stopped,
}

impl InterchangeError {
    /// Whether what was asked for, or a file that was given, is wrong; not so where a right request failed on the way.
    pub fn is_refusal(&self) -> bool {
        match self {
            InterchangeError::Checkpoint(CheckpointError::Write { .. }) => false,
            InterchangeError::Checkpoint(_)
            | InterchangeError::Names { .. }
            | InterchangeError::Tensor { .. }
            | InterchangeError::File { .. }
            | InterchangeError::Request(_)
            | InterchangeError::Surrogate(_)
            | InterchangeError::Stream(_) => true,
            InterchangeError::Merge(error) => matches!(error, MergeError::Tensor { .. } | MergeError::Model { .. }),
            InterchangeError::Strategy { cause, .. } => matches!(cause, StrategyError::Option { .. }),
            InterchangeError::Model(_) | InterchangeError::Panicked(_) | InterchangeError::Stopped => false,
        }
    }

    pub(crate) fn names(file: &Path) -> impl Fn(NamesError) -> Self {
        move |cause| match cause {
            // It names its file already.
            NamesError::Checkpoint(cause) => InterchangeError::Checkpoint(cause),
            cause => InterchangeError::Names { file: file.to_owned(), cause },
        }
    }

    pub(crate) fn tensor(file: &Path, tensor: &str, problem: impl Into<String>) -> Self {
        InterchangeError::Tensor { file: file.to_owned(), tensor: tensor.to_owned(), problem: problem.into() }
    }

    pub(crate) fn file(file: &Path, problem: impl Display) -> Self {
        InterchangeError::File { file: file.to_owned(), problem: problem.to_string() }
    }
}
