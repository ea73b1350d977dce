//! The `opcm` strategy: orthogonal-projection continual merging.

mod length;
mod pieces;
mod projection;
mod strategy;

use alluvium_strategy::{Piecewise, RunDescription, Strategy, StrategyConfig, StrategyError, options, plugin};

use pieces::InPieces;
use strategy::Opcm;

/// OPCM: each expert's change is projected away from the leading directions of what was merged before; each task keeps its
/// head.
///
/// Orthogonal-projection continual merging. θ₀ is the central model that the first device took, Δ_t = θ_expert − θ₀ and
/// M_t = θ_t − θ₀ the merged change. The first expert becomes the central model unchanged: M_1 = Δ_1, λ_1 = 1. Then
/// M_t = (λ_{t−1}·M_{t−1} + P(Δ_t)) / λ_t, where λ_t is such that ‖M_t‖ is the mean of ‖Δ_1‖ … ‖Δ_t‖ over all parameters
/// together. P projects each matrix: with M_{t−1} = U Σ Vᵀ, it takes out of Δ_t = Σ_ij ⟨Δ_t, u_i v_jᵀ⟩ u_i v_jᵀ the terms
/// of the leading directions, i, j ≤ r, and those with i = j, so that ⟨P(Δ_t), M_{t−1}⟩ = 0. r is the number of largest
/// singular values that together make up at most the fraction α of their sum. Vectors are added without projection.
///
/// This is what the authors' code computes, with two differences. That code projects only the weights of linear layers; here
/// kernels of convolutions are projected, too, as matrices of out × in·height·width. And directions whose singular value is
/// below 10⁻⁶ of the largest are left alone, because they are undetermined.
///
/// In the paper every expert starts from θ₀, and λ_t grows about as √t. Here a device starts from the previous central
/// model, and as P(M_{t−1}) = 0, P(Δ_t) holds what this device alone changed: λ_t grows less, and the newest expert weighs
/// more than in the paper.
///
/// Each consolidation takes a singular value decomposition of every matrix, O(m·n·min(m, n)) on one core of the host: in
/// the `dev` profile 0.01 s for a kernel of 64 × 576, 0.15 s for one of 160 × 1440, 17 s for one of 512 × 4608. Between
/// devices it keeps θ₀ (one copy of the backbone), λ_t, the sum of the lengths and counts of experts. Running statistics of
/// a normalisation are averaged over the experts, and a head that comes back is averaged over the experts that had it.
#[options]
#[derive(PartialEq)]
pub struct OpcmConfig {
    /// α, the fraction of the sum of singular values of the merged change whose directions are closed to later experts. The
    /// default is that of the authors' code; 0 takes out the terms with i = j only.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[default(0.5)]
    pub protected_share: f64,
}

#[plugin(
    kind = "opcm",
    paper = "Tang et al., \"Merging models on the fly without retraining: a sequential approach to scalable continual \
             model merging\", NeurIPS 2025, arXiv 2501.09522"
)]
impl StrategyConfig for OpcmConfig {
    fn build(&self, _run: &RunDescription) -> Result<Box<dyn Strategy>, StrategyError> {
        Ok(Box::new(Opcm::new(self.protected_share, vec![])))
    }

    fn piecewise(&self, _run: &RunDescription) -> Option<Box<dyn Piecewise>> {
        Some(Box::new(InPieces::new(self.protected_share)))
    }
}

#[cfg(test)]
mod tests {
    use alluvium_strategy::{ModelState, conformance, difference, parameters};

    use super::*;
    use crate::length::{length, squares};

    #[test]
    fn conforms() {
        conformance::check("opcm");
        conformance::check_config(&OpcmConfig { protected_share: 0.0 });
        conformance::check_config(&OpcmConfig { protected_share: 1.0 });
    }

    /// The numbers are those of tests/fixtures/generate.py, written from the paper's equations on LAPACK's decomposition.
    #[test]
    fn the_central_models_are_those_of_the_paper_s_equations() {
        conformance::check_fixture(include_str!("../tests/fixtures/devices.json"));
    }

    #[test]
    fn the_merged_change_keeps_the_mean_length_of_the_experts() {
        let mut strategy = OpcmConfig::default().build(&RunDescription::default()).unwrap();
        let initial = conformance::central(&[], 9);
        let (mut central, mut lengths) = (initial.clone(), 0.0);
        for (count, expert) in [("a", 1), ("b", 2), ("c", 3)].into_iter().enumerate() {
            let expert = conformance::expert(expert.0, expert.1);
            central = strategy.consolidate(&central, &expert, &mut conformance::context()).unwrap();
            let change = |model: &ModelState| difference(&parameters(model), &parameters(&initial)).unwrap();
            let distance = |model: &ModelState| length(&squares(&change(model)));
            lengths += distance(&expert.model);
            let mean = lengths / (count as f64 + 1.0);
            assert!((distance(&central) / mean - 1.0).abs() < 1e-5, "{} for {mean}", distance(&central));
        }
    }

    #[test]
    fn experts_that_change_nothing_leave_the_centre_as_it_is() {
        let mut strategy = OpcmConfig::default().build(&RunDescription::default()).unwrap();
        let initial = conformance::central(&[], 1);
        let mut central = initial.clone();
        for head in ["a", "b"] {
            let same = conformance::expert(head, 1);
            central = strategy.consolidate(&central, &same, &mut conformance::context()).unwrap();
            assert_eq!(central.backbone_weights(), initial.backbone_weights());
        }
    }
}
