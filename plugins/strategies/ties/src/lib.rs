//! The `ties` strategy: task vectors are trimmed, elect a sign for each weight, and those that agree are averaged.

mod pieces;
mod selection;
mod sums;

use alluvium_model::Weights;
use alluvium_strategy::registry::{Family, describe};
use alluvium_strategy::{
    Context, DataAccess, Expert, ModelState, Piecewise, RelativeTo, Strategy, StrategyConfig, StrategyError,
    StrategyState, TaskVectors, add_scaled,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use pieces::InPieces;
use sums::SignedSums;

/// TIES-merging: trims each expert's change to its largest values, elects a sign for each weight, and averages the
/// changes of that sign; each task keeps its head.
///
/// Of the task vector τ_t = θ_expert − θ₀, trim keeps the `density` of largest magnitude, over the backbone as a whole,
/// and sets the rest to 0 (values as large as the smallest one kept stay, too). Elect: γ^p = sgn(Σ_t τ_t^p) for each
/// weight p. Disjoint merge: τ^p = the mean of the trimmed τ_t^p over the devices where their sign is γ^p, and 0 where
/// γ^p is. Then θ = θ₀ + λ·τ. θ₀ is the central model that the first device met.
///
/// No task vector has to be kept: for each weight, the sums and counts of the positive and of the negative values say what
/// the election and the mean need. With θ₀ these are five copies of the backbone, however many devices come. Running
/// statistics of a normalisation are averaged over the experts, and so is a head that comes back over those that had it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TiesConfig {
    /// The share of a task vector's values that trimming keeps, at least one of them. The paper keeps the top 20 %.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub density: f64,
    /// λ, the weight of the merged task vector. The paper takes 1 where there are no held-out data to choose it on.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub scaling: f64,
    /// What a task vector is counted from. `initial`, the default, is the paper's, and suits a mean: every expert holds
    /// what the centre knew when its device began. With `previous`, a mean over t devices leaves 1/t of each one's change.
    pub relative_to: RelativeTo,
}

impl Default for TiesConfig {
    fn default() -> Self {
        TiesConfig { density: 0.2, scaling: 1.0, relative_to: RelativeTo::Initial }
    }
}

describe!(
    Family::Strategy,
    "ties",
    TiesConfig,
    paper: "Yadav et al., \"TIES-merging: resolving interference when merging models\", NeurIPS 2023, arXiv 2306.01708, \
            Algorithm 1; here sequential"
);

#[typetag::serde(name = "ties")]
impl StrategyConfig for TiesConfig {
    fn data_access(&self) -> DataAccess {
        DataAccess::None
    }

    fn build(&self) -> Result<Box<dyn Strategy>, StrategyError> {
        Ok(Box::new(Ties::new(self.clone(), vec![])))
    }

    fn piecewise(&self) -> Option<Box<dyn Piecewise>> {
        Some(Box::new(InPieces::new(self.clone())))
    }
}

#[derive(Debug)]
struct Ties {
    config: TiesConfig,
    vectors: TaskVectors,
    /// What all trimmed task vectors so far come to.
    sums: SignedSums,
    /// The smallest magnitude that is kept, of each expert's whole task vector; none but in pieces, which do not show it.
    smallest: Vec<f64>,
}

impl Ties {
    fn new(config: TiesConfig, smallest: Vec<f64>) -> Self {
        Ties { config, vectors: TaskVectors::default(), sums: SignedSums::default(), smallest }
    }
}

impl Strategy for Ties {
    fn consolidate(
        &mut self,
        previous: &ModelState,
        expert: &Expert,
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        let vector = self.vectors.receive(self.config.relative_to, previous, expert)?;
        let known = self.smallest.get(context.device()).copied();
        let smallest = known.unwrap_or_else(|| smallest_kept(&vector, self.config.density));
        self.sums.add(&trim(&vector, smallest)?)?;
        let merged = add_scaled(self.vectors.base(), self.config.scaling, &self.sums.merged()?)?;
        self.vectors.central(previous, expert, merged)
    }

    fn handed_out(&self, central: &ModelState) -> Option<ModelState> {
        self.vectors.handed_out(self.config.relative_to, central)
    }

    fn state(&self) -> StrategyState {
        let mut state = self.vectors.state();
        self.sums.store(&mut state.weights);
        state
    }

    fn restore(&mut self, state: StrategyState) -> Result<(), StrategyError> {
        self.vectors = TaskVectors::restore(&state)?;
        self.sums = SignedSums::stored(&state.weights);
        Ok(())
    }
}

/// How many of so many values are trimmed where this share is kept.
fn trimmed(count: usize, density: f64) -> usize {
    let kept = ((density * count as f64).round() as usize).clamp(1, count.max(1));
    count.saturating_sub(kept)
}

/// The smallest magnitude among the largest, this share of all values.
fn smallest_kept(vector: &Weights, density: f64) -> f64 {
    let place = trimmed(vector.values(), density);
    if place == 0 {
        return 0.0;
    }
    let all_single: Option<Vec<_>> = vector.iter().map(|(_, tensor)| tensor.as_f32()).collect();
    match all_single {
        Some(tensors) => {
            let mut sizes: Vec<_> = tensors.into_iter().flatten().map(|value| value.abs()).collect();
            f64::from(*sizes.select_nth_unstable_by(place, f32::total_cmp).1)
        }
        None => {
            let sizes = vector.iter().flat_map(|(_, tensor)| tensor.numbers.exact().into_owned());
            let mut sizes: Vec<_> = sizes.map(f64::abs).collect();
            *sizes.select_nth_unstable_by(place, f64::total_cmp).1
        }
    }
}

/// The values from this magnitude on; the others become 0.
fn trim(vector: &Weights, smallest: f64) -> Result<Weights, StrategyError> {
    Ok(vector.combine(vector, |value, _| if value.abs() >= smallest { value } else { 0.0 })?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alluvium_model::Values;
    use alluvium_strategy::{conformance, difference, parameters};

    #[test]
    fn conforms() {
        conformance::check("ties");
        for relative_to in [RelativeTo::Previous, RelativeTo::CommonStart] {
            conformance::check_config(&TiesConfig { density: 1.0, relative_to, ..Default::default() });
        }
    }

    /// The numbers are those of tests/fixtures/generate.py, written from Algorithm 1 of the paper.
    #[test]
    fn the_central_models_are_those_of_the_paper_s_algorithm() {
        conformance::check_fixture(include_str!("../tests/fixtures/devices.json"));
    }

    #[test]
    fn trimming_keeps_the_largest_values_of_all_tensors_together() {
        let tensor = |values: &[f32]| Values::new(vec![values.len()], values.to_vec());
        let vector = [("a".to_owned(), tensor(&[1.0, -5.0])), ("b".to_owned(), tensor(&[3.0, -0.5, 2.0]))];
        let vector: Weights = vector.into_iter().collect();
        // 0.4 of 5 values are 2: −5 and 3, one in each tensor.
        let kept = |density| trim(&vector, smallest_kept(&vector, density)).unwrap();
        assert_eq!(kept(0.4).get("a").unwrap().as_f32().unwrap(), [0.0, -5.0]);
        assert_eq!(kept(0.4).get("b").unwrap().as_f32().unwrap(), [3.0, 0.0, 0.0]);
        assert_eq!(kept(1.0), vector);
        assert_eq!(kept(0.0).get("b").unwrap().as_f32().unwrap(), [0.0; 3], "one value stays: the −5");
    }

    #[test]
    fn without_trimming_agreeing_experts_give_their_mean() {
        // Both experts lie on the same side of the initial weights: at θ₀ + δ and θ₀ + 3δ. The mean is θ₀ + 2δ.
        let (initial, far) = (conformance::central(&[], 1), conformance::expert("a", 2));
        let delta = difference(&parameters(&far.model), &parameters(&initial)).unwrap();
        let at = |scale: f64| {
            let backbone = add_scaled(&parameters(&initial), scale, &delta).unwrap();
            let mut expert = far.clone();
            expert.model = far.model.with_backbone_weights(backbone);
            expert
        };
        let mut strategy = TiesConfig { density: 1.0, ..Default::default() }.build().unwrap();
        let first = strategy.consolidate(&initial, &at(1.0), &mut conformance::context()).unwrap();
        let second = strategy.consolidate(&first, &at(3.0), &mut conformance::context()).unwrap();
        conformance::assert_close(&parameters(&second), &parameters(&at(2.0).model), "the mean");
    }
}
