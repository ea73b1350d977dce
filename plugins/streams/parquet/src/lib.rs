//! The `parquet` stream: images in Parquet files, as the Hugging Face hub stores them.
//!
//! `parts` finds the files of a part, `shards` checks whether they are complete, `columns` finds the columns of images
//! and labels, `pages` checks their pages, `packing` knows the compressions, `table` reads the rows, `names` reads the
//! names of a file's classes, and `classes` matches those of several files. `hub` fetches the files, behind the feature
//! `hub`.

mod classes;
mod columns;
#[cfg(feature = "hub")]
mod hub;
mod names;
mod packing;
mod pages;
mod parts;
mod shards;
mod table;

use std::path::{Path, PathBuf};

use alluvium_stream::picture::Orientation;
use alluvium_stream::{
    DataSet, Scenario, Seed, Shift, Split, SplitSettings, StreamConfig, StreamError, TaskStream, options, plugin,
};

use columns::ColumnNames;
use table::Table;

/// Any image data set in Parquet files, split over devices: a row for each image, with its PNG or JPEG and its label.
///
/// The Hugging Face hub stores images in this way: a column with the fields `bytes` and `path`, or a column of bytes,
/// and a column of whole numbers. Files have names such as `train-00000-of-00001.parquet` or `train/0000.parquet`, in
/// any folder below `directory`. A part with a missing file, according to the names of the others, is refused. The
/// names of the classes come from the files' own description, if there is one; otherwise they are numbers. Files with
/// the same classes in different orders are matched by name. Pictures are read and decoded when they are needed. Pages
/// may be uncompressed or compressed by Snappy, gzip, zstd, brotli or LZ4, their values plain or in a dictionary. The
/// files of a part may have 50 million rows.
///
/// Under class shift, each task has its own classes and its own head. Under label skew, all tasks have the same classes
/// and share one head. A Dirichlet distribution (Yurochkin et al., arXiv 1905.12022; `concentration`) then says how the
/// training samples of each class are divided over the devices. The test samples are divided equally.
#[options]
#[derive(PartialEq)]
pub struct ParquetConfig {
    /// The folder of the files; refused beside `repository`. Absent: `parquet`.
    pub directory: Option<PathBuf>,
    /// A data set of the Hugging Face hub, such as `uoft-cs/cifar100`. Its files are fetched if they are not in the
    /// hub's cache on this machine. Needs a build with the feature `hub`. Absent: `directory` has the files.
    pub repository: Option<String>,
    /// The revision of the repository: a branch, a tag or a commit. Cached files of a branch are used even if the
    /// branch has changed since. Refused without `repository`. Absent: `main`.
    pub revision: Option<String>,
    /// The name of the training part, as in the names of its files or of their folder.
    #[default("train".to_owned())]
    pub train_part: String,
    /// The name of the test part, such as `test`, `valid` or `validation`.
    #[default("test".to_owned())]
    pub test_part: String,
    /// The column of the images. Absent: the only column with the field `bytes`, or else the only one of bytes.
    pub image_column: Option<String>,
    /// The column of the labels. Absent: `label`, or else the only column of whole numbers.
    pub label_column: Option<String>,
    /// The height and width of the inputs, in pixels. The largest square around the middle of each picture is resized
    /// to it by a triangle filter. Absent: pictures keep their size; all must have the same size, at most 1024 pixels a
    /// side.
    #[schemars(range(min = 1, max = 1024))]
    pub size: Option<usize>,
    /// Whether inputs are in colour (three channels). Otherwise they are the luminance (one channel).
    #[default(true)]
    pub colour: bool,
    /// Whether to follow the orientation that the camera wrote into a picture (EXIF). `apply` turns the picture, as the
    /// hub's library `datasets` does; `ignore` takes the pixels as they are stored.
    #[default(Orientation::Apply)]
    pub orientation: Orientation,
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

#[plugin(kind = "parquet")]
impl StreamConfig for ParquetConfig {
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
        Ok(Box::new(self.shift.tasks(&split, &self.data()?, seed)?))
    }

    fn files(&self) -> Vec<PathBuf> {
        // `build` reports files that cannot be found.
        let paths = |part: &String| self.paths(part).unwrap_or_default();
        [&self.train_part, &self.test_part].into_iter().flat_map(paths).collect()
    }
}

impl ParquetConfig {
    fn data(&self) -> Result<DataSet, StreamError> {
        let wanted = ColumnNames { image: self.image_column.as_deref(), label: self.label_column.as_deref() };
        let open = |part| Table::open(&self.paths(part)?, wanted);
        let (mut train, mut test) = (open(&self.train_part)?, open(&self.test_part)?);
        test.check_columns(&train)?;
        let names = classes::share(&mut train, &mut test)?;
        let shape = train.shape(self.size, if self.colour { 3 } else { 1 }, self.orientation)?;
        Ok(DataSet::new(names, train.into_pictures(shape), test.into_pictures(shape)))
    }

    /// The files of a part.
    fn paths(&self, part: &str) -> Result<Vec<PathBuf>, StreamError> {
        let refused = |option, problem, accepted: &str| {
            Err(StreamError::Option { option, problem, accepted: accepted.to_owned() })
        };
        match (&self.repository, &self.directory, &self.revision) {
            (Some(repository), Some(directory), _) => refused(
                "directory",
                format!("= \"{}\" beside `repository` = \"{repository}\"", directory.display()),
                "one of the two",
            ),
            (None, _, Some(revision)) => refused(
                "revision",
                format!("= \"{revision}\" without `repository`"),
                "`revision` only together with `repository`",
            ),
            (None, directory, None) => parts::find(directory.as_deref().unwrap_or(Path::new("parquet")), part),
            (Some(repository), None, revision) => self.fetch(repository, revision.as_deref().unwrap_or("main"), part),
        }
    }

    #[cfg(feature = "hub")]
    fn fetch(&self, repository: &str, revision: &str, part: &str) -> Result<Vec<PathBuf>, StreamError> {
        hub::fetch(repository, revision, part)
    }

    #[cfg(not(feature = "hub"))]
    fn fetch(&self, repository: &str, _: &str, _: &str) -> Result<Vec<PathBuf>, StreamError> {
        Err(StreamError::Option {
            option: "repository",
            problem: format!("= \"{repository}\", but this build cannot fetch from the Hugging Face hub"),
            accepted: "`directory`, with the files of the repository; or a build with the feature `hub`".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests;
