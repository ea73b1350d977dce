//! Why a report could not be made.

use alluvium_results::{InvalidResults, ResultsError};
use alluvium_store::StoreError;
use thiserror::Error;

/// Why a report could not be made.
#[derive(Debug, Error)]
pub enum ReportError {
    /// A file, or the folder for it, cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The results have no JSON form.
    #[error("cannot make results.json: {0}")]
    Results(#[from] ResultsError),
    /// The results contradict themselves.
    #[error("the results of `{run}` are invalid: {source}")]
    Invalid {
        /// The run.
        run: String,
        /// The contradiction.
        source: InvalidResults,
    },
    /// A table could not be put together as CSV.
    #[error("cannot make a CSV table: {0}")]
    Csv(#[from] ::csv::Error),
    /// The chosen baseline is not the name of a row.
    #[error("`{name}` is not the name of a row; {}", accepted_names(accepted))]
    UnknownBaseline {
        /// The chosen name.
        name: String,
        /// The names of the rows.
        accepted: Vec<String>,
    },
    /// A figure could not be drawn.
    #[error("cannot draw the figure `{figure}`: {reason}")]
    Figure {
        /// The figure's title.
        figure: String,
        /// The error of the chart library.
        reason: String,
    },
    /// The page could not be put together.
    #[error("cannot make the page: {0}")]
    Page(#[from] minijinja::Error),
    /// A sheet of samples cannot be made.
    #[error("cannot make a picture of `{title}`: {reason}")]
    Sheet {
        /// The sheet's title.
        title: String,
        /// What is wrong with it.
        reason: String,
    },
}

fn accepted_names(names: &[String]) -> String {
    match names {
        [] => "there are no rows at all".to_owned(),
        names => format!("the rows are `{}`", names.join("`, `")),
    }
}
