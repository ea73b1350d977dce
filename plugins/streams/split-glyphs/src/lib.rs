//! The `split-glyphs` stream: letters and digits from many fonts, split over devices by class or by font family.

mod domain;
mod glyphs;

use alluvium_stream::registry::{Family, describe};
use alluvium_stream::{ClassSplit, Scenario, Seed, StreamConfig, StreamError, TaskStream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use glyphs::{Glyphs, Part};

/// How the tasks differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Shift {
    /// Each device has classes of its own.
    Class,
    /// All devices have the same classes, each in font families of its own.
    Domain,
}

/// Split Glyphs: A–Z, a–z and 0–9 from hundreds of permissively licensed fonts, 28×28, grey, in 62 classes.
///
/// It is built into the binary and needs no file. Under class shift, each task has classes of its own, and is tested on
/// fonts of families that no device trained on. Under domain shift, all tasks have the same classes, and each task has
/// font families of its own; the last font of every family of two or more is for testing, and a family of one font goes
/// with another family. The fonts, where they come from and their licences are listed in
/// `plugins/streams/split-glyphs/data/fonts.csv`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SplitGlyphsConfig {
    /// How many tasks, and so devices.
    #[schemars(range(min = 1, max = 1000))]
    pub tasks: usize,
    /// How many classes each task has. Under class shift, `tasks` × `classes_per_task` may be 62 at most.
    #[schemars(range(min = 1, max = 62))]
    pub classes_per_task: usize,
    /// How the tasks differ: by `class`, each with a head of its own, or by `domain`, all with the same classes and head
    /// and each with font families of its own.
    pub shift: Shift,
    /// The classes, each a character, in the order in which they are dealt to tasks; under domain shift all tasks have
    /// the first `classes_per_task` of them. Absent: shuffled by the seed.
    #[schemars(length(min = 1, max = 62))]
    pub class_order: Option<Vec<String>>,
    /// At most so many training samples of each class of a task, drawn by the seed. Absent: all.
    #[schemars(range(min = 1))]
    pub train_samples_per_class: Option<usize>,
}

impl Default for SplitGlyphsConfig {
    fn default() -> Self {
        SplitGlyphsConfig {
            tasks: 10,
            classes_per_task: 6,
            shift: Shift::Class,
            class_order: None,
            train_samples_per_class: None,
        }
    }
}

describe!(Family::Stream, "split-glyphs", SplitGlyphsConfig, paper: "");

#[typetag::serde(name = "split-glyphs")]
impl StreamConfig for SplitGlyphsConfig {
    fn scenario(&self) -> Scenario {
        match self.shift {
            Shift::Class => Scenario::ClassShift,
            Shift::Domain => Scenario::DomainShift,
        }
    }

    fn build(&self, seed: Seed) -> Result<Box<dyn TaskStream>, StreamError> {
        let glyphs = Glyphs::embedded()?;
        let tasks = match self.shift {
            Shift::Class => {
                let (data, _) = glyphs.data(|font| glyphs.fonts[font].split == Part::Test);
                self.class_split(self.tasks).split(&data, seed)?
            }
            Shift::Domain => domain::split(self, &glyphs, seed)?,
        };
        Ok(Box::new(tasks))
    }
}

impl SplitGlyphsConfig {
    /// These options for a number of tasks.
    fn class_split(&self, tasks: usize) -> ClassSplit {
        ClassSplit {
            tasks,
            classes_per_task: self.classes_per_task,
            class_order: self.class_order.clone(),
            train_samples_per_class: self.train_samples_per_class,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use alluvium_stream::Task;

    use super::*;

    fn tasks(config: &SplitGlyphsConfig, seed: u64) -> Vec<Task> {
        let stream = config.build(Seed::new(seed)).unwrap();
        (0..stream.tasks()).map(|index| stream.task(index).unwrap()).collect()
    }

    fn images(task: &Task) -> Vec<&[u8]> {
        (0..task.train.len()).map(|place| task.train.image(place)).collect()
    }

    #[test]
    fn ten_tasks_of_six_have_sixty_classes() {
        let glyphs = Glyphs::embedded().unwrap();
        let tests = glyphs.fonts.iter().filter(|font| font.split == Part::Test).count();
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

    #[test]
    fn the_shift_is_the_scenario() {
        let config = SplitGlyphsConfig { shift: Shift::Domain, ..Default::default() };
        assert_eq!(config.scenario(), Scenario::DomainShift);
        assert_eq!(SplitGlyphsConfig::default().scenario(), Scenario::ClassShift);
    }
}
