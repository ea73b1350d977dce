//! The `slerp` strategy: the centre moves towards the expert along an arc.

use alluvium_strategy::registry::{Family, describe};
use alluvium_strategy::{
    Context, DataAccess, Expert, ModelState, Strategy, StrategyConfig, StrategyError, is_statistic, take_head,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Spherical linear interpolation: each tensor moves from the centre's towards the expert's along an arc; each task keeps
/// its head.
///
/// An arc keeps the length of the weights, where a straight mean of unlike tensors would shrink it. With p the previous
/// central model's tensor, q the expert's and Ω the angle between them as vectors, θ = sin((1 − t)Ω)/sin Ω · p +
/// sin(tΩ)/sin Ω · q. It is (1 − t)p + tq instead where the two are nearly colinear (|cos Ω| > 0.9995, mergekit's
/// bound), where one of them is zero, and for the running statistics of a normalisation. The first expert, which meets
/// a central model without heads, is taken as it is; a head that comes back is interpolated like the backbone.
///
/// It keeps nothing between devices. With a constant t an expert's share fades as (1 − t)^n after n more devices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SlerpConfig {
    /// t, how far the centre moves: 0 stays at the previous central model, 1 takes the expert's backbone.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub expert_weight: f64,
}

impl Default for SlerpConfig {
    fn default() -> Self {
        SlerpConfig { expert_weight: 0.5 }
    }
}

describe!(
    Family::Strategy,
    "slerp",
    SlerpConfig,
    paper: "Shoemake, \"Animating rotation with quaternion curves\", SIGGRAPH 1985; on weights as in mergekit \
            (Goddard et al., arXiv 2403.13257)"
);

#[typetag::serde(name = "slerp")]
impl StrategyConfig for SlerpConfig {
    fn data_access(&self) -> DataAccess {
        DataAccess::None
    }

    fn build(&self) -> Result<Box<dyn Strategy>, StrategyError> {
        Ok(Box::new(Slerp { expert_weight: self.expert_weight }))
    }
}

#[derive(Debug)]
struct Slerp {
    expert_weight: f64,
}

impl Strategy for Slerp {
    fn consolidate(
        &mut self,
        previous: &ModelState,
        expert: &Expert,
        _context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        if previous.heads.is_empty() {
            return Ok(expert.model.clone()); // The centre knows nothing yet that could be kept.
        }
        let t = self.expert_weight;
        let backbone =
            previous.backbone_weights().combine_named(&expert.model.backbone_weights(), |name, own, other| {
                if is_statistic(name) {
                    combine(&own.values, &other.values, 1.0 - t, t)
                } else {
                    interpolate(&own.values, &other.values, t)
                }
            })?;
        let mut central = previous.with_backbone_weights(backbone);
        match previous.head(&expert.head().name) {
            Some(head) => {
                let theirs = expert.model.head_weights(expert.head());
                let both = previous
                    .head_weights(head)
                    .combine_named(&theirs, |_, own, other| interpolate(&own.values, &other.values, t))?;
                central.set_head(head.clone(), both);
            }
            None => take_head(&mut central, expert),
        }
        Ok(central)
    }
}

/// From this |cos Ω| on two tensors are colinear: 1/sin Ω would amplify what is left of their difference.
const NEARLY_COLINEAR: f64 = 0.9995;

/// The point at t on the arc from `own` (t = 0) to `other` (t = 1).
fn interpolate(own: &[f32], other: &[f32], t: f64) -> Vec<f32> {
    let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let cosine = product(own, other) / (product(own, own) * product(other, other)).sqrt();
    // Tensors of zeros have no angle: their cosine is NaN, and they are interpolated linearly, too.
    if cosine.abs() <= NEARLY_COLINEAR {
        let angle = cosine.acos();
        combine(own, other, ((1.0 - t) * angle).sin() / angle.sin(), (t * angle).sin() / angle.sin())
    } else {
        combine(own, other, 1.0 - t, t)
    }
}

fn combine(own: &[f32], other: &[f32], own_weight: f64, other_weight: f64) -> Vec<f32> {
    let combine = |(own, other): (&f32, &f32)| own_weight * f64::from(*own) + other_weight * f64::from(*other);
    own.iter().zip(other).map(|pair| combine(pair) as f32).collect()
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

    #[test]
    fn the_middle_of_a_right_angle_lies_on_the_arc() {
        // From (3, 0) to (0, 3): at t = 1/2 both have sin 45° / sin 90° · 3 = 2.12132, and the length is still 3.
        let middle = interpolate(&[3.0, 0.0], &[0.0, 3.0], 0.5);
        assert!(middle.iter().all(|value| (value - 2.12132).abs() < 1e-5), "{middle:?}");
    }

    #[test]
    fn tensors_that_are_colinear_opposite_or_zero_are_interpolated_linearly() {
        assert_eq!(interpolate(&[1.0, 2.0], &[3.0, 6.0], 0.25), [1.5, 3.0]);
        assert_eq!(interpolate(&[1.0, 0.0], &[-1.0, 0.0], 0.25), [0.5, 0.0]);
        assert_eq!(interpolate(&[0.0, 0.0], &[4.0, 8.0], 0.25), [1.0, 2.0]);
    }
}
