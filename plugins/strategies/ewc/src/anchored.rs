//! The pull towards anchors: the penalty's share of a gradient step.

use std::collections::BTreeMap;

use alluvium_model::{Model, Values, Weights};
use burn::tensor::{Device, Tensor};

/// λ/2 Σ F (θ − θ*)² on a compute device, by the weights' names.
pub(crate) struct Anchors(BTreeMap<String, (Tensor<1>, Tensor<1>)>);

impl Anchors {
    /// The penalty of F and θ*, both under the weights' names. `strength` is λ / (1 − momentum); see [`pulled`].
    pub(crate) fn new(fisher: &Weights, anchors: &Weights, strength: f64, compute: &Device) -> Self {
        // A model that learns has 32 bits.
        let flat = |tensor: &Values| Some(Tensor::<1>::from_floats(tensor.as_f32()?, compute));
        let pair = |(name, fisher): (&str, &Values)| {
            let anchor = flat(anchors.get(name)?)?;
            Some((name.to_owned(), (flat(fisher)?.mul_scalar(strength), anchor)))
        };
        Anchors(fisher.iter().filter_map(pair).collect())
    }

    /// Pulls every weight that mattered before towards its anchor, after a gradient step at the learning rate `rate`.
    pub(crate) fn pull(&self, rate: f64, model: &mut Model) {
        model.update(&mut |name, moved| {
            let (stiffness, anchor) = self.0.get(name)?;
            Some(pulled(moved, stiffness.clone(), anchor.clone(), rate))
        });
    }
}

/// Gradient descent on L + λ/2 Σ F (θ − θ*)² for one tensor: after the step on L, the penalty's proximal step,
///
/// θ ← argmin_x ½(x − θ′)² + η·λ/2·F·(x − θ*)² = (θ′ + ηλF·θ*) / (1 + ηλF),
///
/// where θ′ is the result of the step on L, and η the rate at which a constant gradient moves a weight: the learning rate
/// divided by 1 − momentum. Where θ comes to rest, the gradient of L is −λF(θ − θ*), as in the sum of both. `stiffness` is
/// λF / (1 − momentum). All tensors are flat.
fn pulled(moved: Tensor<1>, stiffness: Tensor<1>, anchor: Tensor<1>, rate: f64) -> Tensor<1> {
    let pull = stiffness.mul_scalar(rate);
    // Computed as a fraction of the way, so that a pull of zero leaves the weight exactly unchanged.
    let share = pull.clone() / pull.add_scalar(1.0);
    moved.clone() + (anchor - moved) * share
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: f32) -> Tensor<1> {
        Tensor::from_floats([value], &Device::flex())
    }

    /// A step at the rate 0.1, and the pull.
    fn step(weight: f32, gradient: f32, stiffness: f32, anchor: f32) -> f32 {
        pulled(of(weight - 0.1 * gradient), of(stiffness), of(anchor), 0.1).into_scalar::<f32>()
    }

    #[test]
    fn a_step_worked_out_by_hand() {
        // θ = 1, g = 0.5, η = 0.1: θ′ = 0.95. λF = 3·2 = 6, θ* = 0: (0.95 + 0) / (1 + 0.6) = 0.59375.
        assert!((step(1.0, 0.5, 6.0, 0.0) - 0.593_75).abs() < 1e-6);
        // θ* = 2: (0.95 + 0.6·2) / 1.6 = 1.34375
        assert!((step(1.0, 0.5, 6.0, 2.0) - 1.343_75).abs() < 1e-6);
        assert_eq!(step(1.0, 0.5, 0.0, 2.0), 0.95);
    }

    #[test]
    fn the_step_is_at_the_minimum_of_penalty_and_distance() {
        // The penalty λ/2·F·(x − θ*)² of λ = 3, F = 2, x = 1.5, θ* = 1 is 3/2·2·0.25 = 0.75.
        let penalty = |x: f64| 1.5 * 2.0 * (x - 1.0) * (x - 1.0);
        assert!((penalty(1.5) - 0.75).abs() < 1e-12);
        let moved = 2.0 - 0.1 * 0.3;
        let value = |x: f64| 0.5 * (x - moved) * (x - moved) + 0.1 * penalty(x);
        let found = f64::from(step(2.0, 0.3, 6.0, 1.0));
        assert!(value(found) < value(found - 1e-3) && value(found) < value(found + 1e-3), "{found}");
    }

    #[test]
    fn a_pull_without_end_stops_at_the_anchor() {
        assert!((step(1.0, 0.5, 1e30, -3.0) + 3.0).abs() < 1e-6);
    }

    #[test]
    fn where_it_rests_the_gradient_and_the_pull_are_even_also_with_momentum() {
        // L has the gradient θ − 4, and the penalty 3·(θ − 1): 4θ = 7, θ = 1.75. η is 0.1/(1 − 0.9), hence 30 and not 3.
        let (mut weight, mut velocity) = (0.0, 0.0);
        for _ in 0..500 {
            velocity = 0.9 * velocity + (weight - 4.0);
            weight = pulled(of(weight - 0.1 * velocity), of(30.0), of(1.0), 0.1).into_scalar::<f32>();
        }
        assert!((weight - 1.75).abs() < 1e-4, "{weight}");
    }
}
