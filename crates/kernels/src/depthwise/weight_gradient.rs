//! The gradient by the weights.

use super::DepthwiseShape;
use super::edges::Edges;
use super::geometry::Geometry;
use super::products::Products;
use super::runs::Run;
use crate::lanes::{LINE, load, widest};
use crate::share::share;
use pulp::{Simd, WithSimd};

/// Writes the gradient by the weights to `dw`; `dy` is the gradient by the output, `x` the input.
///
/// # Panics
///
/// If the kernel does not fit the padded image, or if a slice disagrees with the shape.
pub fn weight_gradient(shape: &DepthwiseShape, x: &[f32], dy: &[f32], dw: &mut [f32], threads: usize) {
    shape.check(Some(x), Some(dw), Some(dy));
    if dw.is_empty() {
        return;
    }
    let geometry = Geometry::new(shape);
    let shifts = (0..shape.kernel[1]).map(|column| geometry.anchor[1] as isize - column as isize);
    let edges = Edges::new(geometry.size, shifts);
    // A channel is summed by one thread, image by image, so a cut that depends on the threads does not change the sums.
    let channels = shape.channels.div_ceil(threads.max(1));
    let pieces = dw.chunks_mut(channels * shape.area()).enumerate().collect();
    share(threads, pieces, |pieces: Vec<_>| {
        for (index, dw) in pieces {
            widest(Channels { shape, geometry: &geometry, edges: &edges, x, dy, first: index * channels, dw });
        }
    });
}

/// The channels from `first` on.
struct Channels<'a> {
    shape: &'a DepthwiseShape,
    geometry: &'a Geometry,
    edges: &'a Edges,
    x: &'a [f32],
    dy: &'a [f32],
    first: usize,
    dw: &'a mut [f32],
}

impl WithSimd for Channels<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Channels { shape, geometry, edges, x, dy, first, dw } = self;
        let Geometry { size: [_, width], input, output, anchor } = *geometry;
        let (pixels, area) = (geometry.pixels(), shape.area());
        let channels = dw.len() / area;
        // `[channel, tap, lane]`. A plane is summed by itself before it is added, which keeps digits in large batches.
        let mut sums = vec![0.0; dw.len() * LINE];
        let new = || Run::new(pixels, shape.kernel[0] * width + shape.kernel[1]);
        // As in `correlation`, the next plane is copied before this one is used.
        let mut now = [new(), new()];
        let mut next = [new(), new()];
        let planes = shape.batch * channels;
        for index in 0..planes + 1 {
            if index < planes {
                let plane = index / channels * shape.channels + first + index % channels;
                next[0].fill(&input, &x[plane * input.values()..][..input.values()]);
                next[1].fill(&output, &dy[plane * output.values()..][..output.values()]);
            }
            if let Some(previous) = index.checked_sub(1) {
                let sums = &mut sums[previous % channels * area * LINE..][..area * LINE];
                let [x, dy] = &mut now;
                let start = x.start();
                let products = Products { x: x.all(), dy: dy.all(), start, pixels, width, anchor, edges };
                match shape.kernel {
                    [3, 3] => products.fixed::<S, 3, 3>(simd, sums),
                    [5, 5] => products.fixed::<S, 5, 5>(simd, sums),
                    kernel => products.any(simd, kernel, sums),
                }
            }
            std::mem::swap(&mut now, &mut next);
        }
        for (dw, sums) in dw.iter_mut().zip(sums.chunks_exact(LINE)) {
            let [sum]: [S::f32s; 1] = load(simd, sums);
            *dw = simd.reduce_sum_f32s(sum);
        }
    }
}
