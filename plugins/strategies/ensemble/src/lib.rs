//! The `ensemble` strategy: a model zoo, which keeps every expert.

mod backbone;
mod members;
mod start;
mod strategy;

use alluvium_strategy::registry::{Family, describe};
use alluvium_strategy::{DataAccess, Strategy, StrategyConfig, StrategyError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::strategy::Ensemble;

pub use start::Start;

/// Model zoo: every expert is kept as it is, and each task is answered by its own.
///
/// The central model is an ensemble of all experts. Where the task is known, its head gives the logits of that task's
/// expert: nothing is forgotten, and what an expert does not know no other one adds. A head that comes back with another
/// expert gives the mean of the logits of all experts that had it. Where the task is unknown, the heads of all experts
/// compete, and nothing has made their logits comparable.
///
/// The price is memory and time: the centre keeps one backbone for each device (`stored_bytes`), and every input goes
/// through all of them. No device could adapt that, so it is handed out another model; see `start`. That model has no head:
/// every device begins its own anew, also one whose head the zoo has already.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EnsembleConfig {
    /// What a device takes in place of the ensemble.
    pub start: Start,
}

describe!(Family::Strategy, "ensemble", EnsembleConfig, paper: "");

#[typetag::serde(name = "ensemble")]
impl StrategyConfig for EnsembleConfig {
    fn data_access(&self) -> DataAccess {
        DataAccess::None
    }

    fn build(&self) -> Result<Box<dyn Strategy>, StrategyError> {
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
