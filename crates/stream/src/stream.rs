//! The task stream and its tasks.

use std::fmt::Debug;
use std::path::PathBuf;

use alluvium_model::{HeadSpec, InputShape, Seed};
use serde::{Deserialize, Serialize};

use crate::{Samples, StreamError};

/// How the tasks of a stream differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// Each task has classes of its own, and a head of its own.
    ClassShift,
    /// All tasks have the same classes, and one head; their inputs come from different domains.
    DomainShift,
    /// All tasks have the same classes, and one head; how often each class occurs differs.
    LabelSkew,
}

impl std::fmt::Display for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Scenario::ClassShift => "class-shift",
            Scenario::DomainShift => "domain-shift",
            Scenario::LabelSkew => "label-skew",
        })
    }
}

/// What one device learns.
#[derive(Debug, Clone)]
pub struct Task {
    /// Its number in the stream, from 0.
    pub index: usize,
    /// A name for people: the classes, or the domain.
    pub name: String,
    /// The head that answers for it, with its classes. Tasks that name the same head share it.
    pub head: HeadSpec,
    /// The device's private training samples.
    pub train: Samples,
    /// Test samples of the same classes, for the evaluator.
    pub test: Samples,
}

/// The ordered tasks, one a device.
pub trait TaskStream: Debug + Send + Sync {
    /// The shape of one image.
    fn input(&self) -> InputShape;

    /// The name of each class; labels are places in this list.
    fn class_names(&self) -> &[String];

    /// How many tasks there are.
    fn tasks(&self) -> usize;

    /// One task. Streams may read its samples only now.
    ///
    /// # Errors
    /// When there is no such task, it is empty, or its samples cannot be read.
    fn task(&self, index: usize) -> Result<Task, StreamError>;
}

/// The `[stream]` table: which stream, and its options.
#[typetag::serde(tag = "kind")]
pub trait StreamConfig: Debug + Send + Sync {
    /// How the tasks of this stream differ.
    fn scenario(&self) -> Scenario {
        Scenario::ClassShift
    }

    /// Builds the stream. Whatever is random in it (the order of classes, the assignment of domains) follows the seed.
    ///
    /// # Errors
    /// When the data cannot be read or an option does not go with them.
    fn build(&self, seed: Seed) -> Result<Box<dyn TaskStream>, StreamError>;

    /// The files that the data are read from.
    fn files(&self) -> Vec<PathBuf> {
        vec![]
    }

    /// The kinds of streams whose data this stream holds: its own, or those that it is put together from.
    fn kinds(&self) -> Vec<String> {
        vec![self.typetag_name().to_owned()]
    }
}

/// A stream whose tasks are all in memory.
#[derive(Debug, Clone)]
pub struct Tasks {
    /// The shape of one image.
    pub input: InputShape,
    /// The name of each class.
    pub class_names: Vec<String>,
    /// The tasks, in order.
    pub tasks: Vec<Task>,
}

impl Tasks {
    /// The stream of these tasks.
    ///
    /// # Errors
    /// [`StreamError::EmptyTask`] when a task has no training or no test samples.
    pub fn new(input: InputShape, class_names: Vec<String>, tasks: Vec<Task>) -> Result<Self, StreamError> {
        for task in &tasks {
            for (part, samples) in [("training", &task.train), ("test", &task.test)] {
                if samples.is_empty() {
                    return Err(StreamError::EmptyTask { task: task.name.clone(), part });
                }
            }
        }
        Ok(Tasks { input, class_names, tasks })
    }
}

impl TaskStream for Tasks {
    fn input(&self) -> InputShape {
        self.input
    }

    fn class_names(&self) -> &[String] {
        &self.class_names
    }

    fn tasks(&self) -> usize {
        self.tasks.len()
    }

    fn task(&self, index: usize) -> Result<Task, StreamError> {
        let missing = StreamError::NoSuchTask { index, tasks: self.tasks.len() };
        self.tasks.get(index).cloned().ok_or(missing)
    }
}
