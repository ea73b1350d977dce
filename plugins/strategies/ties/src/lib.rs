//! The `ties` strategy: trims task vectors, elects a sign for each weight, and averages the values of that sign.

mod config;
mod pieces;
mod selection;
mod strategy;
mod sums;
mod trimming;

use alluvium_strategy::{Piecewise, RunDescription, Strategy, StrategyConfig, StrategyError, plugin};

use pieces::InPieces;
use strategy::Ties;

pub use config::TiesConfig;

#[plugin(
    kind = "ties",
    paper = "Yadav et al., \"TIES-merging: resolving interference when merging models\", NeurIPS 2023, arXiv \
             2306.01708, Algorithm 1; here sequential"
)]
impl StrategyConfig for TiesConfig {
    fn validate(&self, run: &RunDescription) -> Result<(), StrategyError> {
        self.relative_to.validate(run)
    }

    fn build(&self, _run: &RunDescription) -> Result<Box<dyn Strategy>, StrategyError> {
        Ok(Box::new(Ties::new(self.clone(), vec![])))
    }

    fn piecewise(&self, _run: &RunDescription) -> Option<Box<dyn Piecewise>> {
        Some(Box::new(InPieces::new(self.clone())))
    }
}

#[cfg(test)]
mod tests {
    use alluvium_model::{Values, Weights};
    use alluvium_strategy::{RelativeTo, add_scaled, conformance, difference, parameters};

    use super::*;
    use crate::trimming::{smallest_kept, trim};

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
        let mut strategy = TiesConfig { density: 1.0, ..Default::default() }.build(&RunDescription::default()).unwrap();
        let first = strategy.consolidate(&initial, &at(1.0), &mut conformance::context()).unwrap();
        let second = strategy.consolidate(&first, &at(3.0), &mut conformance::context()).unwrap();
        conformance::assert_close(&parameters(&second), &parameters(&at(2.0).model), "the mean");
    }
}
