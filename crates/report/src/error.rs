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
        /// The run that they are of.
        run: String,
        /// How they contradict themselves.
        source: InvalidResults,
    },
    /// A table could not be put together as CSV.
    #[error("cannot make a CSV table: {0}")]
    Csv(#[from] ::csv::Error),
    /// The baseline that was asked for is the name of no row.
    #[error("there is no row `{name}` to compare with; {}", accepted_names(accepted))]
    UnknownBaseline {
        /// The name that was asked for.
        name: String,
        /// The names of the rows that there are.
        accepted: Vec<String>,
    },
    /// A figure could not be drawn.
    #[error("cannot draw the figure `{figure}`: {reason}")]
    Figure {
        /// The figure's title.
        figure: String,
        /// What the chart library said.
        reason: String,
    },
    /// The page could not be put together.
    #[error("cannot make the page: {0}")]
    Page(#[from] minijinja::Error),
    /// What was to be a sheet of samples is none.
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
