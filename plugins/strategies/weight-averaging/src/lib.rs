//! The `weight-averaging` strategy: the running mean of all experts' backbones.

use alluvium_strategy::{
    Context, Expert, ModelState, Strategy, StrategyError, StrategyState, average_backbones, strategy, take_head,
};

/// Weight averaging: the central backbone is the running mean of the experts' backbones; each task keeps its head.
///
/// θ_t = (t·θ_{t−1} + θ_expert) / (t + 1), where t counts the experts before this one: the first expert becomes the
/// central model unchanged. A head that several tasks share is averaged like the backbone, over the experts that had it.
#[strategy(
    kind = "weight-averaging",
    piecewise,
    paper = "McMahan et al., \"Communication-efficient learning of deep networks from decentralized data\", AISTATS \
             2017 (averaging); here sequential, as in Carta et al., arXiv 2303.15888"
)]
pub struct WeightAveraging {
    /// The number of experts in the mean.
    #[state]
    experts: u32,
}

impl Strategy for WeightAveraging {
    fn consolidate(
        &mut self,
        previous: &ModelState,
        expert: &Expert,
        _context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        let before = f64::from(self.experts);
        let mut central = average_backbones(previous, expert, before / (before + 1.0))?;
        if central.head(&expert.head().name).is_none() {
            take_head(&mut central, expert);
        }
        self.experts += 1;
        Ok(central)
    }

    fn state(&self) -> StrategyState {
        StrategyState { values: [("experts".to_owned(), self.experts.into())].into(), ..Default::default() }
    }

    fn restore(&mut self, state: StrategyState) -> Result<(), StrategyError> {
        let experts = state.values.get("experts").and_then(|value| value.as_u64()?.try_into().ok());
        self.experts = experts.ok_or_else(|| StrategyError::State("`experts` is not a count".to_owned()))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alluvium_strategy::{RunDescription, StrategyConfig, conformance, registry};

    #[test]
    fn conforms() {
        conformance::check("weight-averaging");
    }

    #[test]
    fn the_number_of_experts_is_a_state_and_not_an_option() {
        let description = registry::find(registry::Family::Strategy, "weight-averaging").unwrap();
        assert!(description.options().is_empty());
    }

    #[test]
    fn three_experts_average_to_their_mean() {
        let mut strategy = WeightAveraging::default().build(&RunDescription::default()).unwrap();
        let experts = [conformance::expert("a", 1), conformance::expert("b", 2), conformance::expert("c", 3)];
        let mut central = conformance::central(&[], 9);
        for expert in &experts {
            central = strategy.consolidate(&central, expert, &mut conformance::context()).unwrap();
        }
        // The mean computed at once, not as a running mean.
        let backbones = experts.each_ref().map(|expert| expert.model.backbone_weights());
        for (name, averaged) in central.backbone_weights().iter() {
            let each = backbones.each_ref().map(|weights| weights.get(name).unwrap().as_f32().unwrap());
            for (index, value) in averaged.as_f32().unwrap().iter().enumerate() {
                let mean = each.iter().map(|values| f64::from(values[index])).sum::<f64>() / 3.0;
                assert!((f64::from(*value) - mean).abs() < 1e-6, "{name}[{index}]");
            }
        }
        assert_eq!(central.heads.len(), 3);
    }
}
