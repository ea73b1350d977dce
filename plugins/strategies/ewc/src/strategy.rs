//! The running strategy, and what it keeps of each weight.

use alluvium_model::{Expert, Model, ModelState, Numbers, Optimiser, Values, Weights};
use alluvium_strategy::{Context, Strategy, StrategyError, StrategyState, TaskDataset, fisher};

use crate::anchored::Anchors;
use crate::{EwcConfig, Penalties};

/// Elastic weight consolidation.
#[derive(Debug)]
pub(crate) struct Ewc {
    config: EwcConfig,
    penalty: Penalty,
}

/// Σ F (θ − θ*)², up to a constant: F and θ* of each weight.
#[derive(Debug, Default)]
struct Penalty {
    fisher: Weights,
    anchors: Weights,
}

const FISHER: &str = "fisher";
const ANCHORS: &str = "anchors";

impl Ewc {
    pub(crate) fn new(config: EwcConfig) -> Self {
        Ewc { config, penalty: Penalty::default() }
    }

    /// Trains on the current task, starting from `start`.
    fn learn(
        &self,
        start: &ModelState,
        data: TaskDataset<'_>,
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        let training = &self.config.training;
        let compute = context.compute().clone();
        let mut model = Model::load(start, &compute.clone().autodiff())?;
        let mut optimiser = Optimiser::new(training.sgd(), training.steps(data.samples.len()));
        let strength = self.config.penalty_weight / (1.0 - training.momentum);
        let anchors = Anchors::new(&self.penalty.fisher, &self.penalty.anchors, strength, &compute);
        training.for_each_batch(data, context, |batch| {
            let latents = model.latents(batch.inputs.clone());
            let loss = training.loss.of(
                &model,
                &data.head.name,
                (batch.inputs.clone(), latents),
                batch.class_indices.clone(),
            )?;
            let rate = optimiser.rate();
            optimiser.step(loss, &mut model);
            anchors.pull(rate, &mut model);
            Some(batch.samples())
        });
        let central = model.state();
        central.weights.check_finite().map_err(StrategyError::Diverged)?;
        Ok(central)
    }
}

impl Penalty {
    /// Adds a task: its F, and the weights that were right for it.
    fn add(
        &mut self,
        fisher: &Weights,
        weights: &Weights,
        penalties: Penalties,
        decay: f64,
    ) -> Result<(), StrategyError> {
        let mut kept = Penalty::default();
        fisher.combine_named(weights, |name, fisher, weights| {
            let zero = vec![0.0; fisher.len()];
            let before = |weights: &Weights| {
                weights.get(name).map_or_else(|| zero.clone(), |tensor| tensor.numbers.exact().into_owned())
            };
            let (old_fisher, old_anchors) = (before(&self.fisher), before(&self.anchors));
            let old = old_fisher.into_iter().zip(old_anchors);
            let (matters, right) = (fisher.numbers.exact(), weights.numbers.exact());
            let new = matters.iter().copied().zip(right.iter().copied());
            let both = old.zip(new).map(|(old, new)| together(old, new, penalties, decay));
            let (fishers, anchors): (Vec<_>, Vec<_>) = both.unzip();
            let rounded =
                |values: Vec<f64>| Values::of(fisher.shape.clone(), Numbers::rounded(values, weights.width()));
            kept.fisher.insert(name, rounded(fishers));
            kept.anchors.insert(name, rounded(anchors));
            fisher.numbers.clone()
        })?;
        *self = kept;
        Ok(())
    }
}

/// F and θ* of one weight, from those of earlier tasks and of a new task.
///
/// Separate: F₁(θ − a₁)² + F₂(θ − a₂)² is (F₁ + F₂)(θ − a)² and a constant, where a is the mean of both by their F.
fn together(old: (f64, f64), new: (f64, f64), penalties: Penalties, decay: f64) -> (f64, f64) {
    let ((old_fisher, old_anchor), (new_fisher, new_anchor)) = (old, new);
    match penalties {
        Penalties::Online => (decay * old_fisher + new_fisher, new_anchor),
        Penalties::Separate => {
            let sum = old_fisher + new_fisher;
            let mean = (old_fisher * old_anchor + new_fisher * new_anchor) / sum;
            (sum, if sum > 0.0 { mean } else { new_anchor })
        }
    }
}

impl Strategy for Ewc {
    fn consolidate(
        &mut self,
        previous: &ModelState,
        expert: &Expert,
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        let data = context.current_task()?;
        let central = if previous.heads.is_empty() {
            expert.model.clone()
        } else {
            let start = self.config.training.start(previous, expert, context)?;
            self.learn(&start, data, context)?
        };
        let EwcConfig { fisher_labels, fisher_samples, penalties, decay, .. } = &self.config;
        let seed = context.seed().of("fisher");
        let matters = fisher(&central, &data, *fisher_labels, *fisher_samples, seed, context.compute())?;
        matters.check_finite().map_err(StrategyError::Diverged)?;
        self.penalty.add(&matters, &central.weights, *penalties, *decay)?;
        Ok(central)
    }

    fn state(&self) -> StrategyState {
        let mut weights = Weights::new();
        weights.extend_below(FISHER, self.penalty.fisher.clone());
        weights.extend_below(ANCHORS, self.penalty.anchors.clone());
        StrategyState { weights, ..Default::default() }
    }

    fn restore(&mut self, state: StrategyState) -> Result<(), StrategyError> {
        let [fisher, anchors] = [FISHER, ANCHORS].map(|part| state.weights.below(part));
        if fisher.len() + anchors.len() < state.weights.len() {
            let reason = format!("it holds weights that are neither `{FISHER}` nor `{ANCHORS}`");
            return Err(StrategyError::State(reason));
        }
        fisher.combine(&anchors, |_, anchor| anchor).map_err(|error| StrategyError::State(error.to_string()))?;
        self.penalty = Penalty { fisher, anchors };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(value: f32) -> Weights {
        [("backbone.w".to_owned(), Values::new(vec![1], vec![value]))].into_iter().collect()
    }

    fn after(penalties: Penalties) -> (f32, f32) {
        let mut penalty = Penalty::default();
        penalty.add(&one(3.0), &one(1.0), penalties, 0.5).unwrap();
        penalty.add(&one(1.0), &one(5.0), penalties, 0.5).unwrap();
        let value = |weights: &Weights| weights.get("backbone.w").unwrap().as_f32().unwrap()[0];
        (value(&penalty.fisher), value(&penalty.anchors))
    }

    #[test]
    fn separate_penalties_are_one_around_the_mean() {
        // 3(θ − 1)² + (θ − 5)² = 4θ² − 16θ + 28 = 4(θ − 2)² + 12
        assert_eq!(after(Penalties::Separate), (4.0, 2.0));
    }

    #[test]
    fn online_the_old_one_decays_and_the_newest_weights_are_the_anchor() {
        // 0.5·3 + 1 = 2.5
        assert_eq!(after(Penalties::Online), (2.5, 5.0));
    }

    #[test]
    fn a_weight_that_never_mattered_is_anchored_anywhere() {
        assert_eq!(together((0.0, 1.0), (0.0, 5.0), Penalties::Separate, 1.0), (0.0, 5.0));
    }
}
