//! The step of Adam and AdamW of one tensor.

use alluvium_kernels::adam::{AdamFactors, step as fused_step};
use burn::tensor::Tensor;

use crate::buffer::{Buffer, on_flex};
use crate::flex::threads;

/// The settings of a step of Adam or AdamW.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamStep {
    /// The learning rate.
    pub rate: f64,
    /// β₁, the share of the old first moment, in `[0, 1)`.
    pub beta1: f64,
    /// β₂, the share of the old second moment, in `[0, 1)`.
    pub beta2: f64,
    /// ε, added to the root of the second moment.
    pub epsilon: f64,
    /// The weight decay; 0 for none.
    pub decay: f64,
    /// Whether the decay shrinks the weights (AdamW). Otherwise, it is an L2 penalty: it adds to the gradients (Adam).
    pub decoupled: bool,
}

impl AdamStep {
    /// The numbers of the step `number`, which counts from 1. They are computed in 64 bits.
    fn at(&self, number: usize) -> AdamFactors {
        let left = |beta: f64| 1.0 - beta.powi(i32::try_from(number).unwrap_or(i32::MAX));
        AdamFactors {
            rate: (self.rate / left(self.beta1)) as f32,
            root: left(self.beta2).sqrt().recip() as f32,
            beta1: self.beta1 as f32,
            beta2: self.beta2 as f32,
            fresh: [self.beta1, self.beta2].map(|beta| (1.0 - beta) as f32),
            epsilon: self.epsilon as f32,
            decay: if self.decoupled { 0.0 } else { self.decay as f32 },
            keep: if self.decoupled { (1.0 - self.rate * self.decay) as f32 } else { 1.0 },
        }
    }
}

/// The weights and both moments after the step `number`, which counts from 1. `moments` are those after the step before;
/// `None` at the first step.
///
/// The tensors must not be on an autodiff device. The numbers are PyTorch's `Adam` and `AdamW` up to rounding: m ← β₁m + (1 − β₁)g,
/// v ← β₂v + (1 − β₂)g², w ← w − rate · m̂ / (√v̂ + ε) with m̂ = m / (1 − β₁ᵗ) and v̂ = v / (1 − β₂ᵗ) (Kingma & Ba, arXiv 1412.6980,
/// Algorithm 1; Loshchilov & Hutter, arXiv 1711.05101, Algorithm 2). On `flex`, one pass computes them.
pub fn adam_step<const D: usize>(
    weights: Tensor<D>,
    gradients: Tensor<D>,
    moments: Option<[Tensor<D>; 2]>,
    settings: &AdamStep,
    number: usize,
) -> (Tensor<D>, [Tensor<D>; 2]) {
    let moments = moments.unwrap_or_else(|| [weights.zeros_like(), weights.zeros_like()]);
    let native = [&weights, &gradients, &moments[0], &moments[1]].into_iter().all(on_flex);
    let step = if native { fused } else { composed };
    step(weights, gradients, moments, settings.at(number))
}

/// The step with operations of any backend.
fn composed<const D: usize>(
    weights: Tensor<D>,
    gradients: Tensor<D>,
    [first, second]: [Tensor<D>; 2],
    step: AdamFactors,
) -> (Tensor<D>, [Tensor<D>; 2]) {
    let gradients = if step.decay > 0.0 { weights.clone().mul_scalar(step.decay) + gradients } else { gradients };
    let first = first.mul_scalar(step.beta1) + gradients.clone().mul_scalar(step.fresh[0]);
    let squares = gradients.clone().mul(gradients).mul_scalar(step.fresh[1]);
    let second = second.mul_scalar(step.beta2) + squares;
    let root = second.clone().sqrt().mul_scalar(step.root).add_scalar(step.epsilon);
    (weights.mul_scalar(step.keep) - first.clone().mul_scalar(step.rate) / root, [first, second])
}

/// The step in one pass. The buffer of the gradients becomes that of the new weights.
fn fused<const D: usize>(
    weights: Tensor<D>,
    gradients: Tensor<D>,
    moments: [Tensor<D>; 2],
    step: AdamFactors,
) -> (Tensor<D>, [Tensor<D>; 2]) {
    let dims = weights.dims();
    let [mut first, mut second] = moments.map(Buffer::of);
    let (weights, mut gradients) = (Buffer::of(weights), Buffer::of(gradients));
    fused_step(weights.values(), first.values_mut(), second.values_mut(), gradients.values_mut(), step, threads());
    (gradients.tensor(dims), [first.tensor(dims), second.tensor(dims)])
}

#[cfg(test)]
mod tests {
    use burn::optim::{AdamWConfig, Optimizer};
    use burn::tensor::{Device, Int};

    use super::*;

    fn values(shift: f32) -> Tensor<2> {
        let values = Tensor::<1, Int>::arange(0..60, &Device::flex()).float();
        (values * 0.37 + shift).sin().reshape([12, 5])
    }

    fn host(tensor: &Tensor<2>) -> Vec<f32> {
        tensor.to_data().try_into_vec::<f32>().unwrap()
    }

    fn settings(decay: f64, decoupled: bool) -> AdamStep {
        AdamStep { rate: 0.01, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, decay, decoupled }
    }

    fn assert_near(found: &[f32], expected: &[f32], tolerance: f32, what: &str) {
        let near = |(a, b): (&f32, &f32)| (a - b).abs() <= tolerance * b.abs().max(0.1);
        assert!(
            found.len() == expected.len() && found.iter().zip(expected).all(near),
            "{what}: {found:?}, {expected:?}"
        );
    }

    #[test]
    fn both_ways_give_the_same_numbers() {
        for of in [settings(0.0, false), settings(0.1, false), settings(0.1, true)] {
            let (mut found, mut moments) = (values(0.0), [values(0.0).zeros_like(), values(0.0).zeros_like()]);
            let (mut other, mut of_other) = (found.clone(), moments.clone());
            for number in 1..20 {
                let gradients = || values(number as f32);
                (found, moments) = fused(found, gradients(), moments, of.at(number));
                (other, of_other) = composed(other, gradients(), of_other, of.at(number));
                assert_near(&host(&found), &host(&other), 1e-6, "weights");
            }
        }
    }

    #[test]
    fn the_numbers_are_those_of_burns_adamw() {
        let of = settings(0.1, true);
        let burns = AdamWConfig::new().with_beta_1(0.9).with_beta_2(0.99).with_epsilon(1e-8).with_weight_decay(0.1);
        let burns = burns.build();
        let (mut expected, mut state) = (values(0.0), None);
        let (mut found, mut moments) = (values(0.0), None);
        for number in 1..30 {
            (expected, state) = burns.step(of.rate, expected, values(number as f32), state);
            let (next, kept) = adam_step(found, values(number as f32), moments, &of, number);
            (found, moments) = (next, Some(kept));
            assert_near(&host(&found), &host(&expected), 2e-5, "weights");
        }
    }

    #[test]
    fn shared_values_do_not_change() {
        let (weights, gradients, moments) = (values(0.0), values(1.0), [values(2.0).abs(), values(3.0).abs()]);
        let before = moments.clone().map(|moment| host(&moment));
        adam_step(weights.clone(), gradients.clone(), Some(moments.clone()), &settings(0.1, false), 3);
        assert_eq!([host(&weights), host(&gradients)], [host(&values(0.0)), host(&values(1.0))]);
        assert_eq!(moments.map(|moment| host(&moment)), before);
    }
}
