//! The devices of one seed: the stream, its tasks, and the adaptation to them.

mod first_model;
mod further;
mod heads;
mod outlines;
mod own_networks;
mod shared;
mod stated;
mod task_note;

use first_model::first_model;
pub(crate) use further::FurtherTests;
pub(crate) use heads::SharedHeads;
pub(crate) use own_networks::OwnModels;
pub(crate) use shared::{DeviceRequest, SharedSetup, Statistics, workers};
pub(crate) use task_note::TaskNote;
