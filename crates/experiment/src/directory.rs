//! The run directory: what is written while a run goes on, and read afterwards.

mod difference;
mod journal;
mod program;
mod run_directory;
mod status;

pub(crate) use program::program_digest;
pub use run_directory::{DEFAULT_CACHE_BYTES, DirectoryError, DirectoryOptions, RunDirectory, StoredRun, read_run};
pub use status::{RunState, RunStatus, Underway, VariantStatus};
