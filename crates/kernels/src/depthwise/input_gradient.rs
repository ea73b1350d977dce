//! The gradient by the input.

use super::DepthwiseShape;
use super::correlation::Correlation;
use super::geometry::Geometry;

/// Writes the gradient by the input to `dx`; `dy` is the gradient by the output, `w` are the weights.
///
/// # Panics
///
/// If the kernel does not fit the padded image, or if a slice disagrees with the shape.
pub fn input_gradient(shape: &DepthwiseShape, dy: &[f32], w: &[f32], dx: &mut [f32], threads: usize) {
    shape.check(Some(dx), Some(w), Some(dy));
    let Geometry { size, input, output, anchor } = Geometry::new(shape);
    let kernel = shape.kernel;
    let turned: Vec<f32> = w.chunks_exact(shape.area()).flat_map(|taps| taps.iter().rev().copied()).collect();
    let anchor = [0, 1].map(|axis| kernel[axis] - 1 - anchor[axis]);
    Correlation { size, source: output, result: input, kernel, anchor, weights: &turned, bias: None }
        .run(dy, dx, threads);
}
