//! The convolution itself.

use super::DepthwiseShape;
use super::correlation::Correlation;
use super::geometry::Geometry;

/// Writes the convolution of `x` with the weights `w`, plus `bias` for each channel, to `out`.
///
/// # Panics
///
/// If the kernel does not fit the padded image, or if a slice disagrees with the shape.
pub fn forward(shape: &DepthwiseShape, x: &[f32], w: &[f32], bias: Option<&[f32]>, out: &mut [f32], threads: usize) {
    shape.check(Some(x), Some(w), Some(out));
    assert!(bias.is_none_or(|bias| bias.len() == shape.channels), "depthwise convolution: one bias a channel");
    let Geometry { size, input, output, anchor } = Geometry::new(shape);
    let kernel = shape.kernel;
    Correlation { size, source: input, result: output, kernel, anchor, weights: w, bias }.run(x, out, threads);
}
