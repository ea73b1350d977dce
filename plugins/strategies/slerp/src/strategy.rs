//! The running strategy. It keeps no state between devices.

use alluvium_model::{BACKBONE, Numbers, Values};
use alluvium_strategy::{Context, Expert, ModelState, Strategy, StrategyError, is_statistic, take_head};

use crate::arc::{Products, TensorProducts, WeightedSum};

#[derive(Debug)]
pub(crate) struct Slerp {
    expert_weight: f64,
    /// The products of whole tensors for each expert. Empty unless the strategy works in pieces, which do not show them.
    found: Vec<TensorProducts>,
}

impl Slerp {
    pub(crate) fn new(expert_weight: f64, found: Vec<TensorProducts>) -> Self {
        Slerp { expert_weight, found }
    }

    /// The tensor of this full name, between the centre's and the expert's.
    fn between(&self, context: &Context<'_>, tensor: &str, own: &Values, other: &Values) -> Numbers {
        let found = self.found.get(context.device()).and_then(|found| found.get(tensor));
        let products = found.copied().unwrap_or_else(|| Products::of(&own.numbers, &other.numbers));
        let (own_weight, other_weight) = products.weights(self.expert_weight);
        own.numbers.combine(&other.numbers, &WeightedSum(own_weight, other_weight))
    }
}

impl Strategy for Slerp {
    fn consolidate(
        &mut self,
        previous: &ModelState,
        expert: &Expert,
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        if previous.heads.is_empty() {
            return Ok(expert.model.clone()); // The centre has learned nothing yet.
        }
        let t = self.expert_weight;
        let backbone =
            previous.backbone_weights().combine_named(&expert.model.backbone_weights(), |name, own, other| {
                if is_statistic(name) {
                    own.numbers.combine(&other.numbers, &WeightedSum(1.0 - t, t))
                } else {
                    self.between(context, &format!("{BACKBONE}.{name}"), own, other)
                }
            })?;
        let mut central = previous.with_backbone_weights(backbone);
        match previous.head(&expert.head().name) {
            Some(head) => {
                let theirs = expert.model.head_weights(expert.head());
                let both = previous.head_weights(head).combine_named(&theirs, |name, own, other| {
                    self.between(context, &format!("{}.{name}", head.prefix()), own, other)
                })?;
                central.set_head(head.clone(), both);
            }
            None => take_head(&mut central, expert),
        }
        Ok(central)
    }
}
