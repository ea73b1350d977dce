//! The run: its plan, its cells, the reference rows, and the results that come of it.

mod cell;
mod plan;
mod reference;
mod results;
#[allow(clippy::module_inception)] // The run is what this room is about.
mod run;
mod sheets;

pub use plan::most_adaptations;
pub use run::{Outcome, RunOptions, default_jobs, run};
