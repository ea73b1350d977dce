//! The running strategy: it adds experts to the ensemble, and hands out another model to devices.

use std::collections::BTreeMap;

use alluvium_model::{BACKBONE, Weights};
use alluvium_strategy::{Context, Expert, ModelState, Strategy, StrategyError, StrategyState};

use crate::backbone::prefix;
use crate::members::joined;
use crate::start::Start;

/// What is kept beside the ensemble itself.
#[derive(Debug)]
pub(crate) struct Ensemble {
    start: Start,
    /// The backbone of the model that the first device took, if devices start from it.
    initial: Weights,
    /// For each head, the number of members whose logits it averages.
    heads: BTreeMap<String, u64>,
}

const INITIAL: &str = "initial";
const HEADS: &str = "heads";

impl Ensemble {
    pub(crate) fn new(start: Start) -> Self {
        Ensemble { start, initial: Weights::new(), heads: BTreeMap::new() }
    }
}

impl Strategy for Ensemble {
    fn consolidate(
        &mut self,
        previous: &ModelState,
        expert: &Expert,
        _context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        let name = &expert.head().name;
        // A head from before the first device counts as the head of one expert.
        let had = previous.head(name).map_or(0, |_| self.heads.get(name).copied().unwrap_or(1));
        let central = joined(previous, expert, had)?;
        if self.heads.is_empty() && self.start == Start::Initial {
            self.initial = previous.backbone_weights();
        }
        self.heads.insert(name.clone(), had + 1);
        Ok(central)
    }

    fn handed_out(&self, central: &ModelState) -> Option<ModelState> {
        let members = central.backbone.members();
        // Experts have the backbone of the model that they started from, so the first member has that of the initial model.
        let (member, weights) = match self.start {
            Start::Initial => (members.first()?, self.initial.clone()),
            Start::Latest => (members.last()?, central.backbone_weights().below(&prefix(members.len() - 1))),
        };
        let mut model = ModelState::bare(member.clone(), central.input);
        model.weights.extend_below(BACKBONE, weights);
        Some(model)
    }

    fn state(&self) -> StrategyState {
        let mut state = StrategyState::default();
        let heads = self.heads.iter().map(|(name, count)| (name.clone(), *count));
        state.values.insert(HEADS.to_owned(), heads.collect());
        state.weights.extend_below(INITIAL, self.initial.clone());
        state
    }

    fn restore(&mut self, state: StrategyState) -> Result<(), StrategyError> {
        let heads = state.values.get(HEADS).and_then(|heads| {
            heads.as_object()?.iter().map(|(name, count)| Some((name.clone(), count.as_u64()?))).collect()
        });
        let heads: BTreeMap<_, _> =
            heads.ok_or_else(|| StrategyError::State(format!("`{HEADS}` is not a table of counts")))?;
        let initial = state.weights.below(INITIAL);
        if self.start == Start::Initial && !heads.is_empty() && initial.is_empty() {
            return Err(StrategyError::State(format!("the weights `{INITIAL}` are missing")));
        }
        (self.initial, self.heads) = (initial, heads);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alluvium_model::{Inputs, Model};
    use alluvium_strategy::conformance::{self, context, expert};
    use burn::tensor::Device;

    use super::*;

    /// The central model after these experts.
    fn consolidated(strategy: &mut Ensemble, experts: &[Expert]) -> ModelState {
        let mut central = conformance::central(&[], 0);
        for expert in experts {
            central = strategy.consolidate(&central, expert, &mut context()).unwrap();
        }
        central
    }

    /// A head's logits for some inputs.
    fn logits(model: &ModelState, head: &str) -> Vec<f32> {
        let compute = Device::flex();
        let model = Model::load(model, &compute).unwrap();
        let values = (0..60).map(|index| (index * 37 % 61) as f32 / 30.0 - 1.0).collect();
        let inputs = Inputs::from_values(values, [1, 2, 3].into(), &compute);
        let logits = model.head(head).unwrap().scores(inputs.clone(), model.latents(inputs));
        logits.into_data().try_into_vec().unwrap()
    }

    fn assert_near(found: &[f32], expected: &[f32]) {
        let near = found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-6);
        assert!(found.len() == expected.len() && near, "{found:?} for {expected:?}");
    }

    #[test]
    fn each_task_is_answered_by_its_own_expert() {
        for start in [Start::Initial, Start::Latest] {
            let experts = [expert("a", 1), expert("b", 2), expert("c", 3)];
            let central = consolidated(&mut Ensemble::new(start), &experts);
            for expert in &experts {
                let head = &expert.head().name;
                assert_near(&logits(&central, head), &logits(&expert.model, head));
            }
        }
    }

    #[test]
    fn a_head_that_comes_back_gives_the_mean_of_its_experts_logits() {
        let experts = [expert("a", 1), expert("b", 2), expert("a", 3), expert("a", 4)];
        let central = consolidated(&mut Ensemble::new(Start::Initial), &experts);
        let of = [0, 2, 3].map(|index: usize| logits(&experts[index].model, "a"));
        let mean: Vec<_> = (0..of[0].len()).map(|unit| (of[0][unit] + of[1][unit] + of[2][unit]) / 3.0).collect();
        assert_near(&logits(&central, "a"), &mean);
        assert_near(&logits(&central, "b"), &logits(&experts[1].model, "b"));
    }

    #[test]
    fn devices_start_from_the_initial_model_or_the_newest_expert() {
        let experts = [expert("a", 1), expert("b", 2)];
        let initial = conformance::central(&[], 0);
        let mut strategy = Ensemble::new(Start::Initial);
        assert!(
            strategy.handed_out(&initial).is_none(),
            "before the first expert the central model itself is handed out"
        );
        let central = consolidated(&mut strategy, &experts);
        assert_eq!(strategy.handed_out(&central).unwrap().digest(), initial.digest());
        let mut strategy = Ensemble::new(Start::Latest);
        let central = consolidated(&mut strategy, &experts);
        let newest = strategy.handed_out(&central).unwrap();
        assert_eq!((newest.backbone_weights(), newest.heads), (experts[1].model.backbone_weights(), vec![]));
        assert!(strategy.state().weights.is_empty(), "the ensemble holds it already");
    }

    #[test]
    fn a_state_that_lacks_something_is_refused() {
        let mut strategy = Ensemble::new(Start::Initial);
        consolidated(&mut strategy, &[expert("a", 1)]);
        for lost in [HEADS, INITIAL] {
            let mut state = strategy.state();
            state.values.remove(lost);
            if lost == INITIAL {
                state.weights = Weights::new();
            }
            let error = Ensemble::new(Start::Initial).restore(state).unwrap_err().to_string();
            assert!(error.contains(&format!("`{lost}`")), "{error}");
        }
    }
}
