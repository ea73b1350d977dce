//! The `naive` strategy: naive fine-tuning, for comparison.

use alluvium_strategy::registry::{Family, describe};
use alluvium_strategy::{
    Context, DataAccess, Expert, ModelState, Piecewise, RunDescription, Strategy, StrategyConfig, StrategyError,
    take_head, value_by_value,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Naive fine-tuning: the expert's backbone replaces the centre's; old heads stay as they were.
///
/// The centre keeps only the newest model, and forgets. In a comparison it shows how much.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NaiveConfig {}

describe!(Family::Strategy, "naive", NaiveConfig, paper: "");

#[typetag::serde(name = "naive")]
impl StrategyConfig for NaiveConfig {
    fn data_access(&self) -> DataAccess {
        DataAccess::None
    }

    fn build(&self, _run: &RunDescription) -> Result<Box<dyn Strategy>, StrategyError> {
        Ok(Box::new(Naive))
    }

    fn piecewise(&self, run: &RunDescription) -> Option<Box<dyn Piecewise>> {
        Some(value_by_value(self, run))
    }
}

#[derive(Debug)]
struct Naive;

impl Strategy for Naive {
    fn consolidate(
        &mut self,
        previous: &ModelState,
        expert: &Expert,
        _context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        let mut central = previous.with_backbone_weights(expert.model.backbone_weights());
        take_head(&mut central, expert);
        Ok(central)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alluvium_strategy::conformance;

    #[test]
    fn conforms() {
        conformance::check("naive");
    }

    #[test]
    fn the_backbone_is_the_experts_and_old_heads_stay() {
        let (previous, expert) = (conformance::central(&["a"], 1), conformance::expert("b", 2));
        let central = conformance::consolidate(&NaiveConfig {}, &previous, &expert);
        assert_eq!(central.backbone_weights(), expert.model.backbone_weights());
        assert_eq!(central.head_weights(&central.heads[0]), previous.head_weights(&previous.heads[0]));
        assert_eq!(central.head_weights(&central.heads[1]), expert.model.head_weights(expert.head()));
    }
}
