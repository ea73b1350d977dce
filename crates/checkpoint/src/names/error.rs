//! Errors about a table of names, or about a model that it does not fit.

use std::io;
use std::path::PathBuf;

use crate::CheckpointError;
use crate::shown::{listed, shown};

/// Why a table of names cannot be used, or does not fit a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NamesError {
    /// The table cannot be read.
    #[error("{}: cannot be read ({cause})", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// The table itself is wrong.
    #[error("the table of names {reason}")]
    Table {
        /// What is wrong, and what is accepted.
        reason: String,
    },
    /// No built-in table has this kind.
    #[error("there is no table of names {}; accepted: {}", shown(kind), listed(known.iter().copied()))]
    Unknown {
        /// The kind that was requested.
        kind: String,
        /// The existing kinds.
        known: Vec<&'static str>,
    },
    /// The table does not map some tensors of the model.
    #[error(
        "the table of names does not map {} tensors: {}; give each a name, or list it under `ignored`",
        names.len(), listed(names.iter().map(String::as_str))
    )]
    Unmapped {
        /// Their names in the model.
        names: Vec<String>,
    },
    /// Two rules of the table match one tensor.
    #[error("two rules of the table of names match the tensor {}: {} and {}", shown(name), shown(first), shown(second))]
    Ambiguous {
        /// The name of the tensor in the model.
        name: String,
        /// The first rule.
        first: String,
        /// The other rule.
        second: String,
    },
    /// Two tensors would get the same name.
    #[error("the tensors {} and {} would both be called {}", shown(first), shown(second), shown(ours))]
    Collision {
        /// The name of the first tensor in the model.
        first: String,
        /// The name of the other tensor.
        second: String,
        /// Our name.
        ours: String,
    },
    /// A tensor that must be transposed does not have two dimensions.
    #[error("the tensor {} must be transposed, but has the shape {shape:?}; accepted: two dimensions", shown(name))]
    NoMatrix {
        /// Our name.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// The model has no tensor with this name of ours.
    #[error("the table of names maps no tensor of the model to {}", shown(name))]
    Missing {
        /// Our name.
        name: String,
    },
    /// The model's file cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

impl NamesError {
    pub(crate) fn table(reason: impl Into<String>) -> Self {
        NamesError::Table { reason: reason.into() }
    }
}
