//! The `fisher-merging` strategy: each weight is averaged over the experts by how much it matters to each of them.

mod information;

use std::sync::Arc;

use alluvium_model::{BACKBONE, Values, Weights};
use alluvium_strategy::{
    Context, DeviceStatistic, Expert, FisherLabels, ModelState, Received, RunDescription, Strategy, StrategyConfig,
    StrategyError, StrategyState, expert_parameters, options, plugin,
};

use information::{FISHER, Information};

/// Fisher merging: each weight is averaged over all experts, weighted by its Fisher information; each task keeps its head.
///
/// θ_j = Σ_i λ_i F_ij θ_ij / Σ_i λ_i F_ij for each weight j, over all experts i so far, with λ_i = 1. This is the most likely
/// point under all experts together, if the weights of each expert are normally distributed around its own with the precision
/// F_i. F_i is the diagonal of the Fisher information. The device estimates it on its own samples with its adapted model, and
/// sends it along: one 32-bit number for each weight of backbone and head, which doubles the bytes that it sends.
///
/// As in the authors' code, each F_i is divided by its norm, so that experts count the same whatever the size of their
/// gradients, and F_ij has a small minimum. In that code the minimum is applied before the norm, and to only one of the models;
/// here it is applied after the norm and to all, so that it means the same for all. If F is below it for all experts, the
/// result is their plain mean. One label is drawn per sample; the paper takes the mean over all labels.
///
/// A new head is copied from the expert; one that comes back is merged in the same way. Running statistics of a normalisation
/// are averaged over the experts. Between devices it keeps ΣF and ΣFθ, two numbers per weight, for any number of devices.
#[options]
#[derive(PartialEq)]
pub struct FisherMergingConfig {
    /// Which labels the Fisher information is estimated with. `true`, the default, is the paper's.
    #[default(FisherLabels::True)]
    pub fisher_labels: FisherLabels,
    /// The largest number of samples that a device estimates the Fisher information on. Each sample costs one gradient.
    #[schemars(range(min = 1, max = 10_000_000))]
    #[default(500)]
    pub fisher_samples: usize,
    /// Whether each expert's Fisher information is divided by its norm, the root mean square over the weights of the
    /// backbone.
    #[default(true)]
    pub normalise: bool,
    /// The minimum of a weight's Fisher information. With `normalise`, 1 is the root mean square over a backbone.
    #[schemars(range(min = 1e-30, max = 1.0))]
    #[default(1e-6)]
    pub floor: f64,
}

#[plugin(
    kind = "fisher-merging",
    paper = "Matena & Raffel, \"Merging models with Fisher-weighted averaging\", NeurIPS 2022, arXiv 2111.09832"
)]
impl StrategyConfig for FisherMergingConfig {
    fn statistics(&self) -> Vec<Arc<dyn DeviceStatistic>> {
        vec![Arc::new(Information { labels: self.fisher_labels, samples: self.fisher_samples })]
    }

    fn build(&self, _run: &RunDescription) -> Result<Box<dyn Strategy>, StrategyError> {
        let config = self.clone();
        Ok(Box::new(FisherMerging { config, received: Default::default(), sums: Sums::default() }))
    }
}

#[derive(Debug)]
struct FisherMerging {
    config: FisherMergingConfig,
    received: Received,
    sums: Sums,
}

/// ΣF and ΣFθ of each weight over the experts that had it, by full names.
#[derive(Debug, Default)]
struct Sums {
    fisher: Weights,
    weighted: Weights,
}

const WEIGHTED: &str = "weighted";

impl FisherMergingConfig {
    /// F as used in the mean: with the same norm for every expert, and at least the minimum.
    fn importance(&self, fisher: &Weights) -> Weights {
        let norm = if self.normalise { root_mean_square(&fisher.below(BACKBONE)) } else { 1.0 };
        // F that is 0 everywhere cannot be scaled.
        let norm = if norm > 0.0 { norm } else { 1.0 };
        let of = |tensor: &Values| tensor.map(|value| (value / norm).max(self.floor));
        fisher.iter().map(|(name, tensor)| (name.to_owned(), of(tensor))).collect()
    }
}

fn root_mean_square(weights: &Weights) -> f64 {
    let values = weights.iter().flat_map(|(_, tensor)| tensor.numbers.exact().into_owned());
    let squares = values.map(|value| value.powi(2));
    (squares.sum::<f64>() / weights.values().max(1) as f64).sqrt()
}

impl Sums {
    /// Adds an expert: the F of each of its weights, and the weights.
    fn add(&mut self, fisher: &Weights, weights: &Weights) -> Result<(), StrategyError> {
        let weighted = fisher.combine(weights, |fisher, weight| fisher * weight)?;
        for (sums, own) in [(&mut self.fisher, fisher), (&mut self.weighted, &weighted)] {
            own.iter().try_for_each(|(name, tensor)| sums.accumulate(name, tensor))?;
        }
        Ok(())
    }

    /// ΣFθ / ΣF.
    fn merged(&self) -> Result<Weights, StrategyError> {
        Ok(self.weighted.combine(&self.fisher, |weighted, fisher| weighted / fisher)?)
    }
}

impl Strategy for FisherMerging {
    fn consolidate(
        &mut self,
        previous: &ModelState,
        expert: &Expert,
        _context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        let importance = self.config.importance(expert.statistic(FISHER)?);
        self.received.receive(previous, expert)?;
        self.sums.add(&importance, &expert_parameters(expert))?;
        self.received.central(previous, expert, &self.sums.merged()?)
    }

    fn state(&self) -> StrategyState {
        let mut state = self.received.state();
        state.weights.extend_below(FISHER, self.sums.fisher.clone());
        state.weights.extend_below(WEIGHTED, self.sums.weighted.clone());
        state
    }

    fn restore(&mut self, state: StrategyState) -> Result<(), StrategyError> {
        self.received = Received::restore(&state)?;
        self.sums = Sums { fisher: state.weights.below(FISHER), weighted: state.weights.below(WEIGHTED) };
        self.sums.merged().map_err(|error| StrategyError::State(error.to_string()))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
