//! The `ensemble` strategy: a model zoo, which keeps every expert.

mod backbone;
mod members;
mod start;
mod strategy;

use alluvium_strategy::{RunDescription, Strategy, StrategyConfig, StrategyError, options, plugin};

use crate::strategy::Ensemble;

pub use start::Start;

/// Model zoo: keeps every expert as it is, and answers each task with its own expert.
///
/// The central model is an ensemble of all experts. If the task is known, its head gives the logits of that task's expert:
/// nothing is forgotten, and nothing is gained from other experts. A head that comes back with another expert gives the mean
/// of the logits of all experts that had it. If the task is unknown, the heads of all experts compete, although their logits
/// were never made comparable.
///
/// The price is memory and time: the centre keeps one backbone per device (`stored_bytes`), and every input goes through all
/// of them. Devices cannot adapt an ensemble, so they get another model; see `start`. That model has no heads: every device
/// starts with a new head, even if the zoo already has a head of that name.
#[options]
pub struct EnsembleConfig {
    /// The model that a device takes instead of the ensemble.
    pub start: Start,
}

#[plugin(kind = "ensemble")]
impl StrategyConfig for EnsembleConfig {
    fn validate(&self, run: &RunDescription) -> Result<(), StrategyError> {
        run.linear_heads("adds up heads that are linear maps of the latents")?;
        match run.protocol.as_ref().filter(|terms| terms.visits_per_device > 1) {
            Some(terms) if self.start == Start::Initial => Err(StrategyError::Option {
                option: "start",
                problem: format!(
                    "= \"initial\" gives every device the initial model, so a device that comes back under the protocol \"{}\" \
                     begins again",
                    terms.name
                ),
                accepted: "\"latest\", or a protocol in which a device takes part once".to_owned(),
            }),
            _ => Ok(()),
        }
    }

    fn build(&self, _run: &RunDescription) -> Result<Box<dyn Strategy>, StrategyError> {
        Ok(Box::new(Ensemble::new(self.start)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alluvium_strategy::conformance;

    #[test]
    fn conforms() {
        conformance::check("ensemble");
        conformance::check_config(&EnsembleConfig { start: Start::Latest });
    }
}
