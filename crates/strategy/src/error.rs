//! What can go wrong while consolidating.

use alluvium_model::ModelError;

use crate::DataAccess;

/// A consolidation that failed. Messages name the option, the tensor or the data that was wanted.
#[derive(Debug, thiserror::Error)]
pub enum StrategyError {
    /// Options that do not go together.
    #[error("`{option}` {problem}; accepted: {accepted}")]
    Option {
        /// The option's key.
        option: &'static str,
        /// What is wrong with it.
        problem: String,
        /// What is accepted.
        accepted: String,
    },
    /// Data that the context does not hold, because the strategy did not declare them or the protocol did not grant them.
    #[error("the strategy asked for {wanted} data, which it did not declare or was not granted")]
    NotGranted {
        /// What was asked for.
        wanted: DataAccess,
    },
    /// The surrogate data cannot be made.
    #[error(transparent)]
    Surrogate(#[from] SurrogateError),
    /// A model cannot be run, or two models do not fit together.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The consolidated weights are no numbers.
    #[error("consolidation diverged ({0}); a smaller `learning_rate` or a `gradient_clip` would help")]
    Diverged(ModelError),
    /// A stored state that this strategy cannot take up.
    #[error("the stored state of the strategy cannot be restored: {0}")]
    State(String),
}

/// Surrogate data that cannot be made. Messages name the file or the option.
#[derive(Debug, thiserror::Error)]
pub enum SurrogateError {
    /// A file that cannot be read as an image.
    #[error("{path}: {cause}; accepted: {accepted}")]
    File {
        /// The file.
        path: String,
        /// Why it cannot be read.
        cause: String,
        /// What is accepted.
        accepted: String,
    },
    /// Options that do not go together.
    #[error("`{option}` {problem}; accepted: {accepted}")]
    Option {
        /// The option's key.
        option: &'static str,
        /// What is wrong with it.
        problem: String,
        /// What is accepted.
        accepted: String,
    },
    /// A model that the surrogate looks at cannot be run.
    #[error(transparent)]
    Model(#[from] ModelError),
}
