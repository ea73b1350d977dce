//! The accuracies of devices after a fraction of their budget.

use serde::{Deserialize, Serialize};

use crate::mean::mean;

/// The accuracies of the devices of one cell after a fraction of their budget.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EarlyAccuracy {
    /// The fraction of its budget that each device had spent, between 0 and 1.
    pub budget: f64,
    /// The accuracy of each device on its own task at that point, in the order of
    /// [`Cell::expert_accuracy`](crate::Cell::expert_accuracy).
    pub accuracy: Vec<f64>,
    /// The same for the same devices started from the initial weights, in the order of
    /// [`Cell::alone_accuracy`](crate::Cell::alone_accuracy).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alone: Vec<f64>,
}

impl EarlyAccuracy {
    /// The mean accuracy of the devices.
    pub fn mean(&self) -> Option<f64> {
        mean(self.accuracy.iter().copied())
    }

    /// The gain of the devices from starting at the centre: the mean over the devices after the first.
    pub fn forward_transfer(&self) -> Option<f64> {
        forward_transfer(&self.accuracy, &self.alone)
    }
}

/// The mean, over the devices after the first, of (accuracy started from the centre − accuracy started from the initial
/// weights).
///
/// The first device is left out. It starts from the initial weights in both cases, so its difference is always 0.
pub(crate) fn forward_transfer(from_centre: &[f64], alone: &[f64]) -> Option<f64> {
    if from_centre.len() != alone.len() {
        return None;
    }
    mean(from_centre.iter().zip(alone).skip(1).map(|(from_centre, alone)| from_centre - alone))
}
