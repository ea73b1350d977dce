//! The gradient step of one tensor.

use alluvium_kernels::sgd::{Step, momentum, plain};
use burn::tensor::Tensor;

use crate::buffer::{Buffer, on_flex};
use crate::flex::threads;

/// The settings of a step of stochastic gradient descent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SgdStep {
    /// The learning rate.
    pub rate: f64,
    /// The momentum; 0 for none.
    pub momentum: f32,
    /// The L2 penalty: this much of each weight is added to its gradient; 0 for none.
    pub decay: f32,
}

/// The weights and the velocity after a step. The velocity is for the next step; without momentum, it is `None`.
///
/// The tensors must not be on an autodiff device. With g = gradient + decay · w: v ← momentum · v + g, where the first
/// v is g alone, and w ← w − rate · v. burn's `Sgd` without dampening does the same. On `flex`, one pass computes the
/// same numbers bit for bit.
pub fn sgd_step<const D: usize>(
    weights: Tensor<D>,
    gradients: Tensor<D>,
    velocity: Option<Tensor<D>>,
    step: &SgdStep,
) -> (Tensor<D>, Option<Tensor<D>>) {
    let native = on_flex(&weights) && on_flex(&gradients) && velocity.as_ref().is_none_or(on_flex);
    if native { fused(weights, gradients, velocity, step) } else { composed(weights, gradients, velocity, step) }
}

/// The step with operations of any backend.
fn composed<const D: usize>(
    weights: Tensor<D>,
    mut gradients: Tensor<D>,
    velocity: Option<Tensor<D>>,
    step: &SgdStep,
) -> (Tensor<D>, Option<Tensor<D>>) {
    if step.decay > 0.0 {
        gradients = weights.clone().mul_scalar(step.decay).add(gradients);
    }
    if step.momentum == 0.0 {
        return (weights - gradients.mul_scalar(step.rate), None);
    }
    let velocity = match velocity {
        Some(velocity) => velocity.mul_scalar(step.momentum).add(gradients),
        None => gradients,
    };
    (weights - velocity.clone().mul_scalar(step.rate), Some(velocity))
}

/// The step in one pass. The buffer of the gradients becomes that of the new weights.
fn fused<const D: usize>(
    weights: Tensor<D>,
    gradients: Tensor<D>,
    velocity: Option<Tensor<D>>,
    step: &SgdStep,
) -> (Tensor<D>, Option<Tensor<D>>) {
    let dims = weights.dims();
    let of = Step { rate: step.rate as f32, momentum: step.momentum, decay: step.decay };
    let (weights, mut gradients) = (Buffer::of(weights), Buffer::of(gradients));
    if step.momentum == 0.0 {
        plain(weights.values(), gradients.values_mut(), of, threads());
        return (gradients.tensor(dims), None);
    }
    // Adding −0 changes no value, not even the sign of a zero.
    let first = || Buffer::Own(vec![-0.0; dims.iter().product()]);
    let mut velocity = velocity.map_or_else(first, Buffer::of);
    momentum(weights.values(), velocity.values_mut(), gradients.values_mut(), of, threads());
    (gradients.tensor(dims), Some(velocity.tensor(dims)))
}

#[cfg(test)]
mod tests {
    use burn::optim::decay::WeightDecayConfig;
    use burn::optim::momentum::MomentumConfig;
    use burn::optim::{Optimizer, SgdConfig};
    use burn::tensor::{Device, Int};

    use super::*;

    fn values(shift: f32) -> Tensor<2> {
        let values = Tensor::<1, Int>::arange(0..60, &Device::flex()).float();
        (values * 0.37 + shift).sin().reshape([12, 5])
    }

    fn host(tensor: &Tensor<2>) -> Vec<f32> {
        tensor.to_data().try_into_vec::<f32>().unwrap()
    }

    /// The settings with and without momentum and decay.
    fn settings() -> [SgdStep; 4] {
        [(0.0, 0.0), (0.9, 0.0), (0.0, 0.01), (0.9, 0.01)].map(|(momentum, decay)| SgdStep {
            rate: 0.05,
            momentum,
            decay,
        })
    }

    #[test]
    fn the_numbers_are_those_of_burns_optimiser() {
        for step in settings() {
            let momentum = MomentumConfig::new().with_momentum(step.momentum.into()).with_dampening(0.0);
            let config = SgdConfig::new()
                .with_momentum((step.momentum > 0.0).then_some(momentum))
                .with_weight_decay((step.decay > 0.0).then(|| WeightDecayConfig::new(step.decay)));
            let burns = config.build();
            let (mut expected, mut state) = (values(0.0), None);
            let (mut found, mut velocity) = (values(0.0), None);
            let (mut other, mut of_other) = (values(0.0), None);
            for number in 1..20 {
                let gradients = || values(number as f32);
                (expected, state) = burns.step(step.rate, expected, gradients(), state);
                (found, velocity) = fused(found, gradients(), velocity, &step);
                (other, of_other) = composed(other, gradients(), of_other, &step);
                assert_eq!(host(&found), host(&expected), "fused, step {number} of {step:?}");
                assert_eq!(host(&other), host(&expected), "composed, step {number} of {step:?}");
            }
        }
    }

    #[test]
    fn shared_values_do_not_change() {
        for step in settings() {
            let (weights, gradients, velocity) = (values(0.0), values(1.0), values(2.0));
            let momentum = (step.momentum > 0.0).then(|| velocity.clone());
            sgd_step(weights.clone(), gradients.clone(), momentum, &step);
            assert_eq!([host(&weights), host(&gradients)], [host(&values(0.0)), host(&values(1.0))]);
            assert_eq!(host(&velocity), host(&values(2.0)));
        }
    }

    #[test]
    fn values_that_are_not_contiguous_are_copied() {
        for step in settings() {
            let turned = || values(1.0).transpose();
            let part = || values(0.0).slice([0..5, 0..5]);
            let of = |weights: Tensor<2>, gradients: Tensor<2>| host(&fused(weights, gradients, None, &step).0);
            let row = |tensor: Tensor<2>| Tensor::<2>::from_data(tensor.into_data(), &Device::flex());
            let gradients = || turned().slice([0..5, 2..7]);
            assert_eq!(of(part(), gradients()), of(row(part()), row(gradients())), "{step:?}");
        }
    }
}
