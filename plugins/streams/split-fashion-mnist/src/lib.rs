//! The `split-fashion-mnist` stream: Fashion-MNIST, its ten classes split over devices.

mod files;

use std::path::PathBuf;

use alluvium_stream::{
    Scenario, Seed, Shift, Split, SplitSettings, StreamConfig, StreamError, TaskStream, options, plugin,
};

/// Fashion-MNIST, split over devices: 60 000 training and 10 000 test images of clothes, 28×28, grey, in ten classes.
///
/// The classes are T-shirt/top, Trouser, Pullover, Dress, Coat, Sandal, Shirt, Sneaker, Bag and Ankle boot. Debian's
/// package `dataset-fashion-mnist` provides the files; any other data set of up to ten classes with the files and the
/// format of MNIST can be read as well. Its classes get these names.
///
/// Under class shift, each task has its own classes and its own head. Under label skew, all tasks have the same classes
/// and share one head. A Dirichlet distribution (Yurochkin et al., arXiv 1905.12022; `concentration`) then says how the
/// training samples of each class are divided over the devices. The test samples are divided equally.
#[options]
#[derive(PartialEq)]
pub struct SplitFashionMnistConfig {
    /// The directory of the four files `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte`
    /// and `t10k-labels-idx1-ubyte`, plain or with `.gz`.
    #[default("/usr/share/datasets/fashion-mnist".into())]
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
    /// the limit is for each class over all tasks. Absent: all 6 000.
    #[schemars(range(min = 1))]
    pub train_samples_per_class: Option<usize>,
    /// The options that all splits share.
    #[serde(flatten)]
    pub split: SplitSettings,
}

#[plugin(
    kind = "split-fashion-mnist",
    paper = "Xiao, Rasul, Vollgraf, \"Fashion-MNIST\", arXiv 1708.07747; split as in Zenke, Poole, Ganguli, \
             \"Continual learning through synaptic intelligence\", ICML 2017"
)]
impl StreamConfig for SplitFashionMnistConfig {
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
        let data = files::read(&self.directory)?;
        Ok(Box::new(self.shift.tasks(&split, &data, seed)?))
    }

    fn files(&self) -> Vec<PathBuf> {
        files::paths(&self.directory)
    }
}

#[cfg(test)]
mod tests {
    use alluvium_model::Digest;
    use alluvium_stream::Task;

    use super::*;

    /// The digest of all that a stream's tasks hold.
    fn digest(config: &SplitFashionMnistConfig, seed: u64) -> String {
        let stream = config.build(Seed::new(seed)).unwrap();
        let tasks: Vec<_> = (0..stream.tasks()).map(|index| stream.task(index).unwrap()).collect();
        Digest::of_parts(tasks.iter().flat_map(Task::bytes).map(Result::unwrap)).as_str()[..16].to_owned()
    }

    /// The digests are those of the splits before other options existed.
    #[test]
    fn streams_of_the_first_options_have_not_changed() {
        let folder = tempfile::tempdir().unwrap();
        files::tests::write_data(folder.path(), 20);
        let default = || SplitFashionMnistConfig { directory: folder.path().to_owned(), ..Default::default() };
        let order = Some(["Bag", "Coat", "Shirt"].map(str::to_owned).to_vec());
        let cases = [
            (default(), 0, "da789e99c309c0e1"),
            (SplitFashionMnistConfig { train_samples_per_class: Some(7), ..default() }, 5, "4be86512b5808fbd"),
            (
                SplitFashionMnistConfig { tasks: 3, classes_per_task: 1, class_order: order, ..default() },
                1,
                "2b5dcbdc37d4351d",
            ),
        ];
        let found: Vec<_> = cases.iter().map(|(config, seed, _)| digest(config, *seed)).collect();
        assert_eq!(found, cases.each_ref().map(|(_, _, expected)| *expected));
    }

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
    fn label_skew_deals_the_same_classes_to_more_devices_than_there_are_classes() {
        let folder = tempfile::tempdir().unwrap();
        files::tests::write_data(folder.path(), 20);
        let mut config = SplitFashionMnistConfig {
            directory: folder.path().to_owned(),
            tasks: 15,
            classes_per_task: 3,
            shift: Shift::LabelSkew,
            ..Default::default()
        };
        config.split.concentration = Some(0.2);
        let stream = config.build(Seed::new(0)).unwrap();
        let tasks: Vec<_> = (0..stream.tasks()).map(|index| stream.task(index).unwrap()).collect();
        assert_eq!((tasks.len(), config.scenario()), (15, Scenario::LabelSkew));
        assert_eq!(tasks.iter().map(|task| task.train.len()).sum::<usize>(), 60);
        assert!(tasks.iter().all(|task| task.test.len() == 4 && task.head == tasks[0].head));
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
