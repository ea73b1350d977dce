//! The errors of models.

use crate::InputShape;

/// A model cannot be built, read or combined. Every message names the tensor or the head.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// A tensor that the model needs is not in the weights.
    #[error("the weights lack the tensor `{name}`, which the model needs with shape {expected:?}")]
    Missing {
        /// The tensor's name.
        name: String,
        /// The shape that the model needs.
        expected: Vec<usize>,
    },
    /// A tensor has another shape than the model needs.
    #[error("the tensor `{name}` has shape {found:?}, but {expected:?} is needed")]
    Shape {
        /// The tensor's name.
        name: String,
        /// The shape in the weights.
        found: Vec<usize>,
        /// The shape that is needed.
        expected: Vec<usize>,
    },
    /// The weights hold a tensor that the model does not have.
    #[error("the model has no tensor `{name}`, which the weights hold")]
    Unknown {
        /// The tensor's name.
        name: String,
    },
    /// A tensor holds NaN or an infinity.
    #[error("the tensor `{name}` holds a value that is not finite ({value})")]
    NotFinite {
        /// The tensor's name.
        name: String,
        /// The offending value, as text.
        value: String,
    },
    /// A tensor has 64 bits, but models are trained and run in 32.
    #[error(
        "the tensor `{name}` has values of 64 bits, and models are trained and run in 32; accepted: F32, F16, BF16"
    )]
    Wide {
        /// The tensor's name.
        name: String,
    },
    /// Two models to be combined do not have the same backbone.
    #[error("the models cannot be combined: {reason}")]
    Incompatible {
        /// What differs.
        reason: String,
    },
    /// An expert that was sent as a difference contradicts itself or its parent.
    #[error("the difference to the parent cannot be used: {reason}")]
    Difference {
        /// The problem, with the tensor and what is accepted.
        reason: String,
    },
    /// A backbone cannot work with its options or inputs.
    #[error("the backbone \"{kind}\" cannot be built: {reason}")]
    Backbone {
        /// The backbone's kind.
        kind: String,
        /// Why not, and what is accepted.
        reason: String,
    },
    /// A backbone takes inputs of other shapes.
    #[error("the backbone \"{kind}\" takes {takes}, but the inputs are {}", given.described())]
    Input {
        /// The backbone's kind.
        kind: String,
        /// The inputs that it takes, in words.
        takes: String,
        /// The inputs.
        given: Box<InputShape>,
    },
    /// A classifier cannot work with its options or its head.
    #[error("the classifier \"{kind}\" cannot be built: {reason}")]
    Classifier {
        /// The classifier's kind.
        kind: String,
        /// Why not, and what is accepted.
        reason: String,
    },
    /// Code of a plugin failed with an error of its own.
    #[error("{reason}")]
    Own {
        /// The problem.
        reason: String,
    },
    /// Bytes that are not a stored model.
    #[error("not a stored model: {reason}")]
    Format {
        /// The problem.
        reason: String,
    },
}

impl ModelError {
    /// The same error with the full name of the tensor: `prefix`, a dot, and the name so far.
    pub fn below(self, prefix: &str) -> Self {
        let full = |name: String| format!("{prefix}.{name}");
        match self {
            ModelError::Missing { name, expected } => ModelError::Missing { name: full(name), expected },
            ModelError::Shape { name, found, expected } => ModelError::Shape { name: full(name), found, expected },
            ModelError::Unknown { name } => ModelError::Unknown { name: full(name) },
            ModelError::Wide { name } => ModelError::Wide { name: full(name) },
            other => other,
        }
    }
}
