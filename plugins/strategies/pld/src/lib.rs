//! The `pld` strategy: data-agnostic consolidation with double distillation and projected latent distillation.
//!
//! A. Carta, A. Cossu, V. Lomonaco, D. Bacciu, J. van de Weijer, "Projected latent distillation for data-agnostic
//! consolidation in distributed continual learning", arXiv 2303.15888. A student learns from two frozen teachers, the
//! previous central model and the expert, on surrogate data: in the output space (L_KD) and, through projections that
//! are discarded afterwards, in the latent space (L_PLD). L = L_KD + λ·L_PLD.

mod config;
mod loss;
mod projections;
mod recalibration;
mod strategy;

use alluvium_strategy::registry::{Family, describe};
use alluvium_strategy::{DataAccess, RunDescription, Strategy, StrategyConfig, StrategyError};

use strategy::Pld;

pub use config::{BatchNorm, Data, LatentLoss, OutputLoss, PldConfig, Projection};

describe!(
    Family::Strategy,
    "pld",
    PldConfig,
    paper: "Carta, Cossu, Lomonaco, Bacciu, van de Weijer, \"Projected latent distillation for data-agnostic \
            consolidation in distributed continual learning\", arXiv 2303.15888"
);

#[typetag::serde(name = "pld")]
impl StrategyConfig for PldConfig {
    fn data_access(&self) -> DataAccess {
        match self.data {
            Data::Surrogate => DataAccess::Surrogate,
            Data::CurrentTask => DataAccess::CurrentTask,
        }
    }

    fn build(&self, _run: &RunDescription) -> Result<Box<dyn Strategy>, StrategyError> {
        let nothing = |a: f64, b: f64| a == 0.0 && b == 0.0;
        let refuse = |option, other| {
            let accepted = format!("one of `{option}` and `{other}` greater than 0");
            Err(StrategyError::Option {
                option,
                problem: format!("and `{other}` are both 0: nothing would be learned"),
                accepted,
            })
        };
        if nothing(self.output_weight, self.latent_weight) {
            return refuse("output_weight", "latent_weight");
        }
        if nothing(self.previous_weight, self.expert_weight) {
            return refuse("previous_weight", "expert_weight");
        }
        Ok(Box::new(Pld::new(self.clone())))
    }
}
