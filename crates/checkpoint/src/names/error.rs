//! What can be wrong with a table of names, or between a table and a model.

use std::io;
use std::path::PathBuf;

use crate::CheckpointError;
use crate::shown::{listed, shown};

/// A table of names that cannot be used, or does not fit a model.
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
    /// No table of that kind is built in.
    #[error("there is no table of names {}; there are: {}", shown(kind), listed(known.iter().copied()))]
    Unknown {
        /// What was asked for.
        kind: String,
        /// What there is.
        known: Vec<&'static str>,
    },
    /// Tensors of the model that the table does not name.
    #[error(
        "the table of names says nothing of {} tensors: {}; give each a name, or list it under `ignored`",
        names.len(), listed(names.iter().map(String::as_str))
    )]
    Unmapped {
        /// All of them, as the model calls them.
        names: Vec<String>,
    },
    /// The table says two things of one tensor.
    #[error("the table of names says two things of the tensor {}: {} and {}", shown(name), shown(first), shown(second))]
    Ambiguous {
        /// The tensor, as the model calls it.
        name: String,
        /// The one entry of the table.
        first: String,
        /// The other entry.
        second: String,
    },
    /// Two tensors would get the same name.
    #[error("the tensors {} and {} would both be called {}", shown(first), shown(second), shown(ours))]
    Collision {
        /// The one, as the model calls it.
        first: String,
        /// The other.
        second: String,
        /// Our name.
        ours: String,
    },
    /// A tensor is to be transposed and does not have two dimensions.
    #[error("the tensor {} is to be transposed, and has the shape {shape:?}; accepted: two dimensions", shown(name))]
    NoMatrix {
        /// Our name.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// There is no tensor of that name of ours.
    #[error("no tensor of the model is called {} by us", shown(name))]
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
