//! What a device has of its own: the samples of its task.

use alluvium_stream::TaskDataset;

/// The samples of a device, and the task that they belong to.
#[derive(Debug, Clone, Copy)]
pub struct OwnTask<'a> {
    /// The name of the task.
    pub name: &'a str,
    /// The head and the training samples.
    pub dataset: TaskDataset<'a>,
}
