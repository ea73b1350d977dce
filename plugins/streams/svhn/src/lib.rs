//! The `svhn` stream: Street View House Numbers in their original files, split over devices.

mod digits;
mod mat;

use std::path::PathBuf;

use alluvium_stream::{
    Scenario, Seed, Shift, Split, SplitSettings, StreamConfig, StreamError, TaskStream, options, plugin,
};

/// SVHN, split over devices: 73 257 training and 26 032 test images of single digits from house numbers, in colour, 32×32.
///
/// The files are `train_32x32.mat` and `test_32x32.mat` of <http://ufldl.stanford.edu/housenumbers/> (format 2, cropped
/// digits). The names of the classes are the digits, `0` to `9`. The images `extra_32x32.mat` are not read.
///
/// Under class shift, each task has its own classes and its own head. Under label skew, all tasks have the same classes
/// and share one head. A Dirichlet distribution (Yurochkin et al., arXiv 1905.12022; `concentration`) then says how the
/// training samples of each class are divided over the devices. The test samples are divided equally.
#[options]
#[derive(PartialEq)]
pub struct SvhnConfig {
    /// The folder of the two files.
    #[default("svhn".into())]
    pub directory: PathBuf,
    /// The number of tasks. Each task is one device.
    #[schemars(range(min = 1, max = 1000))]
    #[default(5)]
    pub tasks: usize,
    /// The number of classes of each task. Under class shift, `tasks` × `classes_per_task` may be 10 at most.
    #[schemars(range(min = 1, max = 10))]
    #[default(2)]
    pub classes_per_task: usize,
    /// How the tasks differ. `class`: each task has its own classes and its own head. `label-skew`: all tasks have the
    /// same classes and one head, and differ in how often each class occurs.
    #[default(Shift::Class)]
    pub shift: Shift,
    /// The names of the classes, in the order in which tasks receive them. Under label skew, all tasks have the first
    /// `classes_per_task` of them. Absent: the seed shuffles the classes.
    #[schemars(length(min = 1, max = 10))]
    pub class_order: Option<Vec<String>>,
    /// The largest number of training samples of each class that a task gets; the seed draws them. Under label skew,
    /// the limit is for each class over all tasks. Absent: all, from 4 659 of the 9 to 13 861 of the 1.
    #[schemars(range(min = 1))]
    pub train_samples_per_class: Option<usize>,
    /// The options that all splits share.
    #[serde(flatten)]
    pub split: SplitSettings,
}

#[plugin(
    kind = "svhn",
    paper = "Netzer et al., \"Reading digits in natural images with unsupervised feature learning\", NIPS workshop on \
             deep learning and unsupervised feature learning, 2011"
)]
impl StreamConfig for SvhnConfig {
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
        Ok(Box::new(self.shift.tasks(&split, &digits::read(&self.directory)?, seed)?))
    }

    fn files(&self) -> Vec<PathBuf> {
        digits::paths(&self.directory)
    }
}
