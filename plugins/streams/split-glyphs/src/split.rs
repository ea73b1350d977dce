//! The stream `split-glyphs`, and the split of glyphs over devices, however they are drawn.

use alluvium_stream::{
    Scenario, Seed, Split, SplitSettings, SplitTasks, StreamConfig, StreamError, TaskStream, options, plugin,
};

use crate::domain;
use crate::glyphs::{FontImages, Glyphs, SampleSet};

/// How the tasks differ.
#[options]
pub enum Shift {
    /// Each device has its own classes.
    Class,
    /// All devices have the same classes, each in its own font families.
    Domain,
    /// Each device has its own classes, in its own font families.
    ClassAndDomain,
    /// All devices have the same classes, but differ in how often each occurs.
    LabelSkew,
}

/// Split Glyphs: A–Z, a–z and 0–9 from hundreds of permissively licensed fonts, 28×28, grey, in 62 classes.
///
/// It is built into the binary and does not need files. Under class shift, each task has its own classes, and is tested
/// on fonts of families that no device trained on. Under domain shift, all tasks have the same classes, and each task
/// has its own font families. The last font of every family of two or more is for testing; a family of one font is
/// added to another family. Both shifts can be combined. Under label skew, all tasks have the same classes and share
/// one head. A Dirichlet distribution (Yurochkin et al., arXiv 1905.12022; `concentration`) then says how the training
/// samples of each class are divided over the devices. The test samples come from families that no device trained on,
/// and are divided equally. The fonts, their origins and their licences are listed in
/// `plugins/streams/split-glyphs/data/fonts.csv`.
#[options]
#[derive(PartialEq)]
pub struct SplitGlyphsConfig {
    /// The number of tasks. Each task is one device.
    #[schemars(range(min = 1, max = 1000))]
    #[default(10)]
    pub tasks: usize,
    /// The number of classes of each task. If tasks have their own classes, `tasks` × `classes_per_task` may be 62 at
    /// most.
    #[schemars(range(min = 1, max = 62))]
    #[default(6)]
    pub classes_per_task: usize,
    /// How the tasks differ. `class`: each task has its own classes and its own head. `domain`: all tasks have the same
    /// classes and one head, and each has its own font families. `class-and-domain`: both, with a head for each task.
    /// `label-skew`: all tasks have the same classes and one head, and differ in how often each class occurs.
    #[default(Shift::Class)]
    pub shift: Shift,
    /// The classes, each a character, in the order in which tasks receive them. Under domain shift and label skew, all
    /// tasks have the first `classes_per_task` of them. Absent: the seed shuffles the classes.
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

#[plugin(kind = "split-glyphs")]
impl StreamConfig for SplitGlyphsConfig {
    fn scenario(&self) -> Scenario {
        match self.shift {
            Shift::Class | Shift::ClassAndDomain => Scenario::ClassShift,
            Shift::Domain => Scenario::DomainShift,
            Shift::LabelSkew => Scenario::LabelSkew,
        }
    }

    fn build(&self, seed: Seed) -> Result<Box<dyn TaskStream>, StreamError> {
        Ok(Box::new(self.tasks(&Glyphs::embedded()?, seed)?))
    }
}

impl SplitGlyphsConfig {
    /// The tasks of a stream with these options, of images of the fonts.
    ///
    /// # Errors
    /// As those of the split of each shift.
    pub fn tasks(&self, images: &impl FontImages, seed: Seed) -> Result<SplitTasks, StreamError> {
        let by_part = || images.data(|font| images.fonts()[font].split == SampleSet::Test).0;
        let split = self.split();
        match self.shift {
            Shift::Class => split.by_class(&by_part(), seed),
            Shift::LabelSkew => split.by_label(&by_part(), seed),
            Shift::Domain => domain::split(images, |data, domains| split.by_domain(data, domains, seed)),
            Shift::ClassAndDomain => {
                domain::split(images, |data, domains| split.by_class_and_domain(data, domains, seed))
            }
        }
    }

    /// Converts these options to those of a split.
    fn split(&self) -> Split {
        Split {
            tasks: self.tasks,
            classes_per_task: self.classes_per_task,
            class_order: self.class_order.clone(),
            train_samples_per_class: self.train_samples_per_class,
            settings: self.split.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use alluvium_model::Digest;
    use alluvium_stream::Task;

    use super::*;

    fn tasks(config: &SplitGlyphsConfig, seed: u64) -> Vec<Task> {
        let stream = config.build(Seed::new(seed)).unwrap();
        (0..stream.tasks()).map(|index| stream.task(index).unwrap()).collect()
    }

    fn images(task: &Task) -> Vec<&[u8]> {
        (0..task.train.len()).map(|index| task.train.image(index)).collect()
    }

    #[test]
    fn ten_tasks_of_six_have_sixty_classes() {
        let glyphs = Glyphs::embedded().unwrap();
        let tests = glyphs.fonts.iter().filter(|font| font.split == SampleSet::Test).count();
        let tasks = tasks(&SplitGlyphsConfig::default(), 0);
        assert_eq!(tasks.len(), 10);
        let classes: BTreeSet<_> = tasks.iter().flat_map(|task| &task.head.classes).collect();
        assert_eq!(classes.len(), 60);
        for task in &tasks {
            assert_eq!((task.test.len(), task.train.len()), (6 * tests, 6 * (glyphs.fonts.len() - tests)));
        }
    }

    #[test]
    fn the_seed_decides_the_order_of_classes() {
        let config = SplitGlyphsConfig { train_samples_per_class: Some(3), ..Default::default() };
        let (first, second) = (tasks(&config, 1), tasks(&config, 1));
        for (one, other) in first.iter().zip(&second) {
            assert_eq!(one.head, other.head);
            assert_eq!(images(one), images(other));
            assert_eq!(one.train.len(), 18);
        }
        let heads = |tasks: Vec<Task>| tasks.into_iter().map(|task| task.head).collect::<Vec<_>>();
        assert_ne!(heads(tasks(&config, 2)), heads(first));
    }

    #[test]
    fn too_many_classes_and_unknown_ones_are_refused() {
        let error = |config: SplitGlyphsConfig| config.build(Seed::new(0)).unwrap_err().to_string();
        let many = error(SplitGlyphsConfig { tasks: 11, ..Default::default() });
        assert!(many.contains("66 classes, but the data have 62"), "{many}");
        for shift in [Shift::Class, Shift::Domain] {
            let order = Some(vec!["A".to_owned(), "Ä".to_owned()]);
            let config =
                SplitGlyphsConfig { tasks: 2, classes_per_task: 1, class_order: order, shift, ..Default::default() };
            assert!(error(config).contains("unknown class \"Ä\""));
        }
    }

    /// The digest of all that a stream's tasks hold.
    fn digest(config: &SplitGlyphsConfig, seed: u64) -> String {
        let tasks = tasks(config, seed);
        Digest::of_parts(tasks.iter().flat_map(Task::bytes).map(Result::unwrap)).as_str()[..16].to_owned()
    }

    /// The digests are those of the splits before other options existed.
    #[test]
    fn streams_of_the_first_options_have_not_changed() {
        let default = SplitGlyphsConfig::default;
        let domain = || SplitGlyphsConfig { shift: Shift::Domain, ..default() };
        let order = Some(["e", "Q", "7", "x"].map(str::to_owned).to_vec());
        let few = Some(4);
        let cases = [
            (default(), 0, "3e111102ef5fa08c"),
            (SplitGlyphsConfig { train_samples_per_class: few, ..default() }, 5, "692a25d6563428a6"),
            (
                SplitGlyphsConfig { tasks: 2, classes_per_task: 2, class_order: order.clone(), ..default() },
                1,
                "fb20c35e6322b2b7",
            ),
            (domain(), 0, "4beb3aae974e8572"),
            (SplitGlyphsConfig { train_samples_per_class: few, ..domain() }, 5, "8c068cbfb0aacbfd"),
            (
                SplitGlyphsConfig { tasks: 3, classes_per_task: 2, class_order: order, ..domain() },
                1,
                "a45999e97a0bba7e",
            ),
        ];
        let found: Vec<_> = cases.iter().map(|(config, seed, _)| digest(config, *seed)).collect();
        assert_eq!(found, cases.each_ref().map(|(_, _, expected)| *expected));
    }

    #[test]
    fn the_shift_is_the_scenario() {
        let scenario = |shift| SplitGlyphsConfig { shift, ..Default::default() }.scenario();
        assert_eq!(SplitGlyphsConfig::default().scenario(), Scenario::ClassShift);
        assert_eq!(scenario(Shift::Domain), Scenario::DomainShift);
        assert_eq!(scenario(Shift::ClassAndDomain), Scenario::ClassShift);
        assert_eq!(scenario(Shift::LabelSkew), Scenario::LabelSkew);
    }

    #[test]
    fn label_skew_deals_every_sample_of_the_classes_once() {
        let mut config =
            SplitGlyphsConfig { shift: Shift::LabelSkew, train_samples_per_class: Some(100), ..Default::default() };
        let glyphs = Glyphs::embedded().unwrap();
        let tests = glyphs.fonts.iter().filter(|font| font.split == SampleSet::Test).count();
        for concentration in [None, Some(0.1)] {
            config.split.concentration = concentration;
            let tasks = tasks(&config, 2);
            assert!(tasks.iter().all(|task| task.head == tasks[0].head && task.head.classes.len() == 6));
            let count = |size: fn(&Task) -> usize| tasks.iter().map(size).sum::<usize>();
            assert_eq!(count(|task| task.train.len()), 600, "100 of each class, over all devices");
            assert_eq!(count(|task| task.test.len()), 6 * tests);
        }
    }

    #[test]
    fn the_options_of_every_split_are_keys_of_the_table() {
        let table = serde_json::json!({
            "kind": "split-glyphs", "shift": "label-skew", "concentration": 0.5, "rounds": 2, "label_noise": 0.1,
            "noisy_devices": [3], "size_ratio": 0.5, "tasks": 4, "classes_per_task": 3,
        });
        let read: Box<dyn StreamConfig> = serde_json::from_value(table.clone()).unwrap();
        let written = serde_json::to_value(&read).unwrap();
        table.as_object().unwrap().iter().for_each(|(key, value)| assert_eq!(&written[key], value, "{key}"));
        assert_eq!((read.build(Seed::new(0)).unwrap().tasks(), &written["shared_classes"]), (8, &0.into()));
    }
}
