//! Consolidation strategies and surrogate data.
//!
//! A strategy plugin implements [`StrategyConfig`] on the struct that a `[[strategies]]` table is read into, and
//! [`Strategy`] on the object that runs: previous central model + expert + [`Context`] → new central model. A surrogate
//! plugin does the same with [`SurrogateConfig`] and [`Surrogate`]. The configuration declares which data the strategy
//! needs; the context holds only what was declared *and* granted, so data that were not granted are not reachable.
//!
//! A strategy that can work on models in pieces says so with [`Piecewise`].
//!
//! This crate holds these traits and the code that more than one plugin needs: task vectors, distillation from two teachers,
//! training on a task's samples, the Fisher information, the distance of inputs from running statistics, the selection
//! and the fitting of surrogate data by it, model inversion and, with the features `picture` and `sound`, reading pictures and the
//! shape of spectrograms.
//! With the feature `conformance` it has the tests that every strategy and all surrogate data must pass. It does not hold
//! concrete strategies, the order of a stream, evaluation or files.

mod access;
mod beside;
mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
mod context;
mod cut;
mod distillation;
mod error;
mod feature_statistics;
mod fisher;
mod fitting;
mod inversion;
mod parameters;
#[cfg(feature = "picture")]
mod picture;
mod piece;
mod piecewise;
mod received;
mod run_description;
mod scale;
mod selection;
#[cfg(feature = "sound")]
mod sound;
mod start;
mod strategy;
mod surrogate;
mod surrogate_table;
mod task_vector;
mod training;
mod unknown_task;

pub use access::DataAccess;
pub use alluvium_device::{
    Beside, ClassificationLoss, DeviceStatistic, Reconstruction, StatisticRequest, cross_entropy, mean_squared_error,
};
pub use alluvium_macros::{strategy, strategy_options as options, strategy_plugin as plugin};
pub use alluvium_model::{Expert, Learning, ModelState};
pub use alluvium_registry as registry;
pub use alluvium_stream::{Batch, Samples, Scenario, TaskDataset};
pub use beside::BesideRequest;
pub use config::{StrategyConfig, value_by_value};
pub use context::{Context, Effort};
pub use cut::Cut;
pub use distillation::{
    DistillationBatches, DistillationSettings, StudentStart, Targets, Teachers, centred, first_expert,
};
pub use error::{StrategyError, SurrogateError};
pub use feature_statistics::{RunningStatistics, StatisticsDistance};
pub use fisher::{FisherLabels, fisher};
pub use fitting::Fitting;
pub use inversion::{Inversion, InversionSettings, MatchedModels, Wish, total_variation};
pub use parameters::{is_statistic, parameters};
#[cfg(feature = "picture")]
pub use picture::{
    PictureOrientation, check_picture, decode_picture, fit_picture, interpolated, list_pictures, luminance,
    read_picture,
};
pub use piece::Piece;
pub use piecewise::{Grain, Piecewise, Sight, Survey};
pub use received::{Received, expert_parameters};
pub use run_description::{ExpertStart, ProtocolTerms, RunDescription};
pub use scale::Scale;
pub use selection::Selection;
pub use serde;
#[cfg(feature = "sound")]
pub use sound::spectrograms_only;
pub use start::{average_backbones, take_head};
pub use strategy::{Strategy, StrategyState};
pub use surrogate::{Surrogate, SurrogateConfig, SurrogateRequest, fits_in_memory, pictures_only};
pub use surrogate_table::{SurrogateTable, nested_surrogate};
pub use task_vector::{RelativeTo, TaskVectors, add_scaled, difference};
pub use training::{Lesson, NewHead, TrainingSettings};
pub use typetag;
pub use unknown_task::{UNKNOWN_TASK, with_unknown_task};
