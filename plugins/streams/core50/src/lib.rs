//! The `core50` stream: CORe50 in its original files, with new classes (NC) or new instances (NI) for each device.
//!
//! `frame` parses a picture's path, `folder` finds the pictures, `lists` reads the official order of batches.

mod folder;
mod frame;
mod lists;

use std::path::PathBuf;

use alluvium_stream::picture::{Orientation, PictureFiles, Size, shape_of};
use alluvium_stream::{
    DataSet, Scenario, Seed, Split, SplitSettings, StreamConfig, StreamError, TaskStream, options, plugin,
};

use folder::Folder;
use frame::{Frame, OBJECTS};
use lists::Batches;

/// The meaning of a class.
#[options]
pub enum Labels {
    /// One object: 50 classes.
    Object,
    /// A category of five objects: 10 classes.
    Category,
}

/// How the tasks differ.
#[options]
pub enum Shift {
    /// Each device has its own classes: the scenario NC, new classes.
    Class,
    /// All devices have the same classes, each in its own session: the scenario NI, new instances.
    Domain,
    /// All devices have the same classes, but differ in how often each occurs.
    LabelSkew,
}

/// CORe50, split over devices: 50 objects of 10 categories, each filmed in 11 sessions of about 300 frames, 128×128.
///
/// The files are those of <https://vlomonaco.github.io/core50/>, unpacked: the cropped images, 128×128 or 32×32. The
/// official order of batches also needs the configuration files (`batches_filelists`). Sessions 3, 7 and 10 are for
/// testing, the other eight for training. Pictures are decoded when a task needs them. Objects are called
/// `plug_adapter1` to `plug_adapter5`, and so on for `mobile_phone`, `scissor`, `light_bulb`, `can`, `glass`, `ball`,
/// `marker`, `cup` and `remote_control`, which are the categories.
///
/// Under class shift (NC), each task has its own classes and its own head. By default, the first task has ten objects
/// and each further task has five. Under domain shift (NI), all tasks have the same classes and share one head, and
/// each task has its own training session. The test sessions differ from the training sessions, so test samples are
/// divided equally, and the mean over tasks is the accuracy on all of them. Under label skew, all tasks have the same
/// classes and share one head. A Dirichlet distribution (`concentration`) then says how the training samples of each
/// class are divided over the devices.
#[options]
#[derive(PartialEq)]
pub struct Core50Config {
    /// The folder of the sessions `s1` to `s11`, or the folder that contains it as `core50_128x128` or `core50_32x32`.
    #[default("core50_128x128".into())]
    pub directory: PathBuf,
    /// The meaning of a class: one of the 50 objects (`object`), or a `category` of five objects.
    #[default(Labels::Object)]
    pub labels: Labels,
    /// How the tasks differ. `class` (NC): each task has its own classes. `domain` (NI): each task has its own session.
    /// `label-skew`: tasks differ in how often each class occurs.
    #[default(Shift::Class)]
    pub shift: Shift,
    /// The official run, 0 to 9, whose order of batches is used, for NC on objects and for NI. It is read from
    /// `batches_filelists/NC_inc/runN` or `NI_inc/runN`, in `directory` or beside it. Absent: the seed decides the
    /// order.
    #[schemars(range(min = 0, max = 9))]
    pub run: Option<usize>,
    /// The number of tasks. Each task is one device. Absent: 9 under class shift on objects, 5 on categories, 8 under
    /// the other shifts.
    #[schemars(range(min = 1, max = 1000))]
    pub tasks: Option<usize>,
    /// The number of classes of each task. Absent: under class shift, 5 objects (10 for the first task, unless
    /// `first_classes` is set) or 2 categories; under the other shifts, all classes.
    #[schemars(range(min = 1, max = 50))]
    pub classes_per_task: Option<usize>,
    /// The names of the classes, in the order in which tasks receive them. Under the shifts in which all tasks have the
    /// same classes, they have the first ones. Absent: the seed shuffles the classes.
    #[schemars(length(min = 1, max = 50))]
    pub class_order: Option<Vec<String>>,
    /// The largest number of training samples of each class that a task gets; the seed draws them. Under label skew,
    /// the limit is for each class over all tasks. Absent: all, about 2 400 of an object and 300 of an object in one
    /// session.
    #[schemars(range(min = 1))]
    pub train_samples_per_class: Option<usize>,
    /// The height and width of the inputs, in pixels. Pictures are resized by a triangle filter. Absent: pictures keep
    /// their size.
    #[schemars(range(min = 2, max = 350))]
    pub size: Option<usize>,
    /// The options that all splits share.
    #[serde(flatten)]
    pub split: SplitSettings,
}

#[plugin(
    kind = "core50",
    paper = "Lomonaco & Maltoni, \"CORe50: a new dataset and benchmark for continuous object recognition\", CoRL \
             2017, arXiv 1705.03550"
)]
impl StreamConfig for Core50Config {
    fn scenario(&self) -> Scenario {
        match self.shift {
            Shift::Class => Scenario::ClassShift,
            Shift::Domain => Scenario::DomainShift,
            Shift::LabelSkew => Scenario::LabelSkew,
        }
    }

    fn build(&self, seed: Seed) -> Result<Box<dyn TaskStream>, StreamError> {
        self.check_run()?;
        let folder = Folder::find(&self.directory)?;
        let batches = self.batches(&folder)?;
        let frames = match &batches {
            Some(batches) => batches.frames(),
            None => folder.frames()?,
        };
        let (train, test): (Vec<_>, Vec<_>) = frames.into_iter().partition(|frame| !frame.is_test());
        let sessions: Vec<_> = train.iter().map(|frame| frame.session).collect();
        let data = self.data(train, test, &folder)?;
        let mut split = self.split();
        let tasks = match (self.shift, &batches) {
            (Shift::LabelSkew, _) => split.by_label(&data, seed)?,
            (Shift::Class, None) => split.by_class(&data, seed)?,
            (Shift::Class, Some(batches)) => {
                let order = batches.objects()?.into_iter().map(frame::object_name);
                split.class_order = Some(order.collect());
                split.by_class(&data, seed)?
            }
            (Shift::Domain, batches) => {
                let order = batches.as_ref().map(Batches::sessions).transpose()?;
                split.by_training_domain(&data, &sessions, order.as_deref(), seed)?
            }
        };
        Ok(Box::new(tasks))
    }

    fn files(&self) -> Vec<PathBuf> {
        // `build` reports files that cannot be found.
        let Ok(folder) = Folder::find(&self.directory) else { return vec![] };
        match self.batches(&folder) {
            Ok(Some(batches)) => {
                let pictures = batches.frames().into_iter().map(|frame| frame.path);
                batches.paths().iter().cloned().chain(pictures).collect()
            }
            Ok(None) => folder.frames().unwrap_or_default().into_iter().map(|frame| frame.path).collect(),
            Err(_) => vec![],
        }
    }
}

impl Core50Config {
    /// Checks that no option contradicts an official run.
    fn check_run(&self) -> Result<(), StreamError> {
        let Some(run) = self.run else { return Ok(()) };
        let wrong = |problem: &str, accepted: &str| {
            let (problem, accepted) = (format!("= {run}, but {problem}"), accepted.to_owned());
            Err(StreamError::Option { option: "run", problem, accepted })
        };
        let sizes = self.classes_per_task.is_some() || self.split.first_classes.is_some();
        match self.shift {
            _ if run > 9 => wrong("the runs are 0 to 9", "0 to 9"),
            Shift::LabelSkew => wrong("runs have no label skew", "no `run`, or `shift` = \"class\" or \"domain\""),
            Shift::Class if self.labels == Labels::Category => {
                wrong("its batches are of objects", "no `run`, or `labels` = \"object\"")
            }
            Shift::Class if sizes || self.class_order.is_some() => wrong(
                "it decides how many classes a task has, and in which order they come",
                "a run without `classes_per_task`, `first_classes` and `class_order`",
            ),
            _ => Ok(()),
        }
    }

    /// The batches of the official run, if `run` is set.
    fn batches(&self, folder: &Folder) -> Result<Option<Batches>, StreamError> {
        let scenario = if self.shift == Shift::Class { lists::NC } else { lists::NI };
        self.run.map(|run| Batches::read(folder, scenario, run)).transpose()
    }

    /// Converts these options to those of a split.
    fn split(&self) -> Split {
        let own_classes = self.shift == Shift::Class;
        let (tasks, classes) = match self.labels {
            _ if !own_classes => (8, self.class_names().len()),
            Labels::Object => (9, 5),
            Labels::Category => (5, 2),
        };
        let mut settings = self.split.clone();
        if own_classes && self.labels == Labels::Object && self.classes_per_task.is_none() {
            settings.first_classes = settings.first_classes.or(Some(10));
        }
        Split {
            tasks: self.tasks.unwrap_or(tasks),
            classes_per_task: self.classes_per_task.unwrap_or(classes),
            class_order: self.class_order.clone(),
            train_samples_per_class: self.train_samples_per_class,
            settings,
        }
    }

    fn class_names(&self) -> Vec<String> {
        match self.labels {
            Labels::Object => (1..=OBJECTS).map(frame::object_name).collect(),
            Labels::Category => frame::CATEGORIES.map(str::to_owned).to_vec(),
        }
    }

    fn data(&self, train: Vec<Frame>, test: Vec<Frame>, folder: &Folder) -> Result<DataSet, StreamError> {
        let (input, size) = match (self.size, train.first()) {
            (Some(size), _) => ([3, size, size].into(), Size::Fitted),
            (None, Some(first)) => (shape_of(&first.path, 3, Orientation::Ignore)?, Size::Exact),
            (None, None) => return Err(folder.holds_none()),
        };
        let label = |frame: &Frame| match self.labels {
            Labels::Object => frame.object - 1,
            Labels::Category => frame.category(),
        };
        let pictures = |frames: Vec<Frame>| {
            PictureFiles::new(input, size, frames.into_iter().map(|frame| (frame.path.clone(), label(&frame))))
        };
        Ok(DataSet::new(self.class_names(), pictures(train), pictures(test)))
    }
}

#[cfg(test)]
mod tests;
