//! The `split-tiny-imagenet` stream: Tiny-ImageNet-200 in its original files, its classes split over devices.

mod files;

use std::path::PathBuf;

use alluvium_stream::{
    Scenario, Seed, Shift, Split, SplitSettings, StreamConfig, StreamError, TaskStream, options, plugin,
};

/// Tiny-ImageNet-200, split over devices: 100 000 training and 10 000 test images in colour, 64×64, in 200 classes.
///
/// The files are those of <http://cs231n.stanford.edu/tiny-imagenet-200.zip>, unpacked. The validation images are the
/// test samples, because the images in the folder `test` do not have labels. Pictures are decoded when a task needs
/// them. The name of a class is the first of its words in `words.txt`, such as `goldfish`. If two classes would have
/// the same name, their WordNet numbers are added.
///
/// Under class shift, each task has its own classes and its own head. Under label skew, all tasks have the same classes
/// and share one head. A Dirichlet distribution (Yurochkin et al., arXiv 1905.12022; `concentration`) then says how the
/// training samples of each class are divided over the devices. The test samples are divided equally.
#[options]
#[derive(PartialEq)]
pub struct SplitTinyImagenetConfig {
    /// The folder that holds `wnids.txt`, `words.txt`, `train` and `val`.
    #[default("tiny-imagenet-200".into())]
    pub directory: PathBuf,
    /// The number of tasks. Each task is one device.
    #[schemars(range(min = 1, max = 1000))]
    #[default(10)]
    pub tasks: usize,
    /// The number of classes of each task. Under class shift, `tasks` × `classes_per_task` may be 200 at most.
    #[schemars(range(min = 1, max = 200))]
    #[default(20)]
    pub classes_per_task: usize,
    /// How the tasks differ. `class`: each task has its own classes and its own head. `label-skew`: all tasks have the
    /// same classes and one head, and differ in how often each class occurs.
    #[default(Shift::Class)]
    pub shift: Shift,
    /// The names of the classes, in the order in which tasks receive them. Under label skew, all tasks have the first
    /// `classes_per_task` of them. Absent: the seed shuffles the classes.
    #[schemars(length(min = 1, max = 200))]
    pub class_order: Option<Vec<String>>,
    /// The largest number of training samples of each class that a task gets; the seed draws them. Under label skew,
    /// the limit is for each class over all tasks. Absent: all 500.
    #[schemars(range(min = 1))]
    pub train_samples_per_class: Option<usize>,
    /// The options that all splits share.
    #[serde(flatten)]
    pub split: SplitSettings,
}

#[plugin(
    kind = "split-tiny-imagenet",
    paper = "Le & Yang, \"Tiny ImageNet visual recognition challenge\", 2015; split as in De Lange et al., \"A \
             continual learning survey\", arXiv 1909.08383"
)]
impl StreamConfig for SplitTinyImagenetConfig {
    fn scenario(&self) -> Scenario {
        self.shift.scenario()
    }

    fn build(&self, seed: Seed) -> Result<Box<dyn TaskStream>, StreamError> {
        let split = Split {
            tasks: self.tasks,
            classes_per_task: self.classes_per_task,
            class_order: self.class_order.clone(),
            train_samples_per_class: self.train_samples_per_class,
            settings: self.split.clone(),
        };
        Ok(Box::new(self.shift.tasks(&split, &files::find(&self.directory)?.data(), seed)?))
    }

    fn files(&self) -> Vec<PathBuf> {
        // `build` reports files that cannot be found.
        files::find(&self.directory).map(|found| found.paths()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
