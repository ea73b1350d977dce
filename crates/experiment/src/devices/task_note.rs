//! A task without its samples.

use alluvium_model::{Digest, HeadSpec};
use alluvium_stream::{StreamError, Task};

/// A task without its samples.
pub(crate) struct TaskNote {
    pub(crate) name: String,
    pub(crate) head: HeadSpec,
    pub(crate) train_samples: usize,
    pub(crate) test_samples: usize,
    /// The digest of the task with its samples.
    pub(crate) digest: Digest,
}

impl TaskNote {
    pub(crate) fn of(task: &Task) -> Result<Self, StreamError> {
        Ok(TaskNote {
            name: task.name.clone(),
            head: task.head.clone(),
            train_samples: task.train.len(),
            test_samples: task.test.len(),
            digest: task.digest()?,
        })
    }
}
