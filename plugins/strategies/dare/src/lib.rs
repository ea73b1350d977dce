//! The `dare` strategy: drops most of what an expert changed, rescales the rest, and merges that.

use alluvium_model::{Seed, Weights};
use alluvium_strategy::{
    Context, Expert, ModelState, Piece, Piecewise, RelativeTo, RunDescription, Strategy, StrategyConfig, StrategyError,
    StrategyState, TaskVectors, add_scaled, difference, options, parameters, plugin,
};
use rand::RngExt;

/// How the task vectors are merged after values were dropped.
#[options]
pub enum Merge {
    /// Their mean: θ = θ₀ + λ/t · Σ τ̂.
    Average,
    /// Their sum, as in task arithmetic: θ = θ₀ + λ · Σ τ̂.
    Sum,
}

/// DARE: drops part of each expert's change at random and rescales the rest before merging; each task keeps its head.
///
/// Changes of several experts then overlap less often. Of the task vector τ = θ_expert − θ₀, each value is dropped with
/// the probability p: m ~ Bernoulli(p), and τ̂ = (1 − m) ⊙ τ / (1 − p), whose expectation is τ. Then θ = θ₀ + λ/t · Σ_i
/// τ̂_i over the t devices so far (`average`) or θ₀ + λ · Σ_i τ̂_i (`sum`). θ₀ is the central model that the first
/// device took. At p = 0 and otherwise default options the backbone is that of `weight-averaging`.
///
/// Between devices it keeps θ₀ (one copy of the backbone) and counts of experts. Mean and sum follow from the previous
/// central model. The draws come from the consolidation's seed, with one generator per tensor. Running statistics of a
/// normalisation are averaged over the experts, and a head that comes back is averaged over the experts that had it.
#[options]
#[derive(PartialEq)]
pub struct DareConfig {
    /// p, the probability that a value of a task vector is dropped; 0 drops none. The paper drops 90 % and more of language
    /// models' changes, which are tiny. Dropping adds noise of p/(1 − p) times a change's square; at the default of a half
    /// it is as large as the change itself.
    #[schemars(range(min = 0.0, max = 0.999))]
    #[default(0.5)]
    pub drop_rate: f64,
    /// How the task vectors are merged after values were dropped.
    #[default(Merge::Average)]
    pub merge: Merge,
    /// λ, the weight of the merged task vectors.
    #[schemars(range(min = 0.0, max = 100.0))]
    #[default(1.0)]
    pub scaling: f64,
    /// The reference of a task vector. `initial`, the default, is the paper's, and suits the mean. For a sum over many
    /// devices, use `previous`, so that each device's change counts once.
    #[default(RelativeTo::Initial)]
    pub relative_to: RelativeTo,
}

#[plugin(
    kind = "dare",
    paper = "Yu et al., \"Language models are super Mario: absorbing abilities from homologous models as a free \
             lunch\", ICML 2024, arXiv 2311.03099; here sequential"
)]
impl StrategyConfig for DareConfig {
    fn validate(&self, run: &RunDescription) -> Result<(), StrategyError> {
        self.relative_to.validate(run)
    }

    fn build(&self, _run: &RunDescription) -> Result<Box<dyn Strategy>, StrategyError> {
        Ok(Box::new(Dare { config: self.clone(), vectors: TaskVectors::default(), first: 0 }))
    }

    fn piecewise(&self, _run: &RunDescription) -> Option<Box<dyn Piecewise>> {
        Some(Box::new(InPieces(self.clone())))
    }
}

/// A piece draws the same random words as its values do in the whole tensor.
#[derive(Debug)]
struct InPieces(DareConfig);

impl Piecewise for InPieces {
    fn build(&self, piece: &Piece) -> Result<Box<dyn Strategy>, StrategyError> {
        let (config, vectors) = (self.0.clone(), TaskVectors::default());
        Ok(Box::new(Dare { config, vectors, first: piece.values.start }))
    }
}

#[derive(Debug)]
struct Dare {
    config: DareConfig,
    vectors: TaskVectors,
    /// The index in its tensor of the first value; 0 unless the strategy works in pieces.
    first: usize,
}

impl Strategy for Dare {
    fn consolidate(
        &mut self,
        previous: &ModelState,
        expert: &Expert,
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        let vector = self.vectors.receive(self.config.relative_to, previous, expert)?;
        let vector = drop_values(&vector, self.first, self.config.drop_rate, context.seed().of("drop"));
        let count = f64::from(self.vectors.experts());
        // The mean or sum of the earlier vectors is the difference of the previous central model and θ₀.
        let (keep, weight) = match self.config.merge {
            Merge::Average => ((count - 1.0) / count, self.config.scaling / count),
            Merge::Sum => (1.0, self.config.scaling),
        };
        let earlier = difference(&parameters(previous), self.vectors.base())?;
        let merged = add_scaled(&add_scaled(self.vectors.base(), keep, &earlier)?, weight, &vector)?;
        self.vectors.central(previous, expert, merged)
    }

    fn handed_out(&self, central: &ModelState) -> Option<ModelState> {
        self.vectors.handed_out(self.config.relative_to, central)
    }

    fn state(&self) -> StrategyState {
        self.vectors.state()
    }

    fn restore(&mut self, state: StrategyState) -> Result<(), StrategyError> {
        self.vectors = TaskVectors::restore(&state)?;
        Ok(())
    }
}

/// The number of 32-bit words that each value draws from its generator.
const WORDS: u128 = 2;

/// Drops each value with the probability `rate` and divides the others by 1 − `rate`. Each tensor has its own generator, from
/// which its values draw in order. The given values begin at the index `first`.
fn drop_values(vector: &Weights, first: usize, rate: f64, seed: Seed) -> Weights {
    let dropped = vector.iter().map(|(name, tensor)| {
        let mut random = seed.of(name).random();
        random.set_word_pos(WORDS * first as u128);
        let draw = |value: f64| if random.random_bool(rate) { 0.0 } else { value / (1.0 - rate) };
        (name.to_owned(), tensor.map(draw))
    });
    dropped.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alluvium_model::Values;
    use alluvium_strategy::conformance;

    #[test]
    fn conforms() {
        conformance::check("dare");
        let summed = DareConfig { merge: Merge::Sum, relative_to: RelativeTo::Previous, ..Default::default() };
        conformance::check_config(&summed);
        conformance::check_config(&DareConfig { relative_to: RelativeTo::CommonStart, ..Default::default() });
    }

    /// The numbers are those of tests/fixtures/generate.py, written from the paper's equations, with its own
    /// SHA-256 and ChaCha8 for the draws.
    #[test]
    fn the_central_models_are_those_of_the_paper_s_equations() {
        conformance::check_fixture(include_str!("../tests/fixtures/devices.json"));
    }

    #[test]
    fn as_many_values_are_dropped_as_the_rate_says_and_the_mean_stays() {
        let ones: Weights = [("a".to_owned(), Values::new(vec![100, 100], vec![1.0; 10_000]))].into_iter().collect();
        let dropped = drop_values(&ones, 0, 0.75, Seed::new(3));
        let values = dropped.get("a").unwrap().as_f32().unwrap();
        assert!(values.iter().all(|value| *value == 0.0 || *value == 4.0), "1 / (1 − 0.75) = 4");
        // 2500 of 10 000 stay; the standard deviation is √(10 000 · 0.75 · 0.25) = 43, and 200 are more than four of them.
        let kept = values.iter().filter(|value| **value > 0.0).count();
        assert!(kept.abs_diff(2500) < 200, "{kept}");
        assert_ne!(dropped, drop_values(&ones, 0, 0.75, Seed::new(4)));
        assert_eq!(drop_values(&ones, 0, 0.0, Seed::new(3)), ones);
    }

    #[test]
    fn without_dropping_the_experts_are_averaged() {
        let mut strategy =
            DareConfig { drop_rate: 0.0, ..Default::default() }.build(&RunDescription::default()).unwrap();
        let experts = [conformance::expert("a", 1), conformance::expert("b", 2), conformance::expert("c", 3)];
        let mut central = conformance::central(&[], 9);
        for expert in &experts {
            central = strategy.consolidate(&central, expert, &mut conformance::context()).unwrap();
        }
        let [a, b, c] = experts.each_ref().map(|expert| expert.model.backbone_weights());
        let sum = a.combine(&b, |a, b| a + b).and_then(|sum| sum.combine(&c, |a, b| a + b)).unwrap();
        let mean = sum.combine(&sum, |sum, _| sum / 3.0).unwrap();
        conformance::assert_close(&central.backbone_weights(), &mean, "the mean");
    }
}
