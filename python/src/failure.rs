//! Failures of the work, and the exceptions that they become.

use alluvium_config::ConfigError;
use alluvium_experiment::{DirectoryError, ExperimentError, OpenCentreError};
use alluvium_interchange::InterchangeError;
use alluvium_registry::{NotAdded, UnknownKind};
use alluvium_store::StoreError;
use alluvium_stream::StreamError;
use pyo3::prelude::*;

/// Which exception of `alluvium.errors` a failure becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Config,
    File,
    Run,
}

/// Why work failed.
#[derive(Debug)]
pub(crate) struct Failure {
    class: Class,
    message: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl Failure {
    /// A configuration, an option or an argument is wrong.
    pub(crate) fn config(message: impl Into<String>) -> Self {
        Failure { class: Class::Config, message: message.into() }
    }

    /// A file, a checkpoint or a tensor is wrong.
    pub(crate) fn file(message: impl Into<String>) -> Self {
        Failure { class: Class::File, message: message.into() }
    }

    /// The work failed.
    pub(crate) fn run(message: impl Into<String>) -> Self {
        Failure { class: Class::Run, message: message.into() }
    }

    /// The exception. `cause` is an exception of Python code that led to it.
    pub(crate) fn raise(self, py: Python<'_>, cause: Option<PyErr>) -> PyErr {
        let name = match self.class {
            Class::Config => "ConfigError",
            Class::File => "FileError",
            Class::Run => "RunError",
        };
        let made = py.import("alluvium.errors").and_then(|module| module.getattr(name)?.call1((self.message,)));
        let error = made.map_or_else(|error| error, |exception| PyErr::from_value(exception));
        error.set_cause(py, cause);
        error
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Failure::config(error.to_string())
    }
}

impl From<UnknownKind> for Failure {
    fn from(error: UnknownKind) -> Self {
        Failure::config(error.to_string())
    }
}

impl From<NotAdded> for Failure {
    fn from(error: NotAdded) -> Self {
        Failure::config(error.to_string())
    }
}

impl From<StreamError> for Failure {
    fn from(error: StreamError) -> Self {
        match error {
            StreamError::File { .. } => Failure::file(error.to_string()),
            error => Failure::config(error.to_string()),
        }
    }
}

impl From<DirectoryError> for Failure {
    fn from(error: DirectoryError) -> Self {
        let message = as_arguments(&error.to_string());
        match error {
            DirectoryError::Store(_) => Failure::file(message),
            _ => Failure::config(message),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Failure::file(error.to_string())
    }
}

impl From<ExperimentError> for Failure {
    fn from(error: ExperimentError) -> Self {
        match error {
            ExperimentError::Config(_) => Failure::config(error.to_string()),
            error => Failure::run(error.to_string()),
        }
    }
}

impl From<OpenCentreError> for Failure {
    fn from(error: OpenCentreError) -> Self {
        match error {
            OpenCentreError::Directory(error) => error.into(),
            OpenCentreError::Experiment(error) => error.into(),
            OpenCentreError::Configuration { .. }
            | OpenCentreError::UnknownTask { .. }
            | OpenCentreError::NotUnderWay { .. }
            | OpenCentreError::Report { .. } => Failure::config(error.to_string()),
            OpenCentreError::Expert(_) => Failure::file(error.to_string()),
            error => Failure::run(error.to_string()),
        }
    }
}

impl From<InterchangeError> for Failure {
    fn from(error: InterchangeError) -> Self {
        let message = as_arguments(&error.to_string());
        if matches!(error, InterchangeError::Request(_)) {
            return Failure::config(message);
        }
        if error.is_refusal() { Failure::file(message) } else { Failure::run(message) }
    }
}

/// The flags of the command line in a message, as the arguments that people write in Python.
fn as_arguments(message: &str) -> String {
    const FLAGS: [(&str, &str); 10] = [
        ("--cache ", "cache="),
        ("--fresh", "fresh=True"),
        ("--state-dict", "state_dict="),
        ("--initial-only", "initial_only=True"),
        ("--tensorwise", "tensorwise=True"),
        ("--backbone", "backbone="),
        ("--classes", "classes="),
        ("--surrogate", "surrogate="),
        ("--input", "input="),
        ("--names", "names="),
    ];
    FLAGS.iter().fold(message.to_owned(), |message, (flag, argument)| message.replace(flag, argument))
}
