//! Tables and files from the [`Results`](alluvium_results::Results) of a comparison alone.
//!
//! [`write()`] puts `summary.csv`, `results.json` and `table.md` into a folder; [`Table`] is the comparison
//! table, to print with [`to_terminal`](Table::to_terminal) or to paste with
//! [`to_markdown`](Table::to_markdown).
//!
//! **Invariants.** A report is a function of the results: the same results give the same bytes, so there is
//! no date, host name or random order in one. Nothing depends on burn, nothing is trained or evaluated. Only
//! the module `files` touches the disk.

mod column;
mod csv;
mod error;
#[cfg(test)]
mod example;
mod files;
mod markdown;
mod number;
mod table;
mod terminal;

pub use csv::summary_csv;
pub use error::ReportError;
pub use files::write;
pub use table::Table;
pub use terminal::WIDTH as TERMINAL_WIDTH;
