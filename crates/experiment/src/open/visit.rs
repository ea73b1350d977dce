//! What an open centre tells about its tasks, and about the visits that are under way.

use alluvium_device::{Announcement, HandOut};
use alluvium_model::HeadSpec;

use crate::protocol::HandedOutModel;
use crate::stored::{Interruption, Stages};

/// A task of the stream of an open centre.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenTask {
    /// Its name.
    pub name: String,
    /// Its head, with the stream's numbers of its classes.
    pub head: HeadSpec,
    /// How often a device took a model for it.
    pub visits: usize,
}

/// A visit under way.
#[derive(Debug, Clone)]
pub struct OpenVisit {
    /// Its number, from 0: the answer names it.
    pub number: usize,
    /// What the device stated.
    pub announced: Announcement,
    /// What the device takes.
    pub hand_out: HandOut,
}

impl OpenVisit {
    /// The visit of a device that took this model, with the model's weights.
    pub(crate) fn load(number: usize, taken: &HandedOutModel, stages: &Stages<'_>) -> Result<Self, Interruption> {
        let hand_out = taken.loaded(taken.terms().clone(), stages)?;
        Ok(OpenVisit { number, announced: taken.announced().clone(), hand_out })
    }
}
