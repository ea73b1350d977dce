//! Tables, figures and files from the [`Results`](alluvium_results::Results) of a comparison alone.
//!
//! - [`Table`] is the comparison table, to print with [`to_terminal`](Table::to_terminal) or to paste with
//!   [`to_markdown`](Table::to_markdown); [`render`] gives it in any [`Format`].
//! - [`figures`] draws what goes along the stream, each [`Figure`] with its data.
//! - [`page()`] is everything about one or several runs in one HTML page.
//! - [`result_files`] are the files that every comparison ends in; [`write_page`] and [`tensorboard()`] put the page with
//!   its figures, and TensorBoard's event files into a folder.
//! - [`contact_sheet`] makes a picture of samples, for the pictures that results list.
//!
//! **Invariants.** A report is a function of the results: the same results give the same bytes, so there is
//! no date, host name or random order in one. Nothing depends on burn, nothing is trained or evaluated. Only
//! the module `files` touches the disk. What users named (rows, tasks, runs) is text wherever it ends up, and can
//! neither break a table nor run as a script.

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
pub use files::{result_files, tensorboard, write_page};
pub use format::{Format, render};
pub use page::{ReportedRun, page};
pub use sheet::contact_sheet;
pub use table::Table;
pub use terminal::WIDTH as TERMINAL_WIDTH;
