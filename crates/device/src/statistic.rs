//! Statistics that a device computes from its samples and sends along with its model.

use std::fmt::Debug;
use std::sync::Arc;

use alluvium_model::{Expert, ModelError, ModelState, Seed, Weights};
use alluvium_stream::TaskDataset;
use burn::tensor::Device as Compute;

use crate::{Beside, DeviceError, HandOut, OwnTask};

/// What a device computes a statistic from.
#[derive(Debug, Clone, Copy)]
pub struct StatisticRequest<'a> {
    /// The model that the device took.
    pub taken: &'a ModelState,
    /// The model that it adapted. Its only head is that of the device's task.
    pub adapted: &'a ModelState,
    /// The device's own samples.
    pub own: TaskDataset<'a>,
    /// The tensors that were handed out beside the model.
    pub beside: &'a Beside,
    /// The compute device, without autodiff.
    pub compute: &'a Compute,
    /// The seed of everything random.
    pub seed: Seed,
}

/// An input that was reconstructed from a statistic.
#[derive(Debug, Clone, PartialEq)]
pub struct Reconstruction {
    /// What it stands for, such as "mean".
    pub what: &'static str,
    /// Its class.
    pub class: usize,
    /// Its values, as a backbone is given them.
    pub values: Vec<f32>,
}

/// A statistic of a device's samples. The device computes it once, with its adapted model, and sends it along. It
/// consists of sums over samples, such as a Fisher diagonal or Gram matrices, never of the samples.
///
/// A strategy's configuration provides it; the device computes it, because only the device has the samples. Its bytes
/// count as communication of the device.
pub trait DeviceStatistic: Debug + Send + Sync {
    /// The name under which the expert carries it: lower case, no dots.
    fn name(&self) -> &str;

    /// What it tells of the device's samples, as words that follow "it sends"; stated below the table. Default: nothing is stated.
    fn tells(&self) -> Option<String> {
        None
    }

    /// A probe of what it gives away: inputs that someone reconstructs who has only the statistic of this request, and what was handed
    /// out. Default: none.
    ///
    /// # Errors
    /// As [`compute`](Self::compute).
    fn reconstructed(&self, _request: &StatisticRequest<'_>) -> Result<Vec<Reconstruction>, ModelError> {
        Ok(vec![])
    }

    /// Computes the statistic. Sums may have 64 bits.
    ///
    /// # Errors
    /// When the model cannot be run.
    fn compute(&self, request: &StatisticRequest<'_>) -> Result<Weights, ModelError>;
}

/// Computes the statistics that a device is asked for, and adds them to its expert.
///
/// # Errors
/// [`DeviceError::Statistic`] when one cannot be computed or is not finite.
pub fn with_statistics(
    expert: Expert,
    taken: &HandOut,
    own: OwnTask<'_>,
    statistics: &[Arc<dyn DeviceStatistic>],
    compute: &Compute,
) -> Result<Expert, DeviceError> {
    let compute_one = |statistic: &Arc<dyn DeviceStatistic>| {
        let name = statistic.name();
        let request = StatisticRequest {
            taken: &taken.model,
            adapted: &expert.model,
            own: own.dataset,
            beside: &taken.terms.beside,
            compute,
            seed: taken.terms.seed.of("statistic").of(name),
        };
        let computed = statistic.compute(&request);
        let computed = computed.and_then(|weights| weights.check_finite().map(|()| weights));
        let failed = |cause| DeviceError::Statistic {
            task: own.name.to_owned(),
            statistic: name.to_owned(),
            cause: Box::new(cause),
        };
        Ok((name.to_owned(), computed.map_err(failed)?))
    };
    let statistics = statistics.iter().map(compute_one).collect::<Result<_, _>>()?;
    Ok(expert.with_statistics(statistics))
}
