//! The statistic that a device computes and sends along: the Fisher information of each of its weights.

use alluvium_model::{ModelError, Weights};
use alluvium_strategy::{DeviceStatistic, FisherLabels, StatisticRequest, fisher, is_statistic};

/// The name of the statistic: F of every weight of backbone and head, by full names.
pub(crate) const FISHER: &str = "fisher";

/// The diagonal of the Fisher information, estimated on a limited number of samples.
#[derive(Debug)]
pub(crate) struct Information {
    pub(crate) labels: FisherLabels,
    pub(crate) samples: usize,
}

impl DeviceStatistic for Information {
    fn name(&self) -> &str {
        FISHER
    }

    fn compute(&self, request: &StatisticRequest<'_>) -> Result<Weights, ModelError> {
        let StatisticRequest { adapted, own, compute, seed, .. } = *request;
        let all = fisher(adapted, &own, self.labels, self.samples, seed, compute)?;
        // Running statistics are not parameters, so their F is not sent.
        Ok(all.iter().filter(|(name, _)| !is_statistic(name)).map(|(name, f)| (name.to_owned(), f.clone())).collect())
    }
}
