//! A step of Adam or AdamW in one pass over the weights.

use crate::lanes::widest;
use crate::share::{PIECE, share, workers};
use pulp::{Simd, WithSimd};

/// The settings of a step. They hold what depends on the number of the step, so that a step is only multiplications.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamFactors {
    /// The learning rate divided by the first moment's correction, 1 − β₁ᵗ.
    pub rate: f32,
    /// 1 / √(1 − β₂ᵗ), the second moment's correction.
    pub root: f32,
    /// β₁, the share of the old first moment.
    pub beta1: f32,
    /// β₂, the share of the old second moment.
    pub beta2: f32,
    /// 1 − β₁ and 1 − β₂, each rounded once: near 1, a difference of rounded numbers has few digits.
    pub fresh: [f32; 2],
    /// ε, added to the root of the second moment.
    pub epsilon: f32,
    /// Adam's L2 penalty: this much of each weight is added to its gradient; 0 for none.
    pub decay: f32,
    /// AdamW's decay: the factor on each weight before the step; 1 for none.
    pub keep: f32,
}

/// Writes the new weights over the gradients, and the new moments over the old ones.
///
/// With g the gradient and the decayed weight together, m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g² and
/// w ← keep · w − rate · m / (root · √v + ε): Kingma & Ba, arXiv 1412.6980, Algorithm 1, with PyTorch's place for ε; the decoupled
/// decay is that of Loshchilov & Hutter, arXiv 1711.05101, Algorithm 2.
pub fn step(
    weights: &[f32],
    first: &mut [f32],
    second: &mut [f32],
    gradients: &mut [f32],
    step: AdamFactors,
    threads: usize,
) {
    let count = weights.len();
    let same = count == first.len() && count == second.len() && count == gradients.len();
    assert!(same, "adam: weights, moments and gradients differ in length");
    let moments = first.chunks_mut(PIECE).zip(second.chunks_mut(PIECE));
    let pieces = weights.chunks(PIECE).zip(moments).zip(gradients.chunks_mut(PIECE));
    share(workers(count, threads), pieces.collect(), |run| {
        for ((weights, (first, second)), gradients) in run {
            widest(Adam { weights, first, second, gradients, step });
        }
    });
}

struct Adam<'a> {
    weights: &'a [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
    gradients: &'a mut [f32],
    step: AdamFactors,
}

impl WithSimd for Adam<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let AdamFactors { rate, root, beta1, beta2, fresh: [fresh1, fresh2], epsilon, decay, keep } = self.step;
        let moments = self.first.iter_mut().zip(self.second);
        for ((&weight, (first, second)), gradient) in self.weights.iter().zip(moments).zip(self.gradients) {
            let decayed = weight * decay + *gradient;
            *first = *first * beta1 + decayed * fresh1;
            *second = *second * beta2 + decayed * decayed * fresh2;
            *gradient = weight * keep - *first * rate / (second.sqrt() * root + epsilon);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_steps_worked_out_by_hand() {
        // β₁ = β₂ = ½, learning rate 0.1, ε = 0, w = 1, g = 2 and then −1.
        let of = |number: i32| {
            let left = 1.0 - 0.5f32.powi(number);
            AdamFactors {
                rate: 0.1 / left,
                root: left.sqrt().recip(),
                beta1: 0.5,
                beta2: 0.5,
                fresh: [0.5; 2],
                epsilon: 0.0,
                decay: 0.0,
                keep: 1.0,
            }
        };
        let (mut first, mut second, mut weights) = ([0.0; 3], [0.0; 3], [1.0; 3]);
        for (number, gradient, expected) in [
            // m = 1, v = 2; corrected 2 and 4: 1 − 0.1·2/2.
            (1, 2.0, 0.9),
            // m = 0.5 − 0.5 = 0: no move.
            (2, -1.0, 0.9),
            // m = 0 + 2 = 2, v = (1 + 0.5)/2 + 8 = 8.75; corrected by 7/8: 16/7 and 10: 0.9 − 0.1·(16/7)/√10.
            (3, 4.0, 0.9 - 0.1 * 16.0 / 7.0 / 10.0f32.sqrt()),
        ] {
            let mut gradients = [gradient; 3];
            step(&weights, &mut first, &mut second, &mut gradients, of(number), 1);
            weights = gradients;
            assert!((weights[2] - expected).abs() < 1e-6, "step {number}: {weights:?}, expected {expected}");
        }
    }

    #[test]
    fn decay_is_part_of_the_gradient_and_keep_is_not() {
        // β = 0: the step is −rate · sign(g).
        let plain = AdamFactors {
            rate: 0.1,
            root: 1.0,
            beta1: 0.0,
            beta2: 0.0,
            fresh: [1.0; 2],
            epsilon: 0.0,
            decay: 0.0,
            keep: 1.0,
        };
        let after = |step_of: AdamFactors| {
            let mut gradients = [-1.0];
            step(&[2.0], &mut [0.0], &mut [0.0], &mut gradients, step_of, 1);
            gradients[0]
        };
        assert_eq!(after(plain), 2.1);
        // g = −1 + 2·1 = 1
        assert_eq!(after(AdamFactors { decay: 1.0, ..plain }), 1.9);
        assert_eq!(after(AdamFactors { keep: 0.5, ..plain }), 1.1);
    }
}
