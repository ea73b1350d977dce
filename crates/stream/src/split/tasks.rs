//! The tasks of a split, as a stream.

use alluvium_model::{HeadSpec, InputShape};

use crate::{DataSet, SoundClip, StreamError, Task, TaskOutline, TaskStream, ValueType};

/// The tasks of a split. The samples of a task are read from the data set when the task is requested.
#[derive(Debug, Clone)]
pub struct SplitTasks {
    data: DataSet,
    deals: Vec<Deal>,
}

/// A task without its samples.
#[derive(Debug, Clone)]
pub(super) struct Deal {
    pub(super) name: String,
    pub(super) head: HeadSpec,
    /// Indices of training samples, ascending.
    pub(super) train: Vec<usize>,
    /// The labels of these samples in the task; some may be wrong.
    pub(super) train_labels: Vec<usize>,
    /// Indices of test samples, ascending.
    pub(super) test: Vec<usize>,
}

impl SplitTasks {
    /// Creates a stream from the tasks of a data set.
    ///
    /// # Errors
    /// [`StreamError::SameName`] when two classes have one name, [`StreamError::EmptyTask`] when a task has no training or
    /// no test samples.
    pub(super) fn new(data: DataSet, deals: Vec<Deal>) -> Result<Self, StreamError> {
        data.check_names()?;
        for deal in &deals {
            for (part, indices) in [("training", &deal.train), ("test", &deal.test)] {
                if indices.is_empty() {
                    return Err(StreamError::EmptyTask { task: deal.name.clone(), part });
                }
            }
        }
        Ok(SplitTasks { data, deals })
    }
}

impl TaskStream for SplitTasks {
    fn input(&self) -> InputShape {
        self.data.input()
    }

    fn value_type(&self) -> ValueType {
        self.data.value_type()
    }

    fn class_names(&self) -> &[String] {
        &self.data.class_names
    }

    fn tasks(&self) -> usize {
        self.deals.len()
    }

    fn notes(&self) -> Vec<String> {
        self.data.notes()
    }

    fn task(&self, index: usize) -> Result<Task, StreamError> {
        let missing = StreamError::NoSuchTask { index, tasks: self.deals.len() };
        let Deal { name, head, train, train_labels, test } = self.deals.get(index).ok_or(missing)?;
        let task = Task {
            index,
            name: name.clone(),
            head: head.clone(),
            train: self.data.train.read(train)?.relabelled(|index, _| train_labels[index]),
            test: self.data.test.read(test)?,
        };
        task.check()?;
        Ok(task)
    }

    fn sound(&self, task: usize, sample: usize) -> Option<SoundClip> {
        self.data.train.sound(*self.deals.get(task)?.train.get(sample)?)
    }

    fn outline(&self, index: usize) -> Result<TaskOutline, StreamError> {
        let missing = StreamError::NoSuchTask { index, tasks: self.deals.len() };
        let Deal { name, head, test, .. } = self.deals.get(index).ok_or(missing)?;
        let outline = TaskOutline { index, name: name.clone(), head: head.clone(), test: self.data.test.read(test)? };
        outline.check()?;
        Ok(outline)
    }
}
