//! The convolution itself.

use super::Shape;
use super::groups::Batch;
use super::planes::Planes;
use super::taps::{Product, Rows};
use super::transpose::matrices;

/// Writes the convolution of `x` with the weights `w`, plus `bias` for each output channel, to `out`.
pub fn forward(shape: &Shape, x: &[f32], w: &[f32], bias: Option<&[f32]>, out: &mut [f32], threads: usize) {
    shape.check(Some(x), Some(w), Some(out));
    assert!(bias.is_none_or(|bias| bias.len() == shape.outputs), "convolution: one bias an output channel");
    let [height, width] = shape.kernel;
    let area = height * width;
    let taps = shape.inputs * area;
    let rows = Rows::new(&matrices(w, shape.outputs, taps), shape.outputs, bias);

    let image = [shape.height, shape.width];
    let planes = Planes::new(shape.inputs, image, [shape.padding; 2], shape.stride, shape.kernel);
    let offsets: Vec<usize> = (0..taps).map(|tap| planes.tap(tap / area, [tap % area / width, tap % width])).collect();

    let grid = [shape.rows(), shape.columns()];
    let product = Product { rows: &rows, taps: &offsets, grid, pitch: planes.size[1], planes: planes.length() };
    let batch = Batch { planes, products: vec![product], spread: None, image: shape.output_image() };
    batch.run(x, out, threads);
}
