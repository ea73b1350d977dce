//! What is stored while a run goes on, and found again: the stages, and the models that they leave.

mod adapted;
mod central;
mod stages;

pub(crate) use adapted::{AdaptationRecord, Adapted, EXPERT, LATENTS, Latents, latents_to_bytes};
pub(crate) use central::{CENTRAL, Central, HANDED_OUT, identity};
pub use stages::StageCounts;
pub(crate) use stages::{Computed, Files, Interruption, Stages, redo};
