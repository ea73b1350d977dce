//! Task streams: the ordered tasks, one a device.
//!
//! A stream plugin implements [`StreamConfig`] on the struct that `[stream]` is read into and builds a [`TaskStream`].
//! A plugin that splits one labelled data set reads it into a [`DataSet`] and lets [`Split`] do the rest.
//!
//! This crate holds samples, their augmentation and their mini-batches, tasks and the ways to split a data set, and the reader
//! of the IDX format, which more than one data set uses. It refuses to hold a concrete data set, training, and anything that
//! knows the centre.

mod ahead;
mod augmentation;
mod batches;
mod dataset;
mod error;
pub mod idx;
mod nested;
mod order;
#[cfg(test)]
mod old_order;
mod samples;
mod split;
mod stream;

pub use alluvium_model::{InputShape, Seed};
pub use alluvium_registry as registry;
pub use augmentation::Augmentation;
pub use batches::{Batch, Batches, Lesson};
pub use dataset::DataSet;
pub use error::StreamError;
pub use nested::{NestedError, nested_stream};
pub use samples::Samples;
pub use serde;
pub use split::{Domains, Split, SplitSettings};
pub use stream::{Scenario, StreamConfig, Task, TaskStream, Tasks};
pub use typetag;
