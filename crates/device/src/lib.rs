//! The self-centred device.
//!
//! A device takes a copy of the central model, adapts it greedily to its own private task, and sends the adapted model
//! back. These two contacts are the argument and the result of [`Device::adapt`]. The device sends an
//! [`Expert`](alluvium_model::Expert). That is plain data, so a device could also be a process on another machine.
//!
//! This crate holds the device and its training. It does not hold consolidation, evaluation or the stream's order: a
//! device only knows its own task.

mod adapt;
mod loss;
mod proximal;
mod settings;
mod statistic;
mod training;

pub use adapt::{Device, DeviceError, InProcessDevice};
pub use alluvium_stream::{Augmentation, TaskDataset};
pub use loss::{ClassificationLoss, cross_entropy};
pub use settings::DeviceSettings;
pub use statistic::DeviceStatistic;
pub use training::train;
