//! From a configuration that was read and checked to results.
//!
//! [`run`] runs an [`Experiment`](alluvium_config::Experiment): for every seed and every strategy the stream of devices, one
//! after another, each consolidated into the centre and judged by the shared evaluator. `devices` has what the devices of one
//! seed share, `centre` the centre and its consolidations, `protocol` what crosses between them, `run` the order of the work,
//! `stored` what is found again, `directory` the run directory, and `progress` what is told while it goes on.
//!
//! This crate holds the run. It refuses to read configurations (`alluvium-config` does), to know a concrete strategy, stream,
//! backbone, surrogate or backend, to make tables and charts, and to print.

mod centre;
mod context;
mod devices;
mod directory;
mod error;
mod memory;
mod progress;
mod protocol;
mod run;
mod stored;

pub use directory::{DEFAULT_CACHE_BYTES, DirectoryError, DirectoryOptions, RunDirectory, StoredRun, read_run};
pub use directory::{RunState, RunStatus, Underway, VariantStatus};
pub use error::ExperimentError;
pub use progress::{Ending, Observer, Pace, PlannedCell, Stage, TimeLeft, Unobserved, Work};
pub use protocol::Breach;
pub use run::{Outcome, RunOptions, default_jobs, most_adaptations, run};
pub use stored::StageCounts;
