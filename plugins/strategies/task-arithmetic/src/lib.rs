//! The `task-arithmetic` strategy: adds up the experts' changes.

use alluvium_strategy::{
    Context, Expert, ModelState, Piecewise, RelativeTo, RunDescription, Strategy, StrategyConfig, StrategyError,
    StrategyState, TaskVectors, add_scaled, options, parameters, plugin, value_by_value,
};

/// Task arithmetic: the initial weights plus a scaled sum of the experts' changes; each task keeps its head.
///
/// θ = θ₀ + λ·Σ_t τ_t with the task vectors τ_t = θ_expert − θ_reference; device by device, θ_t = θ_{t−1} + λ·τ_t. In
/// the paper all experts are fine-tuned from one pre-trained model θ₀, and τ_t = θ_expert − θ₀. Here θ₀ is the central
/// model that the first device took, and later devices of a stream start from the previous central model. `relative_to` chooses
/// which of the two is the reference of τ_t, or gives all devices a common start. With λ = 1 and `relative_to = "previous"` the
/// weights are the newest expert's, as in `naive`.
///
/// Between devices it keeps θ₀ (one copy of the backbone) and counts of experts. Running statistics of a normalisation
/// are averaged over the experts, and a head that comes back is averaged over the experts that had it.
#[options]
#[derive(PartialEq)]
pub struct TaskArithmeticConfig {
    /// λ, the weight of each task vector. The paper chooses it on held-out data, mostly between 0.3 and 0.5.
    #[schemars(range(min = 0.0, max = 100.0))]
    #[default(0.4)]
    pub scaling: f64,
    /// The reference of a task vector. The default is the model that the experts started from, so that each change counts once.
    /// For devices, this is `previous`. For files, it is `initial` if the experts started from `--previous` (`--initial-only`, or
    /// it has no classifier), and `previous` if `--previous` counts as a first expert. With `initial`, the task vector of a device
    /// also holds what the centre had learned before, so a sum over many devices grows like (1 + λ)^t.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relative_to: Option<RelativeTo>,
}

#[plugin(
    kind = "task-arithmetic",
    paper = "Ilharco et al., \"Editing models with task arithmetic\", ICLR 2023, arXiv 2212.04089; here sequential"
)]
impl StrategyConfig for TaskArithmeticConfig {
    fn validate(&self, run: &RunDescription) -> Result<(), StrategyError> {
        self.reference(run).validate(run)
    }

    fn build(&self, run: &RunDescription) -> Result<Box<dyn Strategy>, StrategyError> {
        let (scaling, relative_to, vectors) = (self.scaling, self.reference(run), TaskVectors::default());
        Ok(Box::new(TaskArithmetic { scaling, relative_to, vectors }))
    }

    fn completed(&self, run: &RunDescription) -> Option<Box<dyn StrategyConfig>> {
        Some(Box::new(TaskArithmeticConfig { relative_to: Some(self.reference(run)), ..self.clone() }))
    }

    fn piecewise(&self, run: &RunDescription) -> Option<Box<dyn Piecewise>> {
        Some(value_by_value(self, run))
    }
}

impl TaskArithmeticConfig {
    /// The reference of a task vector.
    fn reference(&self, run: &RunDescription) -> RelativeTo {
        self.relative_to.unwrap_or(RelativeTo::what_experts_started_from(run.start))
    }
}

#[derive(Debug)]
struct TaskArithmetic {
    scaling: f64,
    relative_to: RelativeTo,
    vectors: TaskVectors,
}

impl Strategy for TaskArithmetic {
    fn consolidate(
        &mut self,
        previous: &ModelState,
        expert: &Expert,
        _context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        let vector = self.vectors.receive(self.relative_to, previous, expert)?;
        let sum = add_scaled(&parameters(previous), self.scaling, &vector)?;
        self.vectors.central(previous, expert, sum)
    }

    fn handed_out(&self, central: &ModelState) -> Option<ModelState> {
        self.vectors.handed_out(self.relative_to, central)
    }

    fn state(&self) -> StrategyState {
        self.vectors.state()
    }

    fn restore(&mut self, state: StrategyState) -> Result<(), StrategyError> {
        self.vectors = TaskVectors::restore(&state)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alluvium_strategy::conformance;

    #[test]
    fn conforms() {
        conformance::check("task-arithmetic");
        for relative_to in [RelativeTo::Initial, RelativeTo::CommonStart] {
            conformance::check_config(&TaskArithmeticConfig { relative_to: Some(relative_to), ..Default::default() });
        }
    }

    /// The numbers are those of tests/fixtures/generate.py, written from the paper's equations.
    #[test]
    fn the_central_models_are_those_of_the_paper_s_equations() {
        conformance::check_fixture(include_str!("../tests/fixtures/devices.json"));
    }

    #[test]
    fn one_device_at_scaling_1_gives_its_expert() {
        let (previous, expert) = (conformance::central(&[], 1), conformance::expert("a", 2));
        for relative_to in [RelativeTo::Initial, RelativeTo::Previous] {
            let config = TaskArithmeticConfig { scaling: 1.0, relative_to: Some(relative_to) };
            let central = conformance::consolidate(&config, &previous, &expert);
            conformance::assert_close(&central.weights, &expert.model.weights, "the expert");
        }
    }
}
