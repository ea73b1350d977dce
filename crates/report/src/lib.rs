//! Tables, figures and files, made only from the [`Results`](alluvium_results::Results) of a comparison.
//!
//! - [`Table`] is the comparison table, to print with [`to_terminal`](Table::to_terminal) or to paste with
//!   [`to_markdown`](Table::to_markdown); [`render`] gives it in any [`Format`].
//! - [`figures`] draws curves and matrices along the stream, each [`Figure`] with its data.
//! - [`page()`] shows everything about one or several runs in one HTML page.
//! - [`result_files`] are the files that every comparison writes. [`write_page`] and [`tensorboard()`] write the page with its
//!   figures, and TensorBoard's event files, into a folder.
//! - [`contact_sheet`] makes a picture of samples; [`sample_files`] are all pictures and sounds that results list.
//!
//! **Invariants.** A report is a function of the results: the same results give the same bytes, without date, host name or random
//! order. This crate does not depend on burn, and does not train or evaluate. Only the module `files` accesses the disk. Names
//! that users chose (rows, tasks, runs) are always text. They cannot break a table or run as a script.

mod allowed;
mod baseline;
mod column;
mod csv;
mod error;
#[cfg(test)]
mod example;
mod figure;
mod files;
mod format;
mod label;
mod latex;
mod markdown;
mod number;
mod page;
mod sheet;
mod table;
mod tensorboard;
mod terminal;

pub use csv::summary_csv;
pub use error::ReportError;
pub use figure::{Figure, figures};
pub use files::{result_files, sample_files, tensorboard, write_page};
pub use format::{Format, render};
pub use page::{ReportedRun, page};
pub use sheet::contact_sheet;
pub use table::Table;
pub use terminal::WIDTH as TERMINAL_WIDTH;
