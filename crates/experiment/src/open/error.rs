//! Why an open centre cannot do what it was asked to.

use alluvium_device::DeviceError;
use alluvium_store::{Damage, StoreError};

use crate::ExperimentError;
use crate::directory::DirectoryError;

/// An open centre that cannot do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum OpenCentreError {
    /// The configuration does not describe one centre.
    #[error("an open centre {problem}; accepted: {accepted}")]
    Configuration {
        /// What is wrong.
        problem: String,
        /// What is accepted.
        accepted: &'static str,
    },
    /// The request fits no task of the stream.
    #[error("no task of the stream has the name \"{task}\" and the head of the request; the stream's tasks: {tasks}")]
    UnknownTask {
        /// The requested task.
        task: String,
        /// The tasks of the stream.
        tasks: String,
    },
    /// The visit is not under way.
    #[error("the visit {visit} is not under way; under way: {under_way}")]
    NotUnderWay {
        /// The visit.
        visit: usize,
        /// The visits that are.
        under_way: String,
    },
    /// The device reports an accuracy that cannot be one.
    #[error("the device of the visit {visit} reports the accuracy {accuracy}; accepted: a number from 0 to 1")]
    Report {
        /// The visit.
        visit: usize,
        /// What the device reports.
        accuracy: f64,
    },
    /// The expert contradicts what its device announced or took.
    #[error(transparent)]
    Expert(#[from] DeviceError),
    /// The run directory cannot be used.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// A file of the run directory was damaged.
    #[error("{0}; accepted: the file as it was, or a new run directory")]
    Damaged(Damage),
    /// The list of visits and this program disagree.
    #[error(
        "the run directory holds a visit that this program would not repeat: {problem}; accepted: the program and the data \
         that began the run, or a new run directory"
    )]
    Diverged {
        /// The contradiction.
        problem: String,
    },
    /// The file system refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stage failed, or the protocol does not permit the contact.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
}
