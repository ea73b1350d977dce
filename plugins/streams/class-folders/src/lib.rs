//! The `class-folders` stream: pictures in a folder for each class.

mod folders;

use std::path::PathBuf;

use alluvium_stream::picture::Orientation;
use alluvium_stream::registry::{Family, describe};
use alluvium_stream::{Scenario, Seed, Shift, Split, SplitSettings, StreamConfig, StreamError, TaskStream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use folders::{Folders, Inputs};

/// Any data set that lies in a folder for each class, split over devices.
///
/// `directory` holds either the folders `train` and `test` (or, in place of `test`, `val`, `valid` or `validation`), each with
/// a folder for every class; or the classes' folders themselves, of whose pictures a part is held out for testing. A
/// class is called as its folder is; the pictures of a folder are all PNG and JPEG files in it and in the folders below.
/// Names that begin with a dot are passed over. Pictures are decoded when a task needs them.
///
/// Under class shift, each task has classes and a head of its own. Under label skew, all tasks have the same classes and one
/// head, the training samples of each class are dealt by a Dirichlet distribution over devices (Yurochkin et al., arXiv
/// 1905.12022; `concentration`), and the test samples in equal parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ClassFoldersConfig {
    /// The folder.
    pub directory: PathBuf,
    /// The height and width that pictures are resized to, in pixels: of each, the largest square around its middle, by a
    /// triangle filter. Absent: they stay as they are; all must have the same size, at most 1024 a side.
    #[schemars(range(min = 1, max = 1024))]
    pub size: Option<usize>,
    /// Whether inputs are in colour, three channels; otherwise they are the luminance, one channel.
    pub colour: bool,
    /// Whether pictures are turned as the camera wrote into them (EXIF), `apply`, or taken as their pixels are stored, `ignore`,
    /// which is what torchvision's `ImageFolder` does.
    pub orientation: Orientation,
    /// The part of each class's pictures that is held out for testing where there is no folder `train`: drawn by the seed,
    /// rounded, at least one picture, and at least one is left.
    #[schemars(range(min = 0.001, max = 0.999))]
    pub held_out: f64,
    /// How many tasks, and so devices.
    #[schemars(range(min = 1, max = 1000))]
    pub tasks: usize,
    /// How many classes each task has; under class shift, `tasks` × `classes_per_task` may be the number of classes at most.
    #[schemars(range(min = 1, max = 100_000))]
    pub classes_per_task: usize,
    /// How the tasks differ: by `class`, each with a head of its own, or with `label-skew`, all with the same classes and head,
    /// in how often each class occurs.
    pub shift: Shift,
    /// The names of the classes in the order in which they are dealt to tasks; under label skew all tasks have the first
    /// `classes_per_task` of them. Absent: shuffled by the seed.
    #[schemars(length(min = 1, max = 100_000))]
    pub class_order: Option<Vec<String>>,
    /// At most so many training samples of each class of a task, drawn by the seed; under label skew, of each class over all
    /// tasks. Absent: all.
    #[schemars(range(min = 1))]
    pub train_samples_per_class: Option<usize>,
    /// What else there is to a split.
    #[serde(flatten)]
    pub split: SplitSettings,
}

impl Default for ClassFoldersConfig {
    fn default() -> Self {
        ClassFoldersConfig {
            directory: "classes".into(),
            size: None,
            colour: true,
            orientation: Orientation::Ignore,
            held_out: 0.2,
            tasks: 5,
            classes_per_task: 2,
            shift: Shift::Class,
            class_order: None,
            train_samples_per_class: None,
            split: SplitSettings::default(),
        }
    }
}

describe!(Family::Stream, "class-folders", ClassFoldersConfig, paper: "");

#[typetag::serde(name = "class-folders")]
impl StreamConfig for ClassFoldersConfig {
    fn scenario(&self) -> Scenario {
        self.shift.scenario()
    }

    fn build(&self, seed: Seed) -> Result<Box<dyn TaskStream>, StreamError> {
        if !(self.held_out > 0.0 && self.held_out < 1.0) {
            return Err(StreamError::Option {
                option: "held_out",
                problem: format!("= {}", self.held_out),
                accepted: "a number above 0 and below 1".to_owned(),
            });
        }
        let split = Split {
            tasks: self.tasks,
            classes_per_task: self.classes_per_task,
            class_order: self.class_order.clone(),
            train_samples_per_class: self.train_samples_per_class,
            settings: self.split.clone(),
        };
        let inputs =
            Inputs { size: self.size, channels: if self.colour { 3 } else { 1 }, orientation: self.orientation };
        let data = Folders::find(&self.directory)?.data(self.held_out, seed.of("held out"), inputs)?;
        Ok(Box::new(self.shift.tasks(&split, &data, seed)?))
    }

    fn files(&self) -> Vec<PathBuf> {
        // Folders that cannot be read are what `build` says.
        Folders::find(&self.directory).map(Folders::into_paths).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
