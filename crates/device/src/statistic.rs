//! What a device computes of its own samples and sends along with its model.

use std::fmt::Debug;

use alluvium_model::{ModelError, ModelState, Seed, Weights};
use alluvium_stream::TaskDataset;
use burn::tensor::Device as Compute;

/// Something that a device computes of its own samples, once, with its adapted model, and sends along with it: sums over
/// samples, such as a Fisher diagonal or Gram matrices, never the samples.
///
/// A strategy brings it, as part of its configuration; the device computes it, because nobody else has the samples. What
/// it sends counts as bytes that the device moves.
pub trait DeviceStatistic: Debug + Send + Sync {
    /// The name under which the expert carries it: lower case, no dots.
    fn name(&self) -> &str;

    /// Computes it with the adapted model, whose only head is that of the device's task. `compute` is without autodiff.
    ///
    /// # Errors
    /// When the model cannot be run.
    fn compute(
        &self,
        adapted: &ModelState,
        own: &TaskDataset<'_>,
        compute: &Compute,
        seed: Seed,
    ) -> Result<Weights, ModelError>;
}
