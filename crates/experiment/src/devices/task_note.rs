//! A task without its samples.

use alluvium_model::{Digest, HeadSpec};
use alluvium_stream::{StreamError, TaskOutline};

/// A task without its samples.
pub(crate) struct TaskNote {
    pub(crate) name: String,
    pub(crate) head: HeadSpec,
    pub(crate) test_samples: usize,
    /// The digest of the task with its test samples.
    pub(crate) digest: Digest,
    /// The index of the device's own entry, where the devices define the tasks.
    pub(crate) entry: usize,
}

impl TaskNote {
    pub(crate) fn of(outline: &TaskOutline, entry: usize) -> Result<Self, StreamError> {
        Ok(TaskNote {
            name: outline.name.clone(),
            head: outline.head.clone(),
            test_samples: outline.test.len(),
            digest: outline.digest()?,
            entry,
        })
    }
}
