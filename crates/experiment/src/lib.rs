//! From a configuration to results.
//!
//! [`read_all`] reads and checks a TOML file: every key against the plugins' schemas, every strategy's data access
//! against the protocol; lists of values stand for several comparisons, the [`Variant`]s. [`Experiment::run`] runs one:
//! for every seed and every strategy the stream of devices, one after another, each consolidated into the centre and
//! judged by the shared evaluator.
//!
//! This crate holds the configuration, the protocol and the run. It refuses to know a concrete strategy, stream,
//! backbone, surrogate or backend, to write result files, and to print.

mod adapted;
mod assembly;
mod cell;
mod central;
mod centre;
mod config;
mod consolidation;
mod difference;
mod directory;
mod document;
mod error;
mod evaluation;
mod expansion;
mod experiment;
mod heads;
mod journal;
mod measure;
mod observe;
mod pace;
mod part;
mod plan;
mod problems;
mod program;
mod protocol;
mod reference;
mod rules;
mod run;
mod schema;
mod shape;
mod shared;
mod sheets;
mod stages;
mod status;
mod sweep;
mod tables;
mod variant;

pub use config::{Reference, RootTable, StrategyRow};
pub use directory::{DEFAULT_CACHE_BYTES, DirectoryError, DirectoryOptions, RunDirectory, StoredRun, read_run};
pub use error::{ConfigError, ConfigProblem, ExperimentError};
pub use evaluation::Evaluation;
pub use experiment::{Backend, Experiment};
pub use observe::{Ending, Observer, PlannedCell, Stage, Unobserved, Work};
pub use pace::{Left, Pace};
pub use part::{PartSource, read_part};
pub use protocol::{Arrival, Breach, Clauses, Protocol, ProtocolKind};
pub use run::{Outcome, RunOptions};
pub use schema::config_schema;
pub use stages::StageCounts;
pub use status::{RunState, RunStatus, Underway, VariantStatus};
pub use variant::{ConfigSource, Variant, read_all};
