//! Stages and their models, stored during a run and found again.

mod adapted;
mod central;
mod stages;

pub(crate) use adapted::{
    AccuracyElsewhere, AdaptationRecord, AdaptedDevice, EXPERT, LATENTS, Latents, latents_to_bytes,
};
pub(crate) use central::{CENTRAL, CentralModel, HANDED_OUT, expert_digest, identity};
pub use stages::StageCounts;
pub(crate) use stages::{Computation, Files, Interruption, MissingStages, Stages, redo};
