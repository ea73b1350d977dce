//! The gradient by the bias.

use super::Shape;
use crate::lanes::widest;
use crate::norm::sums::total;
use pulp::{Simd, WithSimd};

/// Writes the gradient by the bias, the sum of `dy` for each output channel, to `db`.
pub fn bias_gradient(shape: &Shape, dy: &[f32], db: &mut [f32]) {
    shape.check(None, None, Some(dy));
    assert_eq!(db.len(), shape.outputs, "convolution: one bias an output channel");
    widest(Sums { dy, db, pixels: shape.rows() * shape.columns() });
}

struct Sums<'a> {
    dy: &'a [f32],
    db: &'a mut [f32],
    pixels: usize,
}

impl WithSimd for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.db.fill(0.0);
        for image in self.dy.chunks_exact(self.db.len() * self.pixels) {
            for (db, plane) in self.db.iter_mut().zip(image.chunks_exact(self.pixels)) {
                *db += total(plane);
            }
        }
    }
}
