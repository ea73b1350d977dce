//! Why a report could not be made.

use std::io;
use std::path::PathBuf;

use alluvium_results::ResultsError;
use thiserror::Error;

/// Why a report could not be made.
#[derive(Debug, Error)]
pub enum ReportError {
    /// A file, or the folder for it, could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The results have no JSON form.
    #[error("cannot make results.json: {0}")]
    Results(#[from] ResultsError),
    /// The summary could not be put together.
    #[error("cannot make summary.csv: {0}")]
    Csv(#[from] ::csv::Error),
}
