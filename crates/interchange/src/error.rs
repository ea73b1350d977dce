//! Errors about foreign models. Each message says which file, which tensor (by its name in the file), and what is
//! accepted.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use alluvium_checkpoint::{CheckpointError, NamesError, shown};
use alluvium_merge::MergeError;
use alluvium_model::ModelError;
use alluvium_strategy::{StrategyError, SurrogateError};
use alluvium_stream::StreamError;

/// Why a foreign model cannot be read, consolidated or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InterchangeError {
    /// A file cannot be read or written, or is not what it claims to be.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A table of names does not match a file.
    #[error("{}: {cause}", file.display())]
    Names {
        /// The file.
        file: PathBuf,
        /// What does not match.
        cause: NamesError,
    },
    /// A tensor is missing, or is not what the architecture needs.
    #[error("{}: the tensor {} {problem}", file.display(), shown(tensor))]
    Tensor {
        /// The file.
        file: PathBuf,
        /// The tensor's name, as it is or would be in the file.
        tensor: String,
        /// What is wrong, and what is accepted.
        problem: String,
    },
    /// A model contradicts itself, its description or another model.
    #[error("{}: {problem}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong, and what is accepted.
        problem: String,
    },
    /// The request cannot be carried out.
    #[error("{0}")]
    Request(String),
    /// A strategy failed.
    #[error("{file}: {cause}")]
    Strategy {
        /// The expert that was being consolidated, or the strategy's kind before the first one.
        file: String,
        /// The error of the strategy.
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
    /// Whether the request or one of its files is wrong. `false` when a valid request failed while it was carried out.
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
            InterchangeError::Strategy { cause, .. } => {
                matches!(cause, StrategyError::Option { .. } | StrategyError::Misfit { .. })
            }
            InterchangeError::Model(_) | InterchangeError::Panicked(_) | InterchangeError::Stopped => false,
        }
    }

    pub(crate) fn names(file: &Path) -> impl Fn(NamesError) -> Self {
        move |cause| match cause {
            // This error already names its file.
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
