//! Runs an experiment, from a checked configuration to results.
//!
//! [`run`] runs an [`Experiment`](alluvium_config::Experiment). For every seed and every strategy, the devices of the stream
//! adapt one after another. Each expert is consolidated into the centre, and the shared evaluator judges the new central model.
//!
//! - `devices`: what the devices of one seed share.
//! - `centre`: the centre and its consolidations.
//! - `protocol`: what crosses between devices and centre.
//! - `run`: the order of the work, and the results.
//! - `stored`: stages that are stored and found again.
//! - `directory`: the run directory.
//! - `open`: a centre that is driven from outside, without a comparison.
//! - `progress`: what observers are told, and the time left.
//! - `threads`: the threads that work is done in.
//!
//! This crate holds the run. It does not read configurations (`alluvium-config` does), does not know a concrete strategy, stream,
//! backbone, surrogate or backend, does not make tables or charts, and does not print.

mod centre;
mod context;
mod devices;
mod directory;
mod error;
mod memory;
mod open;
mod progress;
mod protocol;
mod run;
mod stored;
mod threads;

pub use directory::{
    DEFAULT_CACHE_BYTES, DirectoryError, DirectoryOptions, RunDirectory, StoredRun, program_in, read_run, usual_folder,
};
pub use directory::{RunState, RunStatus, Underway, VariantStatus};
pub use error::ExperimentError;
pub use open::{
    CentreFiles, DeviceReport, OpenCentre, OpenCentreError, OpenCentreOptions, OpenTask, OpenVisit, ReceivedExpert,
};
pub use progress::{Ending, Observer, Pace, PlannedCell, Stage, TimeLeft, Unobserved, Work};
pub use protocol::Breach;
pub use run::{Outcome, RunOptions, default_jobs, most_adaptations, run};
pub use stored::StageCounts;
pub use threads::one_thread;
