//! Errors of streams.

use std::path::{Path, PathBuf};

/// An error in building or reading a stream. Messages name the file or the option, and what is accepted.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// A file cannot be read.
    #[error("{}: {cause}{hint}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why it cannot be read.
        cause: String,
        /// What would help; may be empty.
        hint: String,
    },
    /// An option does not fit the data.
    #[error("`{option}` {problem}; accepted: {accepted}")]
    Option {
        /// The option's key.
        option: &'static str,
        /// The problem.
        problem: String,
        /// What is accepted.
        accepted: String,
    },
    /// Two classes have the same name.
    #[error("two classes are called \"{name}\", the numbers {first} and {second}; every class needs a name of its own")]
    SameName {
        /// The name.
        name: String,
        /// The number of the first class with this name.
        first: usize,
        /// The number of the second class.
        second: usize,
    },
    /// A task has no samples.
    #[error("the task \"{task}\" has no {part} samples; every task needs some")]
    EmptyTask {
        /// The task's name.
        task: String,
        /// `training` or `test`.
        part: &'static str,
    },
    /// A label is not one of the task's classes.
    #[error(
        "the task \"{task}\" has a {part} sample of class {label}, which its head does not have; accepted: {}",
        classes.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
    )]
    ForeignLabel {
        /// The task's name.
        task: String,
        /// `training` or `test`.
        part: &'static str,
        /// The label: the class's number within the stream.
        label: usize,
        /// The classes of the task's head.
        classes: Vec<usize>,
    },
    /// An error of the stream's own, whose message says what is wrong.
    #[error("{0}")]
    Own(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The stream does not have the task.
    #[error("the stream has {tasks} tasks; there is no task number {index}")]
    NoSuchTask {
        /// The requested number, from 0.
        index: usize,
        /// The number of tasks.
        tasks: usize,
    },
}

impl StreamError {
    /// The error of a file, without a hint.
    pub fn file(path: &Path, cause: impl Into<String>) -> Self {
        StreamError::File { path: path.to_owned(), cause: cause.into(), hint: String::new() }
    }

    /// Adds a hint, such as `; NAME offers it`, which follows the cause. Only the error of a file takes a hint.
    pub fn with_hint(self, what_helps: &str) -> Self {
        match self {
            StreamError::File { path, cause, hint } => StreamError::File { path, cause, hint: hint + what_helps },
            other => other,
        }
    }
}
