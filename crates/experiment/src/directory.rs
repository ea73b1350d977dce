//! The run directory: written during a run, and read afterwards.

mod difference;
mod journal;
mod program;
mod run_directory;
mod status;
mod usual;

pub(crate) use program::program_digest;
pub use program::program_in;
pub(crate) use run_directory::RESULTS;
pub use run_directory::{DEFAULT_CACHE_BYTES, DirectoryError, DirectoryOptions, RunDirectory, StoredRun, read_run};
pub use status::{RunState, RunStatus, Underway, VariantStatus};
pub use usual::usual_folder;
