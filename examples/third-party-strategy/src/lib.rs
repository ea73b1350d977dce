//! The strategy `exponential-averaging`: an example of a strategy in a crate outside Alluvium.

use alluvium_strategy::registry::{Family, describe};
use alluvium_strategy::{
    Context, DataAccess, Expert, ModelState, RunDescription, Strategy, StrategyConfig, StrategyError,
    average_backbones, take_head,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Exponential averaging: the central backbone moves a fixed fraction of the way to each expert's; each task keeps its head.
///
/// θ_t = (1 − α)·θ_{t−1} + α·θ_expert; the first expert is taken as it is. Unlike in a running mean, the newest expert
/// always weighs the same. A head that several tasks share is averaged like the backbone.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ExponentialAveragingConfig {
    /// α, the weight of the newest expert; with 1, only it counts.
    #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0.0))]
    pub alpha: f32,
}

impl Default for ExponentialAveragingConfig {
    fn default() -> Self {
        ExponentialAveragingConfig { alpha: 0.5 }
    }
}

describe!(Family::Strategy, "exponential-averaging", ExponentialAveragingConfig, paper: "");

#[typetag::serde(name = "exponential-averaging")]
impl StrategyConfig for ExponentialAveragingConfig {
    fn data_access(&self) -> DataAccess {
        DataAccess::None
    }

    fn build(&self, _run: &RunDescription) -> Result<Box<dyn Strategy>, StrategyError> {
        Ok(Box::new(self.clone()))
    }
}

/// The strategy has no state between devices, so the options are also the running strategy.
impl Strategy for ExponentialAveragingConfig {
    fn consolidate(
        &mut self,
        previous: &ModelState,
        expert: &Expert,
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        let alpha = if context.device() == 0 { 1.0 } else { self.alpha };
        let mut central = average_backbones(previous, expert, f64::from(1.0 - alpha))?;
        if central.head(&expert.head().name).is_none() {
            take_head(&mut central, expert);
        }
        Ok(central)
    }
}
