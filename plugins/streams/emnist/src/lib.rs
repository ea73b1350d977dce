//! The `emnist` stream: EMNIST in its original files, split over devices.

mod dataset;
mod files;

use std::path::PathBuf;

use alluvium_stream::registry::{Family, describe};
use alluvium_stream::{Scenario, Seed, Shift, Split, SplitSettings, StreamConfig, StreamError, TaskStream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use dataset::Dataset;

/// EMNIST, split over devices: handwritten letters and digits, 28×28, grey.
///
/// The files are those of the archive `gzip.zip` of <https://www.nist.gov/itl/products-and-services/emnist-dataset>, unpacked.
/// They hold every image turned over its diagonal; it is turned back here. Classes are called by their characters.
///
/// Under class shift, each task has classes and a head of its own. Under label skew, all tasks have the same classes and one
/// head, the training samples of each class are dealt by a Dirichlet distribution over devices (Yurochkin et al., arXiv
/// 1905.12022; `concentration`), and the test samples in equal parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct EmnistConfig {
    /// The folder of the files, such as `emnist-balanced-train-images-idx3-ubyte`, plain or with `.gz`; or one that holds it
    /// as `gzip`.
    pub directory: PathBuf,
    /// Which of the six data sets: `byclass`, 814 255 images in 62 unequal classes; `bymerge`, the same images, with fifteen
    /// letters whose two cases look alike merged, in 47; `balanced`, 131 600 images in those 47, equal; `letters`, 145 600 in 26,
    /// both cases merged; `digits`, 280 000 in ten; `mnist`, 70 000 in ten.
    pub dataset: Dataset,
    /// How many tasks, and so devices.
    #[schemars(range(min = 1, max = 1000))]
    pub tasks: usize,
    /// How many classes each task has; under class shift, `tasks` × `classes_per_task` may be the data set's number of classes
    /// at most.
    #[schemars(range(min = 1, max = 62))]
    pub classes_per_task: usize,
    /// How the tasks differ: by `class`, each with a head of its own, or with `label-skew`, all with the same classes and head,
    /// in how often each class occurs.
    pub shift: Shift,
    /// The classes, each a character, in the order in which they are dealt to tasks; under label skew all tasks have the first
    /// `classes_per_task` of them. A class of both cases is called by its capital. Absent: shuffled by the seed.
    #[schemars(length(min = 1, max = 62))]
    pub class_order: Option<Vec<String>>,
    /// At most so many training samples of each class of a task, drawn by the seed; under label skew, of each class over all
    /// tasks. Absent: all.
    #[schemars(range(min = 1))]
    pub train_samples_per_class: Option<usize>,
    /// What else there is to a split.
    #[serde(flatten)]
    pub split: SplitSettings,
}

impl Default for EmnistConfig {
    fn default() -> Self {
        EmnistConfig {
            directory: "emnist".into(),
            dataset: Dataset::Balanced,
            tasks: 9,
            classes_per_task: 5,
            shift: Shift::Class,
            class_order: None,
            train_samples_per_class: None,
            split: SplitSettings::default(),
        }
    }
}

describe!(
    Family::Stream,
    "emnist",
    EmnistConfig,
    paper: "Cohen, Afshar, Tapson, van Schaik, \"EMNIST: an extension of MNIST to handwritten letters\", arXiv 1702.05373"
);

#[typetag::serde(name = "emnist")]
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
