//! How well devices did when only a part of their budget was spent.

use serde::{Deserialize, Serialize};

use crate::mean::mean;

/// The accuracies of the devices of one cell after a part of their budget.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EarlyAccuracy {
    /// The part of its budget that each device had spent, between 0 and 1.
    pub budget: f64,
    /// Each device's accuracy on its own task then, in the order of [`Cell::expert_accuracy`](crate::Cell::expert_accuracy).
    pub accuracy: Vec<f64>,
    /// The same of the same devices started from the initial weights, in the order of
    /// [`Cell::alone_accuracy`](crate::Cell::alone_accuracy).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alone: Vec<f64>,
}

impl EarlyAccuracy {
    /// The mean accuracy of the devices.
    pub fn mean(&self) -> Option<f64> {
        mean(self.accuracy.iter().copied())
    }

    /// What the devices gained by starting from the centre: mean over the devices after the first.
    pub fn forward_transfer(&self) -> Option<f64> {
        forward_transfer(&self.accuracy, &self.alone)
    }
}

/// mean over the devices after the first of (accuracy started from the centre − started from the initial weights).
///
/// The first device is left out: the centre *is* the initial weights then, so its difference is 0 by construction and would
/// only dilute the others.
pub(crate) fn forward_transfer(from_centre: &[f64], alone: &[f64]) -> Option<f64> {
    if from_centre.len() != alone.len() {
        return None;
    }
    mean(from_centre.iter().zip(alone).skip(1).map(|(from_centre, alone)| from_centre - alone))
}
