//! The `fedavg` strategy: federated averaging.
//!
//! `average` is the mean of the clients, `server` the step of the centre towards it.

mod average;
mod server;

use alluvium_model::{Expert, ModelState};
use alluvium_strategy::registry::{Family, describe};
use alluvium_strategy::{
    Context, DataAccess, Piecewise, Strategy, StrategyConfig, StrategyError, StrategyState, value_by_value,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use server::Server;

/// By what each client counts in the mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Weighting {
    /// By how many training samples its device has.
    Samples,
    /// All alike.
    Uniform,
}

/// Federated averaging: the new central model is the mean of the experts of a round.
///
/// w ← Σ_k (n_k / n) w_k over the experts k of a round, where n_k is how many training samples the device has and n their sum
/// (Algorithm 1 of the paper). With a server momentum β and a server learning rate η, the centre goes towards that mean: Δ = w
/// − Σ_k (n_k / n) w_k, v ← βv + Δ, w ← w − ηv (FedAvgM, Hsu et al., arXiv 1909.06335; η as in Reddi et al., arXiv 2003.00295,
/// Algorithm 1). The paper's is β = 0 and η = 1.
///
/// It is made for a protocol with rounds. Where experts come one by one, each is a round of its own: without momentum, the
/// centre's backbone is then the newest expert's.
///
/// A head is averaged over the experts of the round that bring it, and goes towards their mean in the same way; a head that is
/// new is their mean, and one that nobody brings stays as it is. Running statistics of a normalisation are averaged like
/// weights, but without momentum and learning rate, under which a variance could become negative.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FedavgConfig {
    /// By what each expert counts: by its `samples`, as in the paper, or `uniform`, all alike.
    pub weighting: Weighting,
    /// β, the momentum of the centre's steps; 0: none.
    #[schemars(range(min = 0.0, max = 0.9999))]
    pub server_momentum: f64,
    /// η, how far the centre goes towards the mean; 1: all the way.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub server_learning_rate: f64,
}

impl Default for FedavgConfig {
    fn default() -> Self {
        FedavgConfig { weighting: Weighting::Samples, server_momentum: 0.0, server_learning_rate: 1.0 }
    }
}

describe!(
    Family::Strategy,
    "fedavg",
    FedavgConfig,
    paper: "McMahan et al., \"Communication-efficient learning of deep networks from decentralized data\", AISTATS 2017, arXiv \
            1602.05629, Algorithm 1; with momentum: Hsu, Qi, Brown, arXiv 1909.06335"
);

#[typetag::serde(name = "fedavg")]
impl StrategyConfig for FedavgConfig {
    fn data_access(&self) -> DataAccess {
        DataAccess::None
    }

    fn build(&self) -> Result<Box<dyn Strategy>, StrategyError> {
        let server = Server::new(self.server_momentum, self.server_learning_rate);
        Ok(Box::new(Fedavg { weighting: self.weighting, server }))
    }

    fn piecewise(&self) -> Option<Box<dyn Piecewise>> {
        Some(value_by_value(self))
    }
}

#[derive(Debug)]
struct Fedavg {
    weighting: Weighting,
    server: Server,
}

impl Strategy for Fedavg {
    fn consolidate(
        &mut self,
        previous: &ModelState,
        expert: &Expert,
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        self.consolidate_round(previous, &[expert], context)
    }

    fn consolidate_round(
        &mut self,
        previous: &ModelState,
        experts: &[&Expert],
        _context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        if experts.is_empty() {
            return Ok(previous.clone());
        }
        let mean = average::mean(previous, experts, self.weighting)?;
        let weights = self.server.step(&previous.weights, &mean)?;
        let mut heads = previous.heads.clone();
        for head in experts.iter().map(|expert| expert.head()) {
            if !heads.iter().any(|own| own.name == head.name) {
                heads.push(head.clone());
            }
        }
        Ok(ModelState { heads, weights, ..previous.clone() })
    }

    fn state(&self) -> StrategyState {
        StrategyState { weights: self.server.velocity().clone(), ..Default::default() }
    }

    fn restore(&mut self, state: StrategyState) -> Result<(), StrategyError> {
        self.server.restore(state.weights).map_err(StrategyError::State)
    }
}

#[cfg(test)]
mod tests;
