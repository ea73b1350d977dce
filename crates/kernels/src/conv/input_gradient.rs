//! The gradient by the input.
//!
//! Input pixel `y` (counted with its padding) is read at output row `u` by kernel row `y - stride · u`. So pixels of
//! one residue `r = y mod stride` only see the kernel rows `r, r + stride, …`. Each residue is a convolution of `dy`
//! with a smaller kernel, at stride 1. For stride 1 there is one residue, with the whole kernel. (With images side by
//! side, in `abreast`, residues are not needed: each pixel has its own list of taps.)

use super::Shape;
use super::abreast::{self, InterleavedProduct};
use super::groups::Batch;
use super::planes::Planes;
use super::rows::Rows;
use super::spread::Spread;
use super::stencil::Stencil;
use super::taps::Product;
use super::transpose::matrices;

/// Writes the gradient by the input, given the gradient by the output `dy` and the weights `w`, to `dx`.
pub fn input_gradient(shape: &Shape, dy: &[f32], w: &[f32], dx: &mut [f32], threads: usize) {
    shape.check(Some(dx), Some(w), Some(dy));
    let area = shape.kernel[0] * shape.kernel[1];
    // `[output, kernel row, kernel column, input]`.
    let last = matrices(w, shape.inputs, area);

    let abreast = abreast::images(shape, shape.output_image());
    let (dy, dy_rest) = dy.split_at(abreast * shape.output_image());
    let (dx, dx_rest) = dx.split_at_mut(abreast * shape.input_image());
    if abreast < shape.batch {
        by_taps(shape, dy_rest, &last, dx_rest, threads);
    }
    if abreast > 0 {
        let order: Vec<usize> =
            (0..area * shape.outputs).map(|k| k % shape.outputs * area + k / shape.outputs).collect();
        let rows = Rows::new(&last, &order, shape.inputs, None);
        InterleavedProduct { rows, stencil: Stencil::of_input(shape), channels: shape.outputs }.run(dy, dx, threads);
    }
}

/// The gradient by the images `dx`, with the weights `[output, kernel row, kernel column, input]`.
fn by_taps(shape: &Shape, dy: &[f32], w: &[f32], dx: &mut [f32], threads: usize) {
    let area = shape.kernel[0] * shape.kernel[1];
    let axes = [0, 1].map(|axis| Axis::new(shape, axis));
    let grid = [shape.rows(), shape.columns()];
    let lead = axes.each_ref().map(|axis| axis.lead);
    let trail = axes.each_ref().map(|axis| axis.trail);
    let planes = Planes::new(shape.outputs, grid, [lead, trail], [1; 2], [1; 2]);
    let pairs: Vec<[&Residue; 2]> =
        axes[0].residues.iter().flat_map(|y| axes[1].residues.iter().map(move |x| [y, x])).collect();
    let sides: Vec<(Vec<usize>, Rows)> = pairs
        .iter()
        .map(|[y, x]| {
            let (mut offsets, mut order) = (Vec::new(), Vec::new());
            for tap_y in &y.taps {
                for tap_x in &x.taps {
                    for channel in 0..shape.outputs {
                        offsets.push(planes.tap(channel, [tap_y.row, tap_x.row]));
                        order.push(channel * area + tap_y.kernel * shape.kernel[1] + tap_x.kernel);
                    }
                }
            }
            (offsets, Rows::new(w, &order, shape.inputs, None))
        })
        .collect();
    let products = pairs
        .iter()
        .zip(&sides)
        .map(|([y, x], (offsets, rows))| Product {
            rows,
            taps: offsets,
            grid: [y.count, x.count],
            pitch: planes.size[1],
            planes: planes.length(),
        })
        .collect();
    let spread = (shape.stride != [1, 1]).then(|| {
        let [rows, columns] = axes.each_ref().map(|axis| axis.residues.iter().map(|r| [r.first, r.count]).collect());
        Spread { image: [shape.height, shape.width], stride: shape.stride, rows, columns }
    });
    Batch { planes, products, spread, image: shape.input_image() }.run(dy, dx, threads);
}

/// The way in which the pixels of one axis are gathered from `dy`.
struct Axis {
    residues: Vec<Residue>,
    /// Zeros before and after `dy`.
    lead: usize,
    trail: usize,
}

/// The input pixels of one residue along an axis.
struct Residue {
    /// The first such pixel.
    first: usize,
    /// The number of these pixels.
    count: usize,
    taps: Vec<GradientTap>,
}

/// A kernel row, and the row of the padded `dy` that it meets at the residue's first pixel.
struct GradientTap {
    kernel: usize,
    row: usize,
}

impl Axis {
    fn new(shape: &Shape, axis: usize) -> Axis {
        let (size, positions) = if axis == 0 { (shape.height, shape.rows()) } else { (shape.width, shape.columns()) };
        let (stride, kernel, padding) = (shape.stride[axis], shape.kernel[axis], shape.padding[axis]);
        // The first kernel row of every residue reaches back the furthest with its last tap.
        let lead = (kernel - 1) / stride;
        let furthest = (size - 1 + padding) / stride;
        let trail = (furthest + 1).saturating_sub(positions);
        let residues = (0..stride)
            .map(|residue| {
                // The first pixel whose position, counted with the padding, has this residue.
                let first = (residue + stride - padding % stride) % stride;
                let start = (first + padding) / stride;
                let count = size.saturating_sub(first).div_ceil(stride);
                let taps = (residue..kernel).step_by(stride).enumerate();
                let taps = taps.map(|(back, kernel)| GradientTap { kernel, row: lead + start - back }).collect();
                Residue { first, count, taps }
            })
            .filter(|residue| residue.count > 0)
            .collect();
        Axis { residues, lead, trail }
    }
}
