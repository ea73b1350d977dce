//! The errors of a consolidation.

use alluvium_model::ModelError;

use crate::DataAccess;

/// A consolidation failed. Messages name the option, the tensor or the requested data.
#[derive(Debug, thiserror::Error)]
pub enum StrategyError {
    /// Options that exclude each other.
    #[error("`{option}` {problem}; accepted: {accepted}")]
    Option {
        /// The option's key.
        option: &'static str,
        /// The problem.
        problem: String,
        /// What is accepted.
        accepted: String,
    },
    /// The strategy does not fit the run.
    #[error("{problem}; accepted: {accepted}")]
    Misfit {
        /// What does not fit, as words that follow the name of the strategy.
        problem: String,
        /// What is accepted.
        accepted: String,
    },
    /// The context does not hold the data: the strategy did not declare them, or the protocol did not grant them.
    #[error("the strategy asked for {wanted} data, which it did not declare or was not granted")]
    NotGranted {
        /// The requested data.
        wanted: DataAccess,
    },
    /// The surrogate data cannot be made.
    #[error(transparent)]
    Surrogate(#[from] SurrogateError),
    /// A model cannot be run, or two models do not fit together.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The consolidated weights are not finite.
    #[error("consolidation diverged ({0}); a smaller `learning_rate` or a `gradient_clip` would help")]
    Diverged(ModelError),
    /// An error of the strategy's own, whose message says what is wrong.
    #[error("{0}")]
    Own(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// This strategy cannot restore the stored state.
    #[error("the stored state of the strategy cannot be restored: {0}")]
    State(String),
}

/// Surrogate data cannot be made. Messages name the file or the option.
#[derive(Debug, thiserror::Error)]
pub enum SurrogateError {
    /// A file cannot be read.
    #[error("{path}: {cause}; accepted: {accepted}")]
    File {
        /// The file.
        path: String,
        /// Why it cannot be read.
        cause: String,
        /// What is accepted.
        accepted: String,
    },
    /// Options that exclude each other.
    #[error("`{option}` {problem}; accepted: {accepted}")]
    Option {
        /// The option's key.
        option: &'static str,
        /// The problem.
        problem: String,
        /// What is accepted.
        accepted: String,
    },
    /// The surrogate data do not fit the run.
    #[error("{problem}; accepted: {accepted}")]
    Misfit {
        /// What does not fit, as words that follow the name of the surrogate data.
        problem: String,
        /// What is accepted.
        accepted: String,
    },
    /// A model that the surrogate data depend on cannot be run.
    #[error(transparent)]
    Model(#[from] ModelError),
}

#[cfg(feature = "sound")]
impl From<alluvium_sound::SoundError> for SurrogateError {
    fn from(error: alluvium_sound::SoundError) -> Self {
        use alluvium_sound::SoundError;
        let problem = error.to_string();
        match error {
            SoundError::File { path, cause } => SurrogateError::File {
                path: path.display().to_string(),
                cause,
                accepted: "a WAV or FLAC file".to_owned(),
            },
            SoundError::Option { option, problem, accepted } => SurrogateError::Option { option, problem, accepted },
            SoundError::Rate { .. } | SoundError::Resampling { .. } => SurrogateError::Option {
                option: "rate",
                problem: format!("does not fit: {problem}"),
                accepted: "the rate of the stream".to_owned(),
            },
        }
    }
}
