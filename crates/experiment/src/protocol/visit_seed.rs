//! A device's visit to the centre, and the seed of what is random in it. `boundary` limits the number of contacts.

use std::sync::Arc;

use alluvium_device::Terms;
use alluvium_model::Seed;
use serde_json::Value;

/// A device that takes the model for the n-th time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visit {
    /// The device's index in the stream.
    pub(crate) device: usize,
    /// How often it took the model before.
    pub(crate) number: usize,
}

impl Visit {
    /// The seed of the device, different at each visit.
    pub(crate) fn seed(self, root: Seed) -> Seed {
        let first = root.at("device", self.device);
        match self.number {
            0 => first,
            number => first.at("visit", number),
        }
    }

    /// The terms of the visit, without settings, statistics or tensors.
    pub(crate) fn terms(self, root: Seed) -> Terms {
        let Visit { device, number: visit } = self;
        let seed = self.seed(root);
        Terms { device, visit, seed, settings: Value::Null, statistics: vec![], beside: Arc::default(), backbone: None }
    }
}
