//! What merging strategies keep of the experts they received, and the central model that they make from merged weights.

use std::collections::BTreeMap;

use alluvium_model::{BACKBONE, Expert, ModelState, Weights};

use crate::parameters::is_statistic;
use crate::start::{Mean, average_head};
use crate::{StrategyError, StrategyState, take_head};

/// The number of experts so far, and the number of experts that had each head.
#[derive(Debug, Clone, Default)]
pub struct Received {
    experts: u32,
    heads: BTreeMap<String, u32>,
}

const EXPERTS: &str = "experts";
const HEADS: &str = "heads";

impl Received {
    /// Counts one more expert. A head that `previous` has, but no expert had, counts as the head of one expert.
    ///
    /// # Errors
    /// When the expert's weights are not finite; the message names the tensor.
    pub fn receive(&mut self, previous: &ModelState, expert: &Expert) -> Result<(), StrategyError> {
        expert.model.weights.check_finite()?;
        self.experts += 1;
        let name = &expert.head().name;
        let before = previous.head(name).map(|_| self.heads.get(name).copied().unwrap_or(1));
        self.heads.insert(name.clone(), before.unwrap_or_default() + 1);
        Ok(())
    }

    /// The number of experts so far.
    pub fn experts(&self) -> u32 {
        self.experts
    }

    /// The number of experts that had the head of this name.
    pub fn with_head(&self, name: &str) -> u32 {
        self.heads.get(name).copied().unwrap_or_default()
    }

    /// The new central model after `expert` was received: `previous` with the tensors of `merged`, under their full names
    /// (`backbone.…`, `heads.NAME.…`), and with the expert's head.
    ///
    /// Tensors that are not in `merged` are averaged: those of the backbone over all experts so far, those of a returning head
    /// over the experts that had it. A new head is copied from the expert. Heads of other tasks stay as they are.
    ///
    /// # Errors
    /// When the models do not fit together; the message names the tensor.
    pub fn central(
        &self,
        previous: &ModelState,
        expert: &Expert,
        merged: &Weights,
    ) -> Result<ModelState, StrategyError> {
        let share_before = |count: u32| f64::from(count.saturating_sub(1)) / f64::from(count.max(1));
        let average = Mean(share_before(self.experts));
        let backbone = previous.backbone_weights().combine_named(
            &expert.model.backbone_weights(),
            |name, old, new| match merged.get(&format!("{BACKBONE}.{name}")) {
                Some(merged) => merged.numbers.clone(),
                None => old.numbers.combine(&new.numbers, &average),
            },
        )?;
        let mut central = previous.with_backbone_weights(backbone);
        let head = expert.head();
        if central.head(&head.name).is_some() {
            average_head(&mut central, expert, share_before(self.with_head(&head.name)))?;
        } else {
            take_head(&mut central, expert);
        }
        let merged_head = merged.below(&head.prefix());
        if !merged_head.is_empty() {
            central.set_head(head.clone(), merged_head);
        }
        Ok(central)
    }

    /// The state to store, under `experts` and `heads`. A strategy adds its own values and weights under other names.
    pub fn state(&self) -> StrategyState {
        let heads = serde_json::to_value(&self.heads).unwrap_or_default();
        let values = [(EXPERTS.to_owned(), self.experts.into()), (HEADS.to_owned(), heads)].into();
        StrategyState { values, weights: Weights::new() }
    }

    /// Restores what [`state`](Self::state) returned.
    ///
    /// # Errors
    /// [`StrategyError::State`], which says what is missing.
    pub fn restore(state: &StrategyState) -> Result<Self, StrategyError> {
        let experts = state.values.get(EXPERTS).and_then(|value| value.as_u64()?.try_into().ok());
        let experts = experts.ok_or_else(|| StrategyError::State(format!("`{EXPERTS}` is not a count")))?;
        let heads = state.values.get(HEADS).and_then(|value| serde_json::from_value(value.clone()).ok());
        let heads = heads.ok_or_else(|| StrategyError::State(format!("`{HEADS}` is not a table of counts")))?;
        Ok(Received { experts, heads })
    }
}

/// The parameters of an expert and of its head by their full names, without running statistics.
pub fn expert_parameters(expert: &Expert) -> Weights {
    let parameters = expert.model.weights.iter().filter(|(name, _)| !is_statistic(name));
    parameters.map(|(name, tensor)| (name.to_owned(), tensor.clone())).collect()
}

#[cfg(all(test, feature = "conformance"))]
mod tests {
    use alluvium_model::Values;

    use super::*;
    use crate::conformance::{central, expert};

    fn values(model: &ModelState, name: &str) -> Vec<f32> {
        model.weights.get(name).unwrap().as_f32().unwrap().to_vec()
    }

    #[test]
    fn merged_tensors_are_taken_and_the_others_averaged() {
        let mut received = Received::default();
        let (first, second) = (expert("a", 1), expert("a", 2));
        received.receive(&central(&[], 0), &first).unwrap();
        let before = received.central(&central(&[], 0), &first, &Weights::new()).unwrap();
        assert_eq!(before.weights, first.model.weights, "the mean of one");

        received.receive(&before, &second).unwrap();
        assert_eq!((received.experts(), received.with_head("a"), received.with_head("b")), (2, 2, 0));
        let sevens = |(name, count): (&str, usize)| (name.to_owned(), Values::new(vec![count], vec![7.0; count]));
        let merged = [("backbone.layer.bias", 4), ("heads.a.bias", 2)].map(sevens);
        let after = received.central(&before, &second, &merged.into_iter().collect()).unwrap();
        assert_eq!(values(&after, "backbone.layer.bias"), [7.0; 4]);
        assert_eq!(values(&after, "heads.a.bias"), [7.0; 2]);
        for name in ["backbone.layer.weight", "heads.a.weight"] {
            let pairs = values(&first.model, name).into_iter().zip(values(&second.model, name));
            let expected: Vec<_> = pairs.map(|(first, second)| 0.5 * first + 0.5 * second).collect();
            assert_eq!(values(&after, name), expected, "{name}");
        }
    }
}
