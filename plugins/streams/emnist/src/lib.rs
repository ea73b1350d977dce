//! The `emnist` stream: EMNIST in its original files, split over devices.

mod dataset;
mod files;

use std::path::PathBuf;

use alluvium_stream::{
    Scenario, Seed, Shift, Split, SplitSettings, StreamConfig, StreamError, TaskStream, options, plugin,
};

pub use dataset::Dataset;

/// EMNIST, split over devices: handwritten letters and digits, 28×28, grey.
///
/// The files are those of the archive `gzip.zip` of <https://www.nist.gov/itl/products-and-services/emnist-dataset>,
/// unpacked. The files hold transposed images; reading turns them back. The name of a class is its character.
///
/// Under class shift, each task has its own classes and its own head. Under label skew, all tasks have the same classes
/// and share one head. A Dirichlet distribution (Yurochkin et al., arXiv 1905.12022; `concentration`) then says how the
/// training samples of each class are divided over the devices. The test samples are divided equally.
#[options]
#[derive(PartialEq)]
pub struct EmnistConfig {
    /// The folder of the files, such as `emnist-balanced-train-images-idx3-ubyte`, plain or with `.gz`; or a folder
    /// that contains it as `gzip`.
    #[default("emnist".into())]
    pub directory: PathBuf,
    /// The data set, one of six: `byclass`, 814 255 images in 62 unequal classes; `bymerge`, the same images, with
    /// fifteen letters whose two cases look alike merged, in 47; `balanced`, 131 600 images in those 47, equal;
    /// `letters`, 145 600 in 26, both cases merged; `digits`, 280 000 in ten; `mnist`, 70 000 in ten.
    #[default(Dataset::Balanced)]
    pub dataset: Dataset,
    /// The number of tasks. Each task is one device.
    #[schemars(range(min = 1, max = 1000))]
    #[default(9)]
    pub tasks: usize,
    /// The number of classes of each task. Under class shift, `tasks` × `classes_per_task` may be at most the data
    /// set's number of classes.
    #[schemars(range(min = 1, max = 62))]
    #[default(5)]
    pub classes_per_task: usize,
    /// How the tasks differ. `class`: each task has its own classes and its own head. `label-skew`: all tasks have the
    /// same classes and one head, and differ in how often each class occurs.
    #[default(Shift::Class)]
    pub shift: Shift,
    /// The classes, each a character, in the order in which tasks receive them. Under label skew, all tasks have the
    /// first `classes_per_task` of them. The name of a class of both cases is its capital. Absent: the seed shuffles
    /// the classes.
    #[schemars(length(min = 1, max = 62))]
    pub class_order: Option<Vec<String>>,
    /// The largest number of training samples of each class that a task gets; the seed draws them. Under label skew,
    /// the limit is for each class over all tasks. Absent: all.
    #[schemars(range(min = 1))]
    pub train_samples_per_class: Option<usize>,
    /// The options that all splits share.
    #[serde(flatten)]
    pub split: SplitSettings,
}

#[plugin(
    kind = "emnist",
    paper = "Cohen, Afshar, Tapson, van Schaik, \"EMNIST: an extension of MNIST to handwritten letters\", arXiv \
             1702.05373"
)]
impl StreamConfig for EmnistConfig {
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
        Ok(Box::new(self.shift.tasks(&split, &files::read(&self.directory, self.dataset)?, seed)?))
    }

    fn files(&self) -> Vec<PathBuf> {
        files::paths(&self.directory, self.dataset)
    }
}

#[cfg(test)]
mod tests;
