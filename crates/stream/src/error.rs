//! What can be wrong with a stream.

use std::path::{Path, PathBuf};

/// A stream that cannot be built. Messages name the file or the option, and what is accepted.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// A file that cannot be read.
    #[error("{}: {cause}{hint}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why it cannot be read.
        cause: String,
        /// What would help, or nothing.
        hint: String,
    },
    /// An option that does not go with the data.
    #[error("`{option}` {problem}; accepted: {accepted}")]
    Option {
        /// The option's key.
        option: &'static str,
        /// What is wrong with it.
        problem: String,
        /// What is accepted.
        accepted: String,
    },
    /// Two classes of one name.
    #[error("two classes are called \"{name}\", the numbers {first} and {second}; every class needs a name of its own")]
    SameName {
        /// The name.
        name: String,
        /// The first of the classes that have it.
        first: usize,
        /// The second.
        second: usize,
    },
    /// A task without samples.
    #[error("the task \"{task}\" has no {part} samples; every task needs some")]
    EmptyTask {
        /// The task's name.
        task: String,
        /// `training` or `test`.
        part: &'static str,
    },
    /// A label that is none of the task's classes.
    #[error(
        "the task \"{task}\" has a {part} sample of class {label}, for which its head has no unit; accepted: {}",
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
    /// A task that the stream does not have.
    #[error("the stream has {tasks} tasks; there is no task number {index}")]
    NoSuchTask {
        /// The number asked for, from 0.
        index: usize,
        /// How many there are.
        tasks: usize,
    },
}

impl StreamError {
    /// A file with what is wrong with it; nothing more would help.
    pub fn file(path: &Path, cause: impl Into<String>) -> Self {
        StreamError::File { path: path.to_owned(), cause: cause.into(), hint: String::new() }
    }

    /// The same error, and what would help, which follows the cause: `; NAME offers it`. Only a file's error has room for it.
    pub fn with_hint(self, what_helps: &str) -> Self {
        match self {
            StreamError::File { path, cause, hint } => StreamError::File { path, cause, hint: hint + what_helps },
            other => other,
        }
    }
}
