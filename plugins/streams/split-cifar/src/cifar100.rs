//! The stream `split-cifar-100`.

use std::path::PathBuf;

use alluvium_stream::{
    Scenario, Seed, Shift, Split, SplitSettings, StreamConfig, StreamError, TaskStream, options, plugin,
};

use crate::archive::{Archive, Files};
use crate::labelling::Labelling;

/// The label that is an image's class.
#[options]
pub enum Labels {
    /// The fine label: 100 classes.
    Fine,
    /// The coarse label: 20 superclasses of five classes each.
    Coarse,
}

/// CIFAR-100, split over devices: 50 000 training and 10 000 test images in colour, 32×32, in 100 classes.
///
/// The files are those of <https://www.cs.toronto.edu/~kriz/cifar.html>, unpacked: the binary version
/// (`cifar-100-binary`) or the Python version (`cifar-100-python`), which is read without executing code. The names of
/// the classes are those of the files: apple, aquarium_fish, baby, …
///
/// Under class shift, each task has its own classes and its own head. Under label skew, all tasks have the same classes
/// and share one head. A Dirichlet distribution (Yurochkin et al., arXiv 1905.12022; `concentration`) then says how the
/// training samples of each class are divided over the devices. The test samples are divided equally.
#[options]
#[derive(PartialEq)]
pub struct SplitCifar100Config {
    /// The folder of the files, or a folder that contains it under its name in the archive.
    #[default("cifar-100-binary".into())]
    pub directory: PathBuf,
    /// The label that is the class: `fine`, 100 classes, or `coarse`, 20 superclasses.
    #[default(Labels::Fine)]
    pub labels: Labels,
    /// The number of tasks. Each task is one device.
    #[schemars(range(min = 1, max = 1000))]
    #[default(10)]
    pub tasks: usize,
    /// The number of classes of each task. Under class shift, `tasks` × `classes_per_task` may be 100 at most, or 20
    /// with coarse labels.
    #[schemars(range(min = 1, max = 100))]
    #[default(10)]
    pub classes_per_task: usize,
    /// How the tasks differ. `class`: each task has its own classes and its own head. `label-skew`: all tasks have the
    /// same classes and one head, and differ in how often each class occurs.
    #[default(Shift::Class)]
    pub shift: Shift,
    /// The names of the classes, in the order in which tasks receive them. Under label skew, all tasks have the first
    /// `classes_per_task` of them. Absent: the seed shuffles the classes.
    #[schemars(length(min = 1, max = 100))]
    pub class_order: Option<Vec<String>>,
    /// The largest number of training samples of each class that a task gets; the seed draws them. Under label skew,
    /// the limit is for each class over all tasks. Absent: all, 500 of a fine class and 2 500 of a coarse one.
    #[schemars(range(min = 1))]
    pub train_samples_per_class: Option<usize>,
    /// The options that all splits share.
    #[serde(flatten)]
    pub split: SplitSettings,
}

impl Labels {
    /// The files of both versions, with these labels as classes.
    pub(crate) const fn archive(self) -> Archive {
        let (names, labelling) = match self {
            Labels::Fine => (
                "fine_label_names.txt",
                Labelling {
                    classes: 100,
                    label_bytes: 2,
                    label_byte: 1,
                    labels_key: "fine_labels",
                    names_key: "fine_label_names",
                },
            ),
            Labels::Coarse => (
                "coarse_label_names.txt",
                Labelling {
                    classes: 20,
                    label_bytes: 2,
                    label_byte: 0,
                    labels_key: "coarse_labels",
                    names_key: "coarse_label_names",
                },
            ),
        };
        Archive {
            name: "CIFAR-100",
            binary: Files { folder: "cifar-100-binary", train: &["train.bin"], test: "test.bin", names },
            python: Files { folder: "cifar-100-python", train: &["train"], test: "test", names: "meta" },
            labelling,
        }
    }
}

#[plugin(
    kind = "split-cifar-100",
    paper = "Krizhevsky, \"Learning multiple layers of features from tiny images\", 2009; split as in Rebuffi et al., \
             \"iCaRL: incremental classifier and representation learning\", CVPR 2017"
)]
impl StreamConfig for SplitCifar100Config {
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
        Ok(Box::new(self.shift.tasks(&split, &self.labels.archive().read(&self.directory)?, seed)?))
    }

    fn files(&self) -> Vec<PathBuf> {
        self.labels.archive().paths(&self.directory)
    }
}
