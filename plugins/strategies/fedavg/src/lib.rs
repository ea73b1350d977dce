//! The `fedavg` strategy: federated averaging.
//!
//! `average` is the mean of the clients, `server` the step of the centre towards it.

mod average;
mod server;

use alluvium_model::{Expert, ModelState};
use alluvium_strategy::{
    Context, Piecewise, RunDescription, Strategy, StrategyConfig, StrategyError, StrategyState, options, plugin,
    value_by_value,
};

use server::Server;

/// The weight of each client in the mean.
#[options]
pub enum Weighting {
    /// The number of its device's training samples.
    Samples,
    /// The same for all.
    Uniform,
}

/// Federated averaging: the new central model is the mean of the experts of a round.
///
/// w ← Σ_k (n_k / n) w_k over the experts k of a round, where n_k is the device's number of training samples and n their sum
/// (Algorithm 1 of the paper). With a server momentum β and a server learning rate η, the centre moves towards that mean: Δ = w
/// − Σ_k (n_k / n) w_k, v ← βv + Δ, w ← w − ηv (FedAvgM, Hsu et al., arXiv 1909.06335; η as in Reddi et al., arXiv 2003.00295,
/// Algorithm 1). The paper's is β = 0 and η = 1.
///
/// It is made for a protocol with rounds. If experts come one by one, each is a round of its own; without momentum, the
/// centre's backbone is then that of the newest expert.
///
/// A head is averaged over the experts of the round that have it, and moves towards their mean in the same way. A new head is
/// their mean, and a head that no expert has stays as it is. Running statistics of a normalisation are averaged like
/// weights, but without momentum and learning rate, under which a variance could become negative.
#[options]
#[derive(PartialEq)]
pub struct FedavgConfig {
    /// The weight of each expert: `samples`, its number of samples, as in the paper; or `uniform`, the same for all.
    #[default(Weighting::Samples)]
    pub weighting: Weighting,
    /// β, the momentum of the centre's steps; 0 for none.
    #[schemars(range(min = 0.0, max = 0.9999))]
    pub server_momentum: f64,
    /// η, how far the centre moves towards the mean; 1 is all the way.
    #[schemars(range(min = 0.0, max = 100.0))]
    #[default(1.0)]
    pub server_learning_rate: f64,
}

#[plugin(
    kind = "fedavg",
    paper = "McMahan et al., \"Communication-efficient learning of deep networks from decentralized data\", AISTATS \
             2017, arXiv 1602.05629, Algorithm 1; with momentum: Hsu, Qi, Brown, arXiv 1909.06335"
)]
impl StrategyConfig for FedavgConfig {
    fn validate(&self, run: &RunDescription) -> Result<(), StrategyError> {
        let (Some(terms), Some(tasks)) = (&run.protocol, run.tasks) else { return Ok(()) };
        let comes_alone = terms.experts_at_a_time == 1 && terms.visits_per_device == 1 && tasks > 1;
        if !comes_alone || self.server_momentum > 0.0 || self.server_learning_rate != 1.0 {
            return Ok(());
        }
        Err(StrategyError::Misfit {
            problem: format!(
                "averages the experts of a round, but under the protocol \"{}\" they come one by one, and each would replace the \
                 one before it",
                terms.name
            ),
            accepted: "protocol = { kind = \"federated\" }, a `server_learning_rate` below 1, a `server_momentum` above 0, or the \
                       strategy \"naive\", which does the same"
                .to_owned(),
        })
    }

    fn build(&self, _run: &RunDescription) -> Result<Box<dyn Strategy>, StrategyError> {
        let server = Server::new(self.server_momentum, self.server_learning_rate);
        Ok(Box::new(Fedavg { weighting: self.weighting, server }))
    }

    fn piecewise(&self, run: &RunDescription) -> Option<Box<dyn Piecewise>> {
        Some(value_by_value(self, run))
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
