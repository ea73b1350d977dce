//! The self-centred device.
//!
//! A device states its task and takes a copy of the central model; later, or never, it answers with the model that it adapted
//! to its own private task. These two contacts are [`Device::take`] and [`Device::answer`]. All that crosses is plain data
//! ([`HandOut`], [`Expert`](alluvium_model::Expert)), so a device may live in this process, in another one, or far away.
//!
//! Kinds of devices are plugins: they implement [`DeviceConfig`] on the struct that a `[device]` table is read into, and
//! [`Device`] on the object that takes part. This crate holds these traits, the check of an expert against what its device
//! stated, and the training that devices in this process have in common. With the feature `conformance` it has the tests that
//! every kind must pass. It does not hold a concrete kind, consolidation, evaluation or the stream's order: a device only knows
//! its own task.

mod adapt;
mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
mod device;
mod distilled;
mod error;
mod hand_out;
mod local;
mod loss;
mod own_task;
mod settings;
mod statistic;
mod taken;
mod term;
mod training;

pub use adapt::{adapt, adapt_with};
pub use alluvium_macros::{device_options as options, device_plugin as plugin};
pub use alluvium_model::Learning;
pub use alluvium_registry as registry;
pub use alluvium_stream::{Augmentation, TaskDataset};
pub use config::{DeviceConfig, DeviceOrigin, DevicePlace, DeviceRun, DeviceStart, DeviceTask};
pub use device::{Announcement, Answer, Device, check_expert};
pub use error::DeviceError;
pub use hand_out::{Beside, HandOut, Terms};
pub use local::LocalDevice;
pub use loss::{ClassificationLoss, cross_entropy, mean_squared_error};
pub use own_task::OwnTask;
pub use settings::{AbsentClasses, DeviceSettings, ExpertForm};
pub use statistic::{DeviceStatistic, Reconstruction, StatisticRequest, with_statistics};
pub use taken::TakenModel;
pub use term::ParameterTerm;
pub use training::{Term, train};
pub use typetag;
