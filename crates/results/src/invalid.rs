//! The contradictions that results can have.

use thiserror::Error;

/// A contradiction in results.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum InvalidResults {
    /// The baseline is not the name of a row.
    #[error("the baseline `{0}` is not the name of a row")]
    UnknownBaseline(String),
    /// Two rows have one name, so a report could not tell them apart.
    #[error("two rows have the name `{0}`")]
    RepeatedRow(String),
    /// A row has two cells with the same seed, so they are not independent.
    #[error("row `{row}` has two cells with seed {seed}")]
    RepeatedSeed {
        /// The row's name.
        row: String,
        /// The seed.
        seed: u64,
    },
    /// A row has a cell with a seed that the comparison does not have.
    #[error("row `{row}` has a cell with seed {seed}, which is not among the seeds of the comparison")]
    UnknownSeed {
        /// The row's name.
        row: String,
        /// The seed.
        seed: u64,
    },
    /// A value is out of its range.
    #[error("row `{row}`, seed {seed}: {field} holds {value}, which is not {range}")]
    OutOfRange {
        /// The row's name.
        row: String,
        /// The cell's seed.
        seed: u64,
        /// The field of the cell.
        field: &'static str,
        /// The value.
        value: f64,
        /// The range.
        range: &'static str,
    },
    /// A list has the wrong length.
    #[error("row `{row}`, seed {seed}: {field} holds {found} values for {expected} {of}")]
    Length {
        /// The row's name.
        row: String,
        /// The cell's seed.
        seed: u64,
        /// The field of the cell.
        field: &'static str,
        /// The number of its values.
        found: usize,
        /// The expected number of values.
        expected: usize,
        /// What the list has one value for: tasks, experts or rounds.
        of: &'static str,
    },
    /// The rounds of a row do not follow one another.
    #[error(
        "row `{row}`, seed {seed}: round {round} with {experts} experts does not follow from the one before it; rounds count \
         from 1 and both numbers go up"
    )]
    RoundOrder {
        /// The row's name.
        row: String,
        /// The cell's seed.
        seed: u64,
        /// The round.
        round: usize,
        /// The stated number of experts that the centre had taken in by then.
        experts: usize,
    },
}
