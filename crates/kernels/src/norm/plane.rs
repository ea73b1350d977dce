//! Operations of both normalisations on a plane (one channel of one image).

use super::sums::sum_pairs;

/// `y = a · x + b`, then a rectifier if `rectified`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Map {
    pub a: f32,
    pub b: f32,
    pub rectified: bool,
}

impl Map {
    /// The map of a normalisation with this mean and 1 / standard deviation.
    pub fn new(mean: f32, inverse: f32, scale: f32, shift: f32, rectified: bool) -> Map {
        let a = scale * inverse;
        Map { a, b: shift - mean * a, rectified }
    }

    #[inline(always)]
    pub fn apply(self, x: &[f32], y: &mut [f32]) {
        // The condition is outside the loops. Inside, it would cost a branch or a blend for each value.
        if self.rectified {
            for (y, &x) in y.iter_mut().zip(x) {
                let value = x * self.a + self.b;
                *y = if value > 0.0 { value } else { 0.0 };
            }
        } else {
            for (y, &x) in y.iter_mut().zip(x) {
                *y = x * self.a + self.b;
            }
        }
    }

    /// Σ g and Σ g · x̂, where `g` is `dy` behind the rectifier's mask and `x̂ = (x - mean) · inverse`.
    #[inline(always)]
    pub fn gradient_sums(self, x: &[f32], dy: &[f32], mean: f32, inverse: f32) -> [f32; 2] {
        let Map { a, b, rectified } = self;
        let [plain, scaled] = if rectified {
            sum_pairs(x, dy, |x, dy| {
                let g = if x * a + b > 0.0 { dy } else { 0.0 };
                [g, g * (x - mean)]
            })
        } else {
            sum_pairs(x, dy, |x, dy| [dy, dy * (x - mean)])
        };
        [plain, scaled * inverse]
    }

    /// `dx = a · g + p · (x - mean) + q`.
    #[inline(always)]
    pub fn gradient(self, x: &[f32], dy: &[f32], mean: f32, [p, q]: [f32; 2], dx: &mut [f32]) {
        let Map { a, b, rectified } = self;
        if rectified {
            for ((dx, &x), &dy) in dx.iter_mut().zip(x).zip(dy) {
                let g = if x * a + b > 0.0 { dy } else { 0.0 };
                *dx = a * g + (p * (x - mean) + q);
            }
        } else {
            for ((dx, &x), &dy) in dx.iter_mut().zip(x).zip(dy) {
                *dx = a * dy + (p * (x - mean) + q);
            }
        }
    }
}
