//! Statistics that a device computes from its samples and sends along with its model.

use std::fmt::Debug;

use alluvium_model::{ModelError, ModelState, Seed, Weights};
use alluvium_stream::TaskDataset;
use burn::tensor::Device as Compute;

use crate::Beside;

/// A statistic of a device's samples. The device computes it once, with its adapted model, and sends it along. It
/// consists of sums over samples, such as a Fisher diagonal or Gram matrices, never of the samples.
///
/// A strategy's configuration provides it; the device computes it, because only the device has the samples. Its bytes
/// count as communication of the device.
pub trait DeviceStatistic: Debug + Send + Sync {
    /// The name under which the expert carries it: lower case, no dots.
    fn name(&self) -> &str;

    /// Computes the statistic with the adapted model, whose only head is that of the device's task. `beside` are the tensors
    /// that were handed out beside the model. `compute` is without autodiff. Sums may have 64 bits.
    ///
    /// # Errors
    /// When the model cannot be run.
    fn compute(
        &self,
        adapted: &ModelState,
        own: &TaskDataset<'_>,
        beside: &Beside,
        compute: &Compute,
        seed: Seed,
    ) -> Result<Weights, ModelError>;
}
