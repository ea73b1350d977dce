//! The convolution itself.

use super::Shape;
use super::abreast::{self, InterleavedProduct};
use super::groups::Batch;
use super::planes::Planes;
use super::rows::Rows;
use super::stencil::Stencil;
use super::taps::Product;
use super::transpose::matrices;

/// Writes the convolution of `x` with the weights `w`, plus `bias` for each output channel, to `out`.
pub fn forward(shape: &Shape, x: &[f32], w: &[f32], bias: Option<&[f32]>, out: &mut [f32], threads: usize) {
    shape.check(Some(x), Some(w), Some(out));
    assert!(bias.is_none_or(|bias| bias.len() == shape.outputs), "convolution: one bias an output channel");
    let area = shape.kernel[0] * shape.kernel[1];
    let taps = shape.inputs * area;
    // Kernel positions outside, channels inside: both forms below add in this order.
    let order: Vec<usize> = (0..taps).map(|k| k % shape.inputs * area + k / shape.inputs).collect();
    let rows = Rows::new(&matrices(w, shape.outputs, taps), &order, shape.outputs, bias);

    let abreast = images_abreast(shape);
    let (x, x_rest) = x.split_at(abreast * shape.input_image());
    let (out, out_rest) = out.split_at_mut(abreast * shape.output_image());
    if abreast < shape.batch {
        by_taps(shape, x_rest, &rows, &order, out_rest, threads);
    }
    if abreast > 0 {
        InterleavedProduct { rows, stencil: Stencil::of_output(shape), channels: shape.inputs }.run(x, out, threads);
    }
}

/// The number of images, from the front of the batch, that are computed side by side.
fn images_abreast(shape: &Shape) -> usize {
    // If the kernel skips pixels, rearranging them would be wasted work.
    let skips = (0..2).any(|axis| shape.kernel[axis] < shape.stride[axis]);
    if skips { 0 } else { abreast::images(shape, shape.input_image()) }
}

/// The convolution of the images `x`, with the weights at the taps `order` of `[channel, kernel row, kernel column]`.
fn by_taps(shape: &Shape, x: &[f32], rows: &Rows, order: &[usize], out: &mut [f32], threads: usize) {
    let [height, width] = shape.kernel;
    let image = [shape.height, shape.width];
    let planes = Planes::new(shape.inputs, image, [shape.padding; 2], shape.stride, shape.kernel);
    let offset = |tap: &usize| planes.tap(tap / (height * width), [tap / width % height, tap % width]);
    let offsets: Vec<usize> = order.iter().map(offset).collect();

    let grid = [shape.rows(), shape.columns()];
    let product = Product { rows, taps: &offsets, grid, pitch: planes.size[1], planes: planes.length() };
    Batch { planes, products: vec![product], spread: None, image: shape.output_image() }.run(x, out, threads);
}
