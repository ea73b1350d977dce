//! The `slerp` strategy: the centre moves towards the expert along an arc.

mod arc;
mod pieces;
mod strategy;

use alluvium_strategy::{Piecewise, RunDescription, Strategy, StrategyConfig, StrategyError, options, plugin};

use pieces::InPieces;
use strategy::Slerp;

/// Spherical linear interpolation: each tensor moves from the centre's towards the expert's along an arc; each task keeps
/// its head.
///
/// An arc keeps the length of the weights; a straight mean of unlike tensors would shrink it. With p the previous
/// central model's tensor, q the expert's and Ω the angle between them as vectors, θ = sin((1 − t)Ω)/sin Ω · p +
/// sin(tΩ)/sin Ω · q. It is (1 − t)p + tq instead if the two are nearly colinear (|cos Ω| > 0.9995, mergekit's
/// bound), if one of them is zero, and for the running statistics of a normalisation. The first expert becomes the central
/// model unchanged. A head that comes back is interpolated like the backbone.
///
/// It keeps no state between devices. With a constant t, the weight of an expert fades as (1 − t)^n after n more devices.
#[options]
#[derive(PartialEq)]
pub struct SlerpConfig {
    /// t, how far the centre moves: 0 stays at the previous central model, 1 takes the expert's backbone.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[default(0.5)]
    pub expert_weight: f64,
}

#[plugin(
    kind = "slerp",
    paper = "Shoemake, \"Animating rotation with quaternion curves\", SIGGRAPH 1985; on weights as in mergekit \
             (Goddard et al., arXiv 2403.13257)"
)]
impl StrategyConfig for SlerpConfig {
    fn build(&self, _run: &RunDescription) -> Result<Box<dyn Strategy>, StrategyError> {
        Ok(Box::new(Slerp::new(self.expert_weight, vec![])))
    }

    fn piecewise(&self, _run: &RunDescription) -> Option<Box<dyn Piecewise>> {
        Some(Box::new(InPieces::new(self.expert_weight)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alluvium_strategy::conformance;

    #[test]
    fn conforms() {
        conformance::check("slerp");
    }

    /// The numbers are those of tests/fixtures/generate.py, written from Shoemake's formula.
    #[test]
    fn the_central_models_are_those_of_the_formula() {
        conformance::check_fixture(include_str!("../tests/fixtures/devices.json"));
    }

    #[test]
    fn the_ends_of_the_arc_are_the_two_models() {
        let (previous, expert) = (conformance::central(&["a"], 1), conformance::expert("b", 2));
        for (expert_weight, end) in [(0.0, &previous), (1.0, &expert.model)] {
            let central = conformance::consolidate(&SlerpConfig { expert_weight }, &previous, &expert);
            conformance::assert_close(&central.backbone_weights(), &end.backbone_weights(), "the end of the arc");
            assert_eq!(central.head_weights(&central.heads[0]), previous.head_weights(&previous.heads[0]));
        }
    }
}
