//! Errors of a configuration.

use std::fmt;
use std::path::PathBuf;

/// One problem of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// Line and column in the file, counted from 1, where they are known.
    pub place: Option<(usize, usize)>,
    /// The table, as it is written: `[device]`, `[[strategies]] 2 (pld)`; empty for the top of the file.
    pub table: String,
    /// What is wrong, and what is accepted.
    pub message: String,
}

/// A configuration that cannot be run. Nothing was trained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file.
    pub file: PathBuf,
    /// The problems of the file; at least one.
    pub problems: Vec<ConfigProblem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.problems.iter().enumerate() {
            if number > 0 {
                writeln!(f)?;
            }
            write!(f, "{}", self.file.display())?;
            if let Some((line, column)) = problem.place {
                write!(f, ":{line}:{column}")?;
            }
            write!(f, ": ")?;
            if !problem.table.is_empty() {
                write!(f, "{}: ", problem.table)?;
            }
            write!(f, "{}", problem.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}
