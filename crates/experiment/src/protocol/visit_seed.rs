//! A device's visit to the centre, and the seed of what is random in it. `boundary` limits the number of contacts.

use alluvium_model::Seed;

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
}
