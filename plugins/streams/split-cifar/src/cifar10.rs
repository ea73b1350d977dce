//! The stream `split-cifar-10`.

use std::path::PathBuf;

use alluvium_stream::{
    Scenario, Seed, Shift, Split, SplitSettings, StreamConfig, StreamError, TaskStream, options, plugin,
};

use crate::archive::{Archive, Files};
use crate::labelling::Labelling;

/// CIFAR-10, split over devices: 50 000 training and 10 000 test images in colour, 32×32, in ten classes.
///
/// The files are those of <https://www.cs.toronto.edu/~kriz/cifar.html>, unpacked: the binary version
/// (`cifar-10-batches-bin`) or the Python version (`cifar-10-batches-py`), which is read without executing code. The
/// classes are airplane, automobile, bird, cat, deer, dog, frog, horse, ship and truck.
///
/// Under class shift, each task has its own classes and its own head. Under label skew, all tasks have the same classes
/// and share one head. A Dirichlet distribution (Yurochkin et al., arXiv 1905.12022; `concentration`) then says how the
/// training samples of each class are divided over the devices. The test samples are divided equally.
#[options]
#[derive(PartialEq)]
pub struct SplitCifar10Config {
    /// The folder of the files, or a folder that contains it under its name in the archive.
    #[default("cifar-10-batches-bin".into())]
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
    /// the limit is for each class over all tasks. Absent: all 5 000.
    #[schemars(range(min = 1))]
    pub train_samples_per_class: Option<usize>,
    /// The options that all splits share.
    #[serde(flatten)]
    pub split: SplitSettings,
}

/// The files of both versions.
pub(crate) const ARCHIVE: Archive = Archive {
    name: "CIFAR-10",
    binary: Files {
        folder: "cifar-10-batches-bin",
        train: &["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"],
        test: "test_batch.bin",
        names: "batches.meta.txt",
    },
    python: Files {
        folder: "cifar-10-batches-py",
        train: &["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"],
        test: "test_batch",
        names: "batches.meta",
    },
    labelling: Labelling { classes: 10, label_bytes: 1, label_byte: 0, labels_key: "labels", names_key: "label_names" },
};

#[plugin(
    kind = "split-cifar-10",
    paper = "Krizhevsky, \"Learning multiple layers of features from tiny images\", 2009; split as in Zenke, Poole, \
             Ganguli, \"Continual learning through synaptic intelligence\", ICML 2017"
)]
impl StreamConfig for SplitCifar10Config {
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
        Ok(Box::new(self.shift.tasks(&split, &ARCHIVE.read(&self.directory)?, seed)?))
    }

    fn files(&self) -> Vec<PathBuf> {
        ARCHIVE.paths(&self.directory)
    }
}
