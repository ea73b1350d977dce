//! The `magmax` strategy: of all experts, each weight takes the largest change.

use alluvium_model::{Number, Pairwise, Weights};
use alluvium_strategy::{
    Context, Expert, ModelState, Piecewise, RelativeTo, RunDescription, Strategy, StrategyConfig, StrategyError,
    StrategyState, TaskVectors, add_scaled, options, plugin, value_by_value,
};

/// MagMax: each weight takes the change of largest magnitude that any expert made to it; each task keeps its head.
///
/// θ = θ₀ + λ·τ, where τ^p = τ_k^p with k = argmax_i |τ_i^p| for each weight p, over the task vectors τ_i = θ_expert − θ₀
/// of all devices so far; of equal ones, the later. θ₀ is the central model that the first device took. In the paper
/// each expert is fine-tuned from the one before; here it starts from the previous central model.
///
/// Between devices it keeps the largest change so far and θ₀: two copies of the backbone, for any number of devices. Running
/// statistics of a normalisation are averaged over the experts, and a head that comes back is averaged over the experts that
/// had it.
#[options]
#[derive(PartialEq)]
pub struct MagMaxConfig {
    /// λ, the weight of the merged task vector. The default is that of the authors' code.
    #[schemars(range(min = 0.0, max = 100.0))]
    #[default(0.5)]
    pub scaling: f64,
    /// The reference of a task vector. `initial`, the default, is the paper's. With `previous`, only the device's
    /// own change competes with the changes of others.
    #[default(RelativeTo::Initial)]
    pub relative_to: RelativeTo,
}

#[plugin(
    kind = "magmax",
    paper = "Marczak et al., \"MagMax: leveraging model merging for seamless continual learning\", ECCV 2024, arXiv \
             2407.06322"
)]
impl StrategyConfig for MagMaxConfig {
    fn validate(&self, run: &RunDescription) -> Result<(), StrategyError> {
        self.relative_to.validate(run)
    }

    fn build(&self, _run: &RunDescription) -> Result<Box<dyn Strategy>, StrategyError> {
        Ok(Box::new(MagMax { config: self.clone(), vectors: TaskVectors::default(), strongest: Weights::new() }))
    }

    fn piecewise(&self, run: &RunDescription) -> Option<Box<dyn Piecewise>> {
        Some(value_by_value(self, run))
    }
}

#[derive(Debug)]
struct MagMax {
    config: MagMaxConfig,
    vectors: TaskVectors,
    /// The change of largest magnitude so far. Empty before the first expert.
    strongest: Weights,
}

/// The value of larger magnitude; of equal ones, the new value.
struct Larger;

impl Pairwise for Larger {
    fn of<N: Number>(&self, old: N, new: N) -> N {
        if new.magnitude() >= old.magnitude() { new } else { old }
    }
}

const STRONGEST: &str = "strongest";

impl Strategy for MagMax {
    fn consolidate(
        &mut self,
        previous: &ModelState,
        expert: &Expert,
        _context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        let vector = self.vectors.receive(self.config.relative_to, previous, expert)?;
        self.strongest =
            if self.vectors.experts() == 1 { vector } else { self.strongest.combine_by(&vector, &Larger)? };
        let merged = add_scaled(self.vectors.base(), self.config.scaling, &self.strongest)?;
        self.vectors.central(previous, expert, merged)
    }

    fn handed_out(&self, central: &ModelState) -> Option<ModelState> {
        self.vectors.handed_out(self.config.relative_to, central)
    }

    fn state(&self) -> StrategyState {
        let mut state = self.vectors.state();
        state.weights.extend_below(STRONGEST, self.strongest.clone());
        state
    }

    fn restore(&mut self, state: StrategyState) -> Result<(), StrategyError> {
        self.vectors = TaskVectors::restore(&state)?;
        self.strongest = state.weights.below(STRONGEST);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alluvium_strategy::conformance;

    #[test]
    fn conforms() {
        conformance::check("magmax");
        for relative_to in [RelativeTo::Previous, RelativeTo::CommonStart] {
            conformance::check_config(&MagMaxConfig { relative_to, ..Default::default() });
        }
    }

    /// The numbers are those of tests/fixtures/generate.py, written from the paper's equations.
    #[test]
    fn the_central_models_are_those_of_the_paper_s_equations() {
        conformance::check_fixture(include_str!("../tests/fixtures/devices.json"));
    }

    #[test]
    fn a_weaker_change_leaves_the_stronger_one() {
        let mut strategy =
            MagMaxConfig { scaling: 1.0, ..Default::default() }.build(&RunDescription::default()).unwrap();
        let (initial, strong) = (conformance::central(&[], 1), conformance::expert("a", 2));
        let first = strategy.consolidate(&initial, &strong, &mut conformance::context()).unwrap();
        // An expert that changed nothing since the initial weights changes nothing in the centre's backbone.
        let second = strategy.consolidate(&first, &conformance::expert("b", 1), &mut conformance::context()).unwrap();
        assert_eq!(second.backbone_weights(), first.backbone_weights());
        assert_eq!(second.heads.len(), 2);
    }
}
