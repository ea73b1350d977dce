//! Stochastic gradient descent with a pull towards anchors.

use burn::optim::{LearningRate, Optimizer, Sgd, SgdState};
use burn::tensor::{Device, Tensor};

/// Gradient descent on L + λ/2 Σ F (θ − θ*)² for one tensor: a step on L, then the penalty's proximal step,
///
/// θ ← argmin_x ½(x − θ′)² + η·λ/2·F·(x − θ*)² = (θ′ + ηλF·θ*) / (1 + ηλF),
///
/// where θ′ is where the step on L went, and η the rate at which a lasting gradient moves a weight: the learning rate
/// divided by 1 − momentum. Where θ comes to rest, the gradient of L is −λF(θ − θ*), as in the sum of both.
#[derive(Clone)]
pub(crate) struct Anchored {
    pub(crate) sgd: Sgd,
    /// λF / (1 − momentum), flat.
    pub(crate) stiffness: Tensor<1>,
    /// θ*, flat.
    pub(crate) anchor: Tensor<1>,
}

impl Optimizer for Anchored {
    type State<const D: usize> = SgdState<D>;

    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        tensor: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<SgdState<D>>,
    ) -> (Tensor<D>, Option<SgdState<D>>) {
        let shape = tensor.dims();
        let (moved, state) = self.sgd.step(rate, tensor, gradient, state);
        let pull = self.stiffness.clone().mul_scalar(rate).reshape(shape);
        let anchor = self.anchor.clone().reshape(shape);
        // Moved by a share of the way, so that a pull of zero leaves the weight exactly where it is.
        let share = pull.clone() / pull.add_scalar(1.0);
        (moved.clone() + (anchor - moved) * share, state)
    }

    fn to_device<const D: usize>(state: SgdState<D>, device: &Device) -> SgdState<D> {
        Sgd::to_device(state, device)
    }
}

#[cfg(test)]
mod tests {
    use burn::optim::SgdConfig;

    use super::*;

    fn step(weight: f32, gradient: f32, stiffness: f32, anchor: f32) -> f32 {
        let of = |value: f32| Tensor::<1>::from_floats([value], &Device::flex());
        let anchored = Anchored { sgd: SgdConfig::new().build(), stiffness: of(stiffness), anchor: of(anchor) };
        anchored.step(0.1, of(weight), of(gradient), None).0.into_scalar::<f32>()
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
        let momentum = burn::optim::momentum::MomentumConfig::new().with_momentum(0.9).with_dampening(0.0);
        let of = |value: f32| Tensor::<1>::from_floats([value], &Device::flex());
        let sgd = SgdConfig::new().with_momentum(Some(momentum)).build();
        let anchored = Anchored { sgd, stiffness: of(30.0), anchor: of(1.0) };
        let (mut weight, mut state) = (of(0.0), None);
        for _ in 0..500 {
            let gradient = weight.clone().sub_scalar(4.0);
            (weight, state) = anchored.step(0.1, weight, gradient, state);
        }
        assert!((weight.into_scalar::<f32>() - 1.75).abs() < 1e-4);
    }
}
