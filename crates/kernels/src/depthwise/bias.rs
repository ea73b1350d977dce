//! The gradient by the bias.

use super::DepthwiseShape;
use crate::lanes::{load, widest};
use pulp::{Simd, WithSimd};

/// The vectors that are summed side by side, to hide the latency of additions.
const VECTORS: usize = 4;

/// Writes the gradient by the bias, the sum of `dy` for each channel, to `db`.
///
/// # Panics
///
/// If the kernel does not fit the padded image, or if a slice disagrees with the shape.
pub fn bias_gradient(shape: &DepthwiseShape, dy: &[f32], db: &mut [f32]) {
    shape.check(None, None, Some(dy));
    assert_eq!(db.len(), shape.channels, "depthwise convolution: one bias a channel");
    widest(Totals { dy, db, pixels: shape.rows() * shape.columns() });
}

struct Totals<'a> {
    dy: &'a [f32],
    db: &'a mut [f32],
    pixels: usize,
}

impl WithSimd for Totals<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.db.fill(0.0);
        for image in self.dy.chunks_exact(self.db.len() * self.pixels) {
            for (db, plane) in self.db.iter_mut().zip(image.chunks_exact(self.pixels)) {
                *db += total(simd, plane);
            }
        }
    }
}

/// The sum of a plane.
#[inline(always)]
fn total<S: Simd>(simd: S, plane: &[f32]) -> f32 {
    let zero = simd.splat_f32s(0.0);
    let mut sums = [zero; VECTORS];
    let blocks = plane.chunks_exact(VECTORS * S::F32_LANES);
    let (vectors, rest) = S::as_simd_f32s(blocks.remainder());
    for block in blocks {
        let block: [S::f32s; VECTORS] = load(simd, block);
        for (sum, vector) in sums.iter_mut().zip(block) {
            *sum = simd.add_f32s(*sum, vector);
        }
    }
    for (sum, vector) in sums.iter_mut().zip(vectors) {
        *sum = simd.add_f32s(*sum, *vector);
    }
    let [a, b, c, d] = sums;
    let lanes = simd.add_f32s(simd.add_f32s(a, b), simd.add_f32s(c, d));
    simd.reduce_sum_f32s(lanes) + rest.iter().sum::<f32>()
}
