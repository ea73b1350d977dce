//! How results contradict themselves.

use thiserror::Error;

/// How results contradict themselves.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum InvalidResults {
    /// The baseline is the name of no row.
    #[error("the baseline `{0}` is not the name of a row")]
    UnknownBaseline(String),
    /// Two rows have one name, so a report could not tell them apart.
    #[error("two rows have the name `{0}`")]
    RepeatedRow(String),
    /// A row has two cells of one seed, so its seeds are not independent.
    #[error("row `{row}` has two cells with seed {seed}")]
    RepeatedSeed {
        /// The row's name.
        row: String,
        /// The seed.
        seed: u64,
    },
    /// A row has a cell of a seed that the comparison does not have.
    #[error("row `{row}` has a cell with seed {seed}, which is not among the seeds of the comparison")]
    UnknownSeed {
        /// The row's name.
        row: String,
        /// The seed.
        seed: u64,
    },
    /// A value lies outside what it can be.
    #[error("row `{row}`, seed {seed}: {field} holds {value}, which is not {range}")]
    OutOfRange {
        /// The row's name.
        row: String,
        /// The cell's seed.
        seed: u64,
        /// Which of the cell's fields.
        field: &'static str,
        /// The value.
        value: f64,
        /// What it should be.
        range: &'static str,
    },
    /// A list has another length than what it goes along.
    #[error("row `{row}`, seed {seed}: {field} holds {found} values for {expected} {of}")]
    Length {
        /// The row's name.
        row: String,
        /// The cell's seed.
        seed: u64,
        /// Which of the cell's fields.
        field: &'static str,
        /// How many values it holds.
        found: usize,
        /// How many it should hold.
        expected: usize,
        /// What it has a value for each of: tasks, experts or rounds.
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
        /// How many experts the centre is said to have taken in by then.
        experts: usize,
    },
}
