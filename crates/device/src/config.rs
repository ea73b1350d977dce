//! The `[device]` table: which devices take part, and their options.

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;

use alluvium_model::{BackboneConfig, ClassifierConfig, Digest, HeadSpec, InputShape};
use alluvium_stream::{StreamConfig, TaskStream, ValueType};
use burn::tensor::Device as Compute;
use serde_json::Value;

use crate::{Announcement, Device, DeviceError, DeviceSettings, DeviceStatistic};

/// The `[device]` table: which devices take part, and their options.
///
/// ```
/// use alluvium_device::{Announcement, Answer, Device, DeviceConfig, DeviceError, DevicePlace, HandOut, options, plugin};
/// use alluvium_model::Digest;
/// use alluvium_model::Progress;
///
/// /// Devices that take the model and are never heard of again.
/// #[options]
/// struct LostConfig {}
///
/// #[plugin(kind = "lost")]
/// impl DeviceConfig for LostConfig {
///     fn build<'a>(&self, place: DevicePlace<'a>) -> Result<Box<dyn Device + 'a>, DeviceError> {
///         Ok(Box::new(Lost { place }))
///     }
/// }
///
/// #[derive(Debug)]
/// struct Lost<'a> {
///     place: DevicePlace<'a>,
/// }
///
/// impl Device for Lost<'_> {
///     fn request(&mut self) -> Result<Announcement, DeviceError> {
///         let digest = Digest::of(self.place.task.as_bytes());
///         Ok(Announcement { task: self.place.task.clone(), head: self.place.head.clone(), samples: None, digest })
///     }
///
///     fn take(&mut self, _model: HandOut) -> Result<(), DeviceError> {
///         Ok(())
///     }
///
///     fn answer(&mut self, _progress: &dyn Progress) -> Result<Answer, DeviceError> {
///         Ok(Answer::Never)
///     }
/// }
///
/// alluvium_device::conformance::check_config(&LostConfig {});
/// ```
#[typetag::serde(tag = "kind")]
pub trait DeviceConfig: Debug + Send + Sync {
    /// How the devices train, if this process trains them on the stream's samples. Joint training uses the same settings. Default,
    /// `None`: the devices have samples of their own, which this process never reads. Rows that need them are absent.
    fn training(&self) -> Option<&DeviceSettings> {
        None
    }

    /// The same devices with other training settings. Default: `None`, as [`training`](Self::training).
    fn with_training(&self, _settings: DeviceSettings) -> Option<Box<dyn DeviceConfig>> {
        None
    }

    /// The same devices without what ties them to a centre, such as a pull towards the model that they took. They train alone for the
    /// row `devices-alone`. Default, `None`: nothing ties them.
    fn alone(&self) -> Option<Box<dyn DeviceConfig>> {
        None
    }

    /// The model that every device takes. Default: the newest one that the centre hands out.
    fn start(&self) -> DeviceStart {
        DeviceStart::HandedOut
    }

    /// The devices whose work this is, if these devices only have it done elsewhere, such as by a pool of other processes. Results,
    /// stored stages and what is handed out are those of the devices that are returned. Default, `None`: their own.
    fn stands_for(&self) -> Option<&dyn DeviceConfig> {
        None
    }

    /// Whether the devices can compute and send statistics of their samples. Default: whether this process trains them.
    fn sends_statistics(&self) -> bool {
        self.training().is_some()
    }

    /// The tasks, if the devices define them and not the stream: the stream then only gives the test samples of their classes.
    /// Default: `None`.
    fn tasks(&self) -> Option<Vec<DeviceTask>> {
        None
    }

    /// The files that the devices depend on, beside the samples. When one changes, everything computed from it is computed
    /// again.
    ///
    /// # Errors
    /// [`DeviceError::File`] when a file cannot be found.
    fn files(&self) -> Result<Vec<PathBuf>, DeviceError> {
        Ok(vec![])
    }

    /// A digest of the code that the devices run outside this program and [`files`](Self::files). When it changes, devices adapt
    /// again. Default, `None`: all their code is in the program or in these files.
    fn revision(&self) -> Option<Digest> {
        None
    }

    /// Checks the options against the experiment, before anything is trained. Default: nothing to check.
    ///
    /// # Errors
    /// [`DeviceError`], which says what is accepted.
    fn check(&self, _run: &DeviceRun<'_>) -> Result<(), DeviceError> {
        Ok(())
    }

    /// Builds a device of the stream. It reads no samples yet.
    ///
    /// # Errors
    /// [`DeviceError`] when the options do not fit.
    fn build<'a>(&self, place: DevicePlace<'a>) -> Result<Box<dyn Device + 'a>, DeviceError>;
}

/// The model that a device takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceStart {
    /// The model that the centre hands out at that moment.
    HandedOut,
    /// The initial model, whatever the centre has learned since: the experts were made from it already.
    Initial,
}

/// A task that a device defines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceTask {
    /// The name of the task and of its head.
    pub name: String,
    /// The names of its classes, in the order of its logits.
    pub classes: Vec<String>,
}

/// What an experiment is, for devices that check their options against it.
#[derive(Debug, Clone, Copy)]
pub struct DeviceRun<'a> {
    /// The shape of one input.
    pub input: InputShape,
    /// The type of its values.
    pub value_type: ValueType,
    /// The backbone of the central model.
    pub backbone: &'a Arc<dyn BackboneConfig>,
    /// The classifier of every head.
    pub classifier: &'a Arc<dyn ClassifierConfig>,
    /// The name of each class of the stream; a class number is an index into this list.
    pub class_names: &'a [String],
    /// The number of tasks of the stream.
    pub tasks: usize,
    /// The compute device.
    pub compute: &'a Compute,
}

/// The place of a device: its task, and what it may use.
#[derive(Debug, Clone)]
pub struct DevicePlace<'a> {
    /// The number of the device in the stream, from 0.
    pub device: usize,
    /// The index of the device's own entry among [`DeviceConfig::tasks`]; the number in the stream if the stream defines the
    /// tasks.
    pub entry: usize,
    /// The name of the task.
    pub task: String,
    /// The head of the task, with its classes.
    pub head: HeadSpec,
    /// The name of each class of the stream; a class number is an index into this list.
    pub class_names: &'a [String],
    /// The shape of one input.
    pub input: InputShape,
    /// The backbone of the device's model: that of the central model, unless the device has a network of its own.
    pub backbone: &'a Arc<dyn BackboneConfig>,
    /// The stream, for devices that learn its samples. A device reads only its own task.
    pub stream: &'a dyn TaskStream,
    /// What the device stated when it asked for the model, if it did so before it was built for this act.
    pub announced: Option<Announcement>,
    /// The statistics that the device is asked for.
    pub statistics: Vec<Arc<dyn DeviceStatistic>>,
    /// What another process needs to do the device's work; `None` where the device works in one already.
    pub origin: Option<DeviceOrigin<'a>>,
    /// The compute device, without autodiff.
    pub compute: Compute,
}

/// What another process needs to do a device's work, beside the hand-out.
#[derive(Debug, Clone, Copy)]
pub struct DeviceOrigin<'a> {
    /// The configuration of the stream that [`DevicePlace::stream`] was built of.
    pub stream: &'a dyn StreamConfig,
    /// The seed that it was built with.
    pub seed: u64,
    /// The table of the strategy that asks for [`DevicePlace::statistics`]; `null` if none does.
    pub strategy: &'a Value,
}
