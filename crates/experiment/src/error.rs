//! Errors of a run.

use std::path::PathBuf;

use alluvium_backend::BackendError;
use alluvium_config::ConfigError;
use alluvium_device::DeviceError;
use alluvium_interchange::InterchangeError;
use alluvium_model::ModelError;
use alluvium_results::MatrixError;
use alluvium_store::StoreError;
use alluvium_strategy::StrategyError;
use alluvium_stream::StreamError;

use crate::protocol::Breach;

/// A run that failed.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// The configuration cannot be run.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A strategy failed.
    #[error("{row}, seed {seed}, device {device}: {cause}")]
    Strategy {
        /// The row's name.
        row: String,
        /// The seed.
        seed: u64,
        /// The device, from 1.
        device: usize,
        /// Why.
        cause: Box<StrategyError>,
    },
    /// A device failed.
    #[error("{row}, seed {seed}: {cause}")]
    Device {
        /// The row's name.
        row: String,
        /// The seed.
        seed: u64,
        /// Why.
        cause: Box<DeviceError>,
    },
    /// The devices do not fit the stream.
    #[error(transparent)]
    Devices(#[from] DeviceError),
    /// The store cannot hold at one time what a step needs.
    #[error(
        "a stage was computed {times} times, and removed from the store each time before it was used; accepted: a larger limit of the \
         store (`--cache-size`, in Python `cache_bytes`)"
    )]
    StoreTooSmall {
        /// How often it was computed again.
        times: usize,
    },
    /// A device took the model and will never answer.
    #[error("{row}, seed {seed}: the device {device} will never answer")]
    Lost {
        /// The row's name.
        row: String,
        /// The seed.
        seed: u64,
        /// The device, from 1.
        device: usize,
    },
    /// A file that devices or surrogate data depend on cannot be read.
    #[error("{path}: cannot be read ({cause})")]
    InputFile {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        cause: std::io::Error,
    },
    /// The backend cannot be opened.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// A stream cannot give a task.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The file with the first weights of the central model cannot be used, or was changed since the configuration was read.
    #[error(transparent)]
    Initial(#[from] Box<InterchangeError>),
    /// A model cannot be built or run.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A step would have broken the protocol.
    #[error("{row}, seed {seed}: {breach}")]
    Protocol {
        /// The row's name.
        row: String,
        /// The seed.
        seed: u64,
        /// Which clause, and what would have broken it.
        breach: Breach,
    },
    /// The accuracies do not form a matrix.
    #[error(transparent)]
    Matrix(#[from] MatrixError),
    /// The threads for `--jobs` cannot be started.
    #[error("the threads for --jobs cannot be started: {0}")]
    Threads(String),
    /// A stage cannot be stored or read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A measurement cannot be written as JSON.
    #[error("what was measured cannot be stored: {0}")]
    Record(String),
    /// The observer stopped the run. What is done is kept, and the same run goes on from there.
    #[error("the run was stopped; what is done is kept, and the same run goes on from there")]
    Interrupted,
    /// The cell was not finished, because a stage of another cell could not be stored.
    #[error("stopped, because a stage could not be stored")]
    Stopped,
    /// A burn operation or a plugin panicked.
    #[error("{row}, seed {seed}: a computation failed inside the backend or a plugin: {message}")]
    Panicked {
        /// The row's name.
        row: String,
        /// The seed.
        seed: u64,
        /// The panic's message.
        message: String,
    },
}
