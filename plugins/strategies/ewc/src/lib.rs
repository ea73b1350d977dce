//! The `ewc` strategy: elastic weight consolidation.

use alluvium_model::{Pull, Weights};
use alluvium_strategy::{
    Context, Expert, FisherLabels, ModelState, Strategy, StrategyError, StrategyState, TrainingSettings, fisher,
    options, strategy,
};

/// How the penalties of several tasks come together.
#[options]
pub enum Penalties {
    /// Each task has its own penalty, around the weights that were right for it.
    Separate,
    /// One penalty for all tasks, around the newest weights. Earlier tasks count less and less.
    Online,
}

/// Elastic weight consolidation: the central model learns the current task's samples, and weights that mattered for earlier
/// tasks are held near their old values.
///
/// L = L_new + λ/2 Σ F_i (θ_i − θ*_i)² (eq. 3 of the paper), over the backbone and all heads that had a task before; λ is
/// `penalty_weight`. F is the diagonal of the Fisher information, the mean over a task's samples of the squared gradient
/// of log p(y|x) through the task's own head, estimated after the task was learned, with normalisation frozen. With
/// `separate`, the penalty is the sum of all tasks' penalties. A sum of quadratics is one quadratic, so two numbers per weight
/// are kept for any number of tasks. With `online` (Schwarz et al., arXiv 1805.06370, section 3.2), F = `decay`·F + F_new,
/// around the newest weights.
///
/// `gradient_clip` limits the gradients of the sum. Without it, steps of `sgd` are stable if λ·F times the learning rate is below
/// 2(1 + momentum) for every weight. The first expert becomes the central model unchanged.
#[strategy(
    kind = "ewc",
    data = CurrentTask,
    paper = "Kirkpatrick et al., \"Overcoming catastrophic forgetting in neural networks\", PNAS 2017, arXiv 1612.00796; \
             online: Schwarz et al., \"Progress & compress\", ICML 2018, arXiv 1805.06370"
)]
pub struct Ewc {
    /// λ, the weight of the penalty; 0 is fine-tuning.
    #[default(1000.0)]
    #[schemars(range(min = 0.0, max = 1e12))]
    pub penalty_weight: f64,
    /// How the penalties of several tasks come together.
    #[default(Penalties::Separate)]
    pub penalties: Penalties,
    /// γ, the factor on the earlier tasks' Fisher information at each new task, with `penalties = "online"`.
    #[default(0.95)]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub decay: f64,
    /// Which labels the Fisher information is estimated with.
    #[default(FisherLabels::Empirical)]
    pub fisher_labels: FisherLabels,
    /// The largest number of a task's samples that the Fisher information is estimated on. Each sample costs one gradient.
    #[default(500)]
    #[schemars(range(min = 1, max = 10_000_000))]
    pub fisher_samples: usize,
    /// How the centre learns.
    #[serde(flatten)]
    pub training: TrainingSettings,
    /// F of the penalty so far.
    #[state]
    fisher: Weights,
    /// θ* of the penalty so far, for the same weights.
    #[state]
    anchors: Weights,
}

const FISHER: &str = "fisher";
const ANCHORS: &str = "anchors";

impl Ewc {
    /// Adds a task: its F, and the weights that were right for it.
    fn add(&mut self, fisher: &Weights, right: &Weights) -> Result<(), StrategyError> {
        // A weight that is new had no penalty yet.
        let nothing = fisher.combine(fisher, |_, _| 0.0)?;
        let before = |kept: &Weights| -> Weights {
            nothing.iter().map(|(name, zero)| (name.to_owned(), kept.get(name).unwrap_or(zero).clone())).collect()
        };
        let (old, anchors) = (before(&self.fisher), before(&self.anchors));
        (self.fisher, self.anchors) = match self.penalties {
            Penalties::Online => (old.combine(fisher, |old, new| self.decay * old + new)?, right.clone()),
            // F₁(θ − a₁)² + F₂(θ − a₂)² is (F₁ + F₂)(θ − a)² and a constant, where a is the mean of both by their F.
            Penalties::Separate => {
                let share = old.combine(fisher, |old, new| if old + new > 0.0 { new / (old + new) } else { 1.0 })?;
                let way = share.combine(&right.combine(&anchors, |new, old| new - old)?, |share, way| share * way)?;
                (old.combine(fisher, |old, new| old + new)?, anchors.combine(&way, |anchor, way| anchor + way)?)
            }
        };
        Ok(())
    }
}

impl Strategy for Ewc {
    fn consolidate(
        &mut self,
        previous: &ModelState,
        expert: &Expert,
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        let penalty = Pull::weighted(self.penalty_weight, &self.fisher, &self.anchors, context.compute());
        let central = self.training.learn(previous, expert, context, |lesson| penalty.of(lesson.model))?;
        let (data, seed) = (context.current_task()?, context.seed().of("fisher"));
        let matters = fisher(&central, &data, self.fisher_labels, self.fisher_samples, seed, context.compute())?;
        matters.check_finite().map_err(StrategyError::Diverged)?;
        self.add(&matters, &central.weights)?;
        Ok(central)
    }

    fn state(&self) -> StrategyState {
        let mut weights = Weights::new();
        weights.extend_below(FISHER, self.fisher.clone());
        weights.extend_below(ANCHORS, self.anchors.clone());
        StrategyState { weights, ..Default::default() }
    }

    fn restore(&mut self, state: StrategyState) -> Result<(), StrategyError> {
        let [fisher, anchors] = [FISHER, ANCHORS].map(|part| state.weights.below(part));
        if fisher.len() + anchors.len() < state.weights.len() {
            let reason = format!("it holds weights that are neither `{FISHER}` nor `{ANCHORS}`");
            return Err(StrategyError::State(reason));
        }
        fisher.combine(&anchors, |_, anchor| anchor).map_err(|error| StrategyError::State(error.to_string()))?;
        (self.fisher, self.anchors) = (fisher, anchors);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
