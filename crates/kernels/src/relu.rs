//! The rectifier, max(x, 0), and its gradient.

use crate::lanes::widest;
use pulp::{Simd, WithSimd};

/// Writes max(x, 0) to `out`.
pub fn forward(x: &[f32], out: &mut [f32]) {
    assert_eq!(x.len(), out.len(), "relu: x and out differ in length");
    widest(ReluForward { x, out });
}

/// Writes the gradient by `x` to `dx`: `dy` where the output `y` (or the input: their signs agree) is positive.
pub fn backward(y: &[f32], dy: &[f32], dx: &mut [f32]) {
    assert!(y.len() == dy.len() && dy.len() == dx.len(), "relu: y, dy and dx differ in length");
    widest(ReluBackward { y, dy, dx });
}

struct ReluForward<'a> {
    x: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for ReluForward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (out, &x) in self.out.iter_mut().zip(self.x) {
            *out = if x > 0.0 { x } else { 0.0 };
        }
    }
}

struct ReluBackward<'a> {
    y: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl WithSimd for ReluBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for ((dx, &y), &dy) in self.dx.iter_mut().zip(self.y).zip(self.dy) {
            *dx = if y > 0.0 { dy } else { 0.0 };
        }
    }
}
