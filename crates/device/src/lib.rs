//! The self-centred device.
//!
//! A device takes a copy of the central model, adapts it greedily to its own private task, and sends the adapted model
//! back: two contacts, [`Device::adapt`]'s argument and its result. What it sends is an
//! [`Expert`](alluvium_model::Expert): plain data, so that a device may as well be a process on another machine.
//!
//! This crate holds the device and its training. It refuses to hold consolidation, evaluation and the stream's order:
//! a device knows its own task and no other.

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
