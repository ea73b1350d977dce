//! The `class-folders` stream: pictures in a folder for each class.

mod folders;

use std::path::PathBuf;

use alluvium_stream::picture::Orientation;
use alluvium_stream::{
    Scenario, Seed, Shift, Split, SplitSettings, StreamConfig, StreamError, TaskStream, options, plugin,
};

use folders::{Folders, Inputs};

/// Any data set with a folder for each class, split over devices.
///
/// `directory` holds either the folders `train` and `test` (or, in place of `test`, `val`, `valid` or `validation`),
/// each with a folder for every class; or the folders of the classes themselves; a fraction of their pictures is then
/// held out for testing. A class has the name of its folder. The pictures of a folder are all PNG and JPEG files in it
/// and its subfolders. Names that begin with a dot are skipped. Pictures are decoded when a task needs them.
///
/// Under class shift, each task has its own classes and its own head. Under label skew, all tasks have the same classes
/// and share one head. A Dirichlet distribution (Yurochkin et al., arXiv 1905.12022; `concentration`) then says how the
/// training samples of each class are divided over the devices. The test samples are divided equally.
#[options]
#[derive(PartialEq)]
pub struct ClassFoldersConfig {
    /// The folder.
    #[default("classes".into())]
    pub directory: PathBuf,
    /// The height and width of the inputs, in pixels. The largest square around the middle of each picture is resized
    /// to it by a triangle filter. Absent: pictures keep their size; all must have the same size, at most 1024 pixels a
    /// side.
    #[schemars(range(min = 1, max = 1024))]
    pub size: Option<usize>,
    /// Whether inputs are in colour (three channels). Otherwise they are the luminance (one channel).
    #[default(true)]
    pub colour: bool,
    /// Whether to follow the orientation that the camera wrote into a picture (EXIF). `apply` turns the picture;
    /// `ignore` takes the pixels as they are stored, which is what torchvision's `ImageFolder` does.
    #[default(Orientation::Ignore)]
    pub orientation: Orientation,
    /// The fraction of each class's pictures that is held out for testing if there is no folder `train`. The seed draws
    /// them. The number is rounded; at least one picture is held out, and at least one is left.
    #[schemars(range(min = 0.001, max = 0.999))]
    #[default(0.2)]
    pub held_out: f64,
    /// The number of tasks. Each task is one device.
    #[schemars(range(min = 1, max = 1000))]
    #[default(5)]
    pub tasks: usize,
    /// The number of classes of each task. Under class shift, `tasks` × `classes_per_task` may be the number of classes
    /// at most.
    #[schemars(range(min = 1, max = 100_000))]
    #[default(2)]
    pub classes_per_task: usize,
    /// How the tasks differ. `class`: each task has its own classes and its own head. `label-skew`: all tasks have the
    /// same classes and one head, and differ in how often each class occurs.
    #[default(Shift::Class)]
    pub shift: Shift,
    /// The names of the classes, in the order in which tasks receive them. Under label skew, all tasks have the first
    /// `classes_per_task` of them. Absent: the seed shuffles the classes.
    #[schemars(length(min = 1, max = 100_000))]
    pub class_order: Option<Vec<String>>,
    /// The largest number of training samples of each class that a task gets; the seed draws them. Under label skew,
    /// the limit is for each class over all tasks. Absent: all.
    #[schemars(range(min = 1))]
    pub train_samples_per_class: Option<usize>,
    /// The options that all splits share.
    #[serde(flatten)]
    pub split: SplitSettings,
}

#[plugin(kind = "class-folders")]
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
        // `build` reports folders that cannot be read.
        Folders::find(&self.directory).map(Folders::into_paths).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
