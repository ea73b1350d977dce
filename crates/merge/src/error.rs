//! What can be wrong with models that are to be merged.

use alluvium_checkpoint::{CheckpointError, shown};
use alluvium_strategy::StrategyError;

/// Models that were not merged. Nothing was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// The strategy needs whole models: the caller may load them and consolidate.
    #[error("the strategy does not work in pieces; it needs the whole models in memory")]
    WholeModels,
    /// There is no expert.
    #[error("there is nothing to merge; accepted: at least one expert")]
    NoExperts,
    /// The strategy's options do not go together.
    #[error(transparent)]
    Options(StrategyError),
    /// A model's tensor does not go with those of the previous model.
    #[error("{model}: the tensor {} {problem}", shown(tensor))]
    Tensor {
        /// The model's name in the request.
        model: String,
        /// The tensor's name, as that model has it.
        tensor: String,
        /// What is wrong, and what is accepted.
        problem: String,
    },
    /// A model is described in a way that does not go with its file or with the other models.
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
        /// The tensor's name, as the previous model has it.
        tensor: String,
        /// What the strategy said.
        cause: StrategyError,
    },
    /// What the strategy gives is no number, or is too large for the type that it is written in.
    #[error("the tensor {} would hold a value that is not finite ({value} at index {index})", shown(tensor))]
    NotFinite {
        /// The tensor's name, as the previous model has it.
        tensor: String,
        /// The place of the first such value, row-major.
        index: usize,
        /// The value.
        value: f32,
    },
    /// Whoever is told how far it is wants it to stop.
    #[error("stopped; nothing was written")]
    Stopped,
    /// A file cannot be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}
