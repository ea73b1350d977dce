//! The tasks of the stream, with the names of their accents, and the test sets that no task has.

use alluvium_stream::{
    FurtherTest, InputShape, SoundClip, SplitTasks, StreamError, Task, TaskOutline, TaskStream, ValueType,
};

/// The tasks of a split.
#[derive(Debug)]
pub struct AccentTasks {
    pub tasks: SplitTasks,
    /// The name of each task, where it is not that of its classes.
    pub names: Option<Vec<String>>,
    pub further: Vec<FurtherTest>,
}

impl AccentTasks {
    fn name(&self, index: usize, of_classes: String) -> String {
        self.names.as_ref().and_then(|names| names.get(index).cloned()).unwrap_or(of_classes)
    }
}

impl TaskStream for AccentTasks {
    fn input(&self) -> InputShape {
        self.tasks.input()
    }

    fn value_type(&self) -> ValueType {
        self.tasks.value_type()
    }

    fn class_names(&self) -> &[String] {
        self.tasks.class_names()
    }

    fn tasks(&self) -> usize {
        self.tasks.tasks()
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = vec!["the speech is synthetic: a synthesiser says the words, not people".to_owned()];
        notes.extend(self.tasks.notes());
        notes
    }

    fn further_tests(&self) -> Result<Vec<FurtherTest>, StreamError> {
        Ok(self.further.clone())
    }

    fn sound(&self, task: usize, sample: usize) -> Option<SoundClip> {
        self.tasks.sound(task, sample)
    }

    fn task(&self, index: usize) -> Result<Task, StreamError> {
        let task = self.tasks.task(index)?;
        Ok(Task { name: self.name(index, task.name), ..task })
    }

    fn outline(&self, index: usize) -> Result<TaskOutline, StreamError> {
        let outline = self.tasks.outline(index)?;
        Ok(TaskOutline { name: self.name(index, outline.name), ..outline })
    }
}
