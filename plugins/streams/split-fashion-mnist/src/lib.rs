//! The `split-fashion-mnist` stream: Fashion-MNIST, its ten classes split over devices.

mod files;

use std::path::PathBuf;

use alluvium_stream::registry::{Family, describe};
use alluvium_stream::{ClassSplit, Seed, StreamConfig, StreamError, TaskStream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Fashion-MNIST, split by class: 60 000 training and 10 000 test images of clothes, 28×28, grey, in ten classes.
///
/// The classes are T-shirt/top, Trouser, Pullover, Dress, Coat, Sandal, Shirt, Sneaker, Bag and Ankle boot. Debian's
/// package `dataset-fashion-mnist` provides the files; any other data set of up to ten classes in the files and format
/// of MNIST is read as well, under these names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SplitFashionMnistConfig {
    /// The directory of the four files `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte`
    /// and `t10k-labels-idx1-ubyte`, plain or with `.gz`.
    pub directory: PathBuf,
    /// How many tasks, and so devices.
    #[schemars(range(min = 1, max = 10))]
    pub tasks: usize,
    /// How many classes each task has; `tasks` × `classes_per_task` may be 10 at most.
    #[schemars(range(min = 1, max = 10))]
    pub classes_per_task: usize,
    /// The names of the classes in the order in which they are dealt to tasks. Absent: shuffled by the seed.
    #[schemars(length(min = 1, max = 10))]
    pub class_order: Option<Vec<String>>,
    /// At most so many training samples of each class, drawn by the seed. Absent: all 6 000.
    #[schemars(range(min = 1))]
    pub train_samples_per_class: Option<usize>,
}

impl Default for SplitFashionMnistConfig {
    fn default() -> Self {
        SplitFashionMnistConfig {
            directory: "/usr/share/datasets/fashion-mnist".into(),
            tasks: 5,
            classes_per_task: 2,
            class_order: None,
            train_samples_per_class: None,
        }
    }
}

describe!(
    Family::Stream,
    "split-fashion-mnist",
    SplitFashionMnistConfig,
    paper: "Xiao, Rasul, Vollgraf, \"Fashion-MNIST\", arXiv 1708.07747; split as in Zenke, Poole, Ganguli, \"Continual \
            learning through synaptic intelligence\", ICML 2017"
);

#[typetag::serde(name = "split-fashion-mnist")]
impl StreamConfig for SplitFashionMnistConfig {
    fn build(&self, seed: Seed) -> Result<Box<dyn TaskStream>, StreamError> {
        let split = ClassSplit {
            tasks: self.tasks,
            classes_per_task: self.classes_per_task,
            class_order: self.class_order.clone(),
            train_samples_per_class: self.train_samples_per_class,
        };
        Ok(Box::new(split.split(&files::read(&self.directory)?, seed)?))
    }

    fn files(&self) -> Vec<PathBuf> {
        files::paths(&self.directory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[ignore = "needs Debian's package dataset-fashion-mnist"]
    fn the_installed_data_have_their_published_sizes() {
        let stream = SplitFashionMnistConfig::default().build(Seed::new(0)).unwrap();
        assert_eq!((stream.tasks(), stream.input()), (5, [1, 28, 28].into()));
        for index in 0..5 {
            let task = stream.task(index).unwrap();
            assert_eq!((task.train.len(), task.test.len()), (12_000, 2_000));
        }
    }

    #[test]
    fn options_are_checked_against_the_ten_classes() {
        let folder = tempfile::tempdir().unwrap();
        files::tests::write_data(folder.path(), 2);
        let config = SplitFashionMnistConfig { directory: folder.path().to_owned(), ..Default::default() };
        assert_eq!(config.build(Seed::new(0)).unwrap().tasks(), 5);
        assert_eq!(config.files().len(), 4);
        let error = SplitFashionMnistConfig { classes_per_task: 3, ..config.clone() }.build(Seed::new(0)).unwrap_err();
        assert!(error.to_string().contains("15 classes, but the data have 10"), "{error}");
        let order = Some(vec!["Bag".to_owned(), "Hat".to_owned()]);
        let error = SplitFashionMnistConfig { tasks: 1, class_order: order, ..config }.build(Seed::new(0)).unwrap_err();
        assert!(error.to_string().contains("\"Hat\"") && error.to_string().contains("Ankle boot"), "{error}");
    }
}
