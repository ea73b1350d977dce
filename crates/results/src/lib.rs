//! The measurements of a comparison of consolidation strategies, as plain data, and the arithmetic on them.
//!
//! From the inside out: an [`AccuracyMatrix`] holds the accuracies of one run. A [`Cell`] holds all measurements of one strategy
//! under one seed, and computes its [`Metric`]s; other crates add some with [`AddedMetric`]. A [`Row`] is one strategy over all seeds. [`Results`] is the whole comparison.
//! [`Estimate`] and [`PairedDifference`] are the statistics over seeds.
//!
//! **Invariants.** This crate does not read or write files, and does not depend on burn, so a report can be made on a machine
//! that could not run the experiment. Every number of a report can be computed from the JSON form of [`Results`] alone. A metric
//! that cannot be computed is absent; it is never NaN.
//!
//! ```
//! use alluvium_results::{Accuracy, AccuracyMatrix, Cell, Metric};
//!
//! let aware = AccuracyMatrix::from_rows(vec![vec![0.9], vec![0.7, 0.8]])?;
//! let agnostic = AccuracyMatrix::from_rows(vec![vec![0.9], vec![0.4, 0.6]])?;
//! let cell = Cell::new(1, Accuracy::Stream { task_aware: aware, task_agnostic: agnostic });
//!
//! assert_eq!(cell.metrics()[&Metric::AverageAccuracyTaskAware], 0.75);
//! assert_eq!(cell.metrics()[&Metric::AverageAccuracyTaskAgnostic], 0.5);
//! # Ok::<(), alluvium_results::MatrixError>(())
//! ```

mod added_metric;
mod budgets;
mod cell;
mod check;
#[cfg(feature = "conformance")]
pub mod conformance;
mod control;
mod control_cells;
mod early;
mod further;
mod further_rows;
mod invalid;
mod matrix;
mod mean;
mod merge;
mod metric_catalogue;
mod metrics;
mod results;
mod sheet;
mod statistics;
mod summary;
mod unit;
mod without;

pub use added_metric::AddedMetric;
pub use cell::{Accuracy, Cell, RoundAccuracy};
pub use control_cells::Control;
pub use early::EarlyAccuracy;
pub use further::{FurtherAccuracy, FurtherStep, KNOWN};
pub use invalid::InvalidResults;
pub use inventory::submit;
pub use matrix::{AccuracyMatrix, MatrixError, MatrixRow};
pub use merge::MergeError;
pub use metric_catalogue::Metric;
pub use results::{Clause, FORMAT, PictureLabel, Results, ResultsError, Row, RowRole, SoundLabel, TaskLabel};
pub use sheet::{SampleSheet, SampleSound};
pub use statistics::{Estimate, PairedDifference};
pub use summary::SummaryLine;
pub use unit::Unit;
