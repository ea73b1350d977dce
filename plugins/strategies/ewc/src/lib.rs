//! The `ewc` strategy: elastic weight consolidation.
//!
//! `config` holds the options, `strategy` the running strategy and what it keeps, `anchored` the pull towards the weights
//! that were right before.

mod anchored;
mod config;
mod strategy;

use alluvium_strategy::registry::{Family, describe};
use alluvium_strategy::{DataAccess, RunDescription, Strategy, StrategyConfig, StrategyError};

use strategy::Ewc;

pub use config::{EwcConfig, Penalties};

describe!(
    Family::Strategy,
    "ewc",
    EwcConfig,
    paper: "Kirkpatrick et al., \"Overcoming catastrophic forgetting in neural networks\", PNAS 2017, arXiv 1612.00796; \
            online: Schwarz et al., \"Progress & compress\", ICML 2018, arXiv 1805.06370"
);

#[typetag::serde(name = "ewc")]
impl StrategyConfig for EwcConfig {
    fn data_access(&self) -> DataAccess {
        DataAccess::CurrentTask
    }

    fn build(&self, _run: &RunDescription) -> Result<Box<dyn Strategy>, StrategyError> {
        Ok(Box::new(Ewc::new(self.clone())))
    }
}
