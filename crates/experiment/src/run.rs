//! The run: its plan, its cells, the reference rows, and the results.

mod cell;
mod elsewhere;
mod plan;
mod probes;
mod reference;
mod results;
#[allow(clippy::module_inception)] // The folder is named after its main file.
mod run;
mod sheets;

pub(crate) use cell::Measurements;
pub use plan::most_adaptations;
pub(crate) use plan::plan;
pub(crate) use results::results;
pub use run::{Outcome, RunOptions, default_jobs, run};
