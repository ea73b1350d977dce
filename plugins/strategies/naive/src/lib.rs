//! The `naive` strategy: naive fine-tuning, for comparison.

use alluvium_strategy::{Context, Expert, ModelState, Strategy, StrategyError, strategy, take_head};

/// Naive fine-tuning: the expert's backbone replaces the centre's; old heads stay as they were.
///
/// The centre keeps only the newest model, and forgets. In a comparison it shows how much.
#[strategy(kind = "naive", piecewise)]
pub struct Naive {}

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
        let central = conformance::consolidate(&Naive {}, &previous, &expert);
        assert_eq!(central.backbone_weights(), expert.model.backbone_weights());
        assert_eq!(central.head_weights(&central.heads[0]), previous.head_weights(&previous.heads[0]));
        assert_eq!(central.head_weights(&central.heads[1]), expert.model.head_weights(expert.head()));
    }
}
