//! Errors of a merge.

use alluvium_checkpoint::{CheckpointError, shown};
use alluvium_strategy::StrategyError;

/// Why models were not merged. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// The strategy needs whole models. The caller may load them and consolidate in memory.
    #[error("the strategy does not work in pieces; it needs the whole models in memory")]
    WholeModels,
    /// No expert was given.
    #[error("there is nothing to merge; accepted: at least one expert")]
    NoExperts,
    /// The strategy's options contradict each other.
    #[error(transparent)]
    Options(StrategyError),
    /// A model's tensor does not match the previous model.
    #[error("{model}: the tensor {} {problem}", shown(tensor))]
    Tensor {
        /// The model's name in the request.
        model: String,
        /// The tensor's name in that model.
        tensor: String,
        /// What is wrong, and what is accepted.
        problem: String,
    },
    /// The description of a model contradicts its file or the other models.
    #[error("{model}: {problem}")]
    Model {
        /// The model's name in the request.
        model: String,
        /// What is wrong, and what is accepted.
        problem: String,
    },
    /// The strategy failed on a tensor.
    #[error("the tensor {} cannot be consolidated: {cause}", shown(tensor))]
    Strategy {
        /// The tensor's name in the previous model.
        tensor: String,
        /// What the strategy said.
        cause: StrategyError,
    },
    /// The strategy computed a NaN, or a value too large for the type that it is written in.
    #[error("the tensor {} would hold a value that is not finite ({value} at index {index})", shown(tensor))]
    NotFinite {
        /// The tensor's name in the previous model.
        tensor: String,
        /// The row-major index of the first such value.
        index: usize,
        /// The value.
        value: f32,
    },
    /// The progress callback asked the merge to stop.
    #[error("stopped; nothing was written")]
    Stopped,
    /// A file cannot be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}
