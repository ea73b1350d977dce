//! Task streams: the ordered tasks, one per device.
//!
//! A stream plugin implements [`StreamConfig`] on the struct that `[stream]` is read into and builds a [`TaskStream`].
//! A plugin that splits one labelled data set provides it as a [`DataSet`] and lets [`Split`] do the rest. A split sees
//! a data set as [`DataPart`]s: labels, and inputs that are read when they are needed. [`Samples`] are inputs in memory,
//! or indices into a data set on disk.
//!
//! This crate holds samples, their augmentation and mini-batches, tasks, and the ways to split a data set. It also
//! holds the readers that several data sets use: IDX, pictures behind the feature `picture`, and sound files behind the feature
//! `sound`. Behind the feature
//! `conformance` is the test that every reader of data sets must pass. It does not hold concrete data sets, training,
//! or anything that knows the centre.

mod augmentation;
mod batches;
mod clip;
#[cfg(feature = "conformance")]
pub mod conformance;
mod data_split;
mod dataset;
mod error;
mod file;
pub mod idx;
mod images;
mod inputs;
mod nested;
mod order;
#[cfg(feature = "picture")]
pub mod picture;
mod prefetch;
mod samples;
mod shift;
#[cfg(feature = "sound")]
mod sound;
mod split;
mod stream;
mod target;
mod values;

pub use alluvium_macros::{stream_options as options, stream_plugin as plugin};
pub use alluvium_model::{Digest, InputShape, PictureShape, Seed};
pub use alluvium_registry as registry;
pub use alluvium_registry::NestedError;
pub use augmentation::{Augmentation, SoundAugmentation};
pub use batches::{Batch, Batches, TaskDataset};
pub use clip::SoundClip;
pub use data_split::{DataSplit, SourcePart, TaskShift};
pub use dataset::DataSet;
pub use error::StreamError;
pub use file::{open_file, read_file, read_text};
pub use images::{read_each, read_each_of_numbers};
pub use nested::nested_stream;
pub use samples::{DataPart, Samples};
pub use serde;
pub use shift::Shift;
#[cfg(feature = "sound")]
pub use sound::SoundFiles;
pub use split::{Domains, Split, SplitSettings, SplitTasks};
pub use stream::{FurtherTest, Scenario, StreamConfig, Task, TaskOutline, TaskStream, Tasks};
pub use typetag;
pub use values::{Normalisation, ValueType};
