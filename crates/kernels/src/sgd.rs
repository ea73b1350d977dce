//! A step of stochastic gradient descent, with momentum and weight decay, in one pass over the weights.

use crate::lanes::widest;
use crate::share::{PIECE, share, workers};
use pulp::{Simd, WithSimd};

/// The settings of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The learning rate.
    pub rate: f32,
    /// The momentum; 0 for none.
    pub momentum: f32,
    /// The L2 penalty: this much of each weight is added to its gradient; 0 for none.
    pub decay: f32,
}

/// Writes the new weights over the gradients, and the new velocity over the old one.
///
/// With g the gradient and the decayed weight together, v ← momentum · v + g and w ← w − rate · v: PyTorch's form
/// (Sutskever et al., ICML 2013, without dampening). Products and sums are rounded one by one, in the order of burn's
/// optimiser, so the numbers equal burn's bit for bit.
pub fn momentum(weights: &[f32], velocity: &mut [f32], gradients: &mut [f32], step: Step, threads: usize) {
    let same = weights.len() == velocity.len() && weights.len() == gradients.len();
    assert!(same, "sgd: weights, velocity and gradients differ in length");
    let pieces = weights.chunks(PIECE).zip(velocity.chunks_mut(PIECE)).zip(gradients.chunks_mut(PIECE));
    share(workers(weights.len(), threads), pieces.collect(), |run| {
        for ((weights, velocity), gradients) in run {
            widest(Momentum { weights, velocity, gradients, step });
        }
    });
}

/// Writes the new weights over the gradients: w ← w − rate · g, g with the decayed weight.
pub fn plain(weights: &[f32], gradients: &mut [f32], step: Step, threads: usize) {
    assert_eq!(weights.len(), gradients.len(), "sgd: weights and gradients differ in length");
    let pieces = weights.chunks(PIECE).zip(gradients.chunks_mut(PIECE));
    share(workers(weights.len(), threads), pieces.collect(), |run| {
        for (weights, gradients) in run {
            widest(Plain { weights, gradients, step });
        }
    });
}

struct Momentum<'a> {
    weights: &'a [f32],
    velocity: &'a mut [f32],
    gradients: &'a mut [f32],
    step: Step,
}

impl WithSimd for Momentum<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Step { rate, momentum, decay } = self.step;
        for ((&weight, velocity), gradient) in self.weights.iter().zip(self.velocity).zip(self.gradients) {
            let decayed = if decay > 0.0 { weight * decay + *gradient } else { *gradient };
            *velocity = *velocity * momentum + decayed;
            *gradient = weight - *velocity * rate;
        }
    }
}

struct Plain<'a> {
    weights: &'a [f32],
    gradients: &'a mut [f32],
    step: Step,
}

impl WithSimd for Plain<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Step { rate, decay, .. } = self.step;
        for (&weight, gradient) in self.weights.iter().zip(self.gradients) {
            let decayed = if decay > 0.0 { weight * decay + *gradient } else { *gradient };
            *gradient = weight - decayed * rate;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::share::MANY;

    #[test]
    fn two_steps_by_hand() {
        let step = Step { rate: 0.5, momentum: 0.25, decay: 0.125 };
        let (mut velocity, mut gradients) = (vec![4.0, 0.0], vec![1.0, -2.0]);
        // g = 1 + 2/8 = 1.25 and −2 + 8/8 = −1; v = 4/4 + 1.25 = 2.25 and −1; w = 2 − 1.125 and 8 + 0.5.
        momentum(&[2.0, 8.0], &mut velocity, &mut gradients, step, 1);
        assert_eq!((velocity, gradients), (vec![2.25, -1.0], vec![0.875, 8.5]));
        let mut gradients = vec![1.0, -2.0];
        plain(&[2.0, 8.0], &mut gradients, step, 1);
        assert_eq!(gradients, [1.375, 8.5]);
    }

    #[test]
    fn threads_change_nothing() {
        let step = Step { rate: 0.1, momentum: 0.9, decay: 0.01 };
        let values =
            |shift: f32| -> Vec<f32> { (0..MANY + 77).map(|index| (index as f32 * 0.37 + shift).sin()).collect() };
        let of = |threads| {
            let (mut velocity, mut gradients) = (values(1.0), values(2.0));
            momentum(&values(0.0), &mut velocity, &mut gradients, step, threads);
            plain(&values(3.0), &mut gradients, step, threads);
            (velocity, gradients)
        };
        assert!(of(1) == of(3));
    }
}
