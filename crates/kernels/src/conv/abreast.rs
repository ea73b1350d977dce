//! Convolutions of small images, with one image in each lane of the vectors.
//!
//! For a group of [`GROUP`] images, each pixel of the result is a small product of the weights with the few source
//! pixels under the kernel, which are matrices `[channel, image]`: `out[m, image] = bias[m] + Σ_tap Σ_channel w[m, tap,
//! channel] · source[pixel(tap), channel, image]`. Taps in the padding are skipped, a stride costs nothing, and patches
//! need not be gathered. In exchange, images are rearranged before and after ([`super::interleave`]).
//!
//! Every lane adds in the order of [`super::taps`], without the zeros of the padding. So the result does not depend on
//! how images are grouped, and both forms give the same bits. They could only differ for weights that are not finite,
//! or in the sign of a zero.

use super::Shape;
use super::interleave::{GROUP, interleave, separate};
use super::rows::{Band, LOW, Rows, TALL};
use super::stencil::Stencil;
use crate::lanes::{LINE, aligned, load, multiply_add, store, widest};
use crate::share::share;
use pulp::{Simd, WithSimd};

/// The largest number of output pixels for which this form is faster: 28 × 28. Rows of 32 pixels already fill the
/// vectors of [`super::taps`] with little padding.
const PIXELS: usize = 28 * 28;
/// The largest number of values of a source image. A group of such images has 2 MiB, about the size of a core's own
/// caches. (Up to 25 thousand values, the largest measured size, this form is faster.)
const VALUES: usize = 32 * 1024;
/// The smallest number of images for which an incomplete group is faster.
const FEW: usize = 12;

/// The product over a batch.
#[derive(Debug)]
pub(super) struct InterleavedProduct {
    /// The weights: `[m, tap, channel]`.
    pub rows: Rows,
    pub stencil: Stencil,
    /// The channels of the source.
    pub channels: usize,
}

/// The number of images, from the front of the batch, to compute in this form: none, all, or all but a few.
pub(super) fn images(shape: &Shape, source_values: usize) -> usize {
    if source_values > VALUES || shape.rows() * shape.columns() > PIXELS {
        0
    } else if shape.batch % GROUP >= FEW {
        shape.batch
    } else {
        shape.batch / GROUP * GROUP
    }
}

impl InterleavedProduct {
    /// Runs the product for all images of `source`.
    pub fn run(&self, source: &[f32], out: &mut [f32], threads: usize) {
        let pixels = self.stencil.pixels();
        let groups = source.len().div_ceil(self.source_image() * GROUP).max(1);
        // With more threads than groups, several threads share a group: each rearranges it and computes some of the
        // bands. This does not change any sum.
        let parts = threads.div_ceil(groups).clamp(1, self.rows.bands.len());
        let bands = |part: usize| {
            let total = self.rows.bands.len();
            &self.rows.bands[total * part / parts..total * (part + 1) / parts]
        };
        let mut pieces = Vec::with_capacity(groups * parts);
        let results = out.chunks_mut(self.rows.count * pixels * GROUP);
        for (images, out) in source.chunks(self.source_image() * GROUP).zip(results) {
            let mut rest: Vec<&mut [f32]> = out.chunks_exact_mut(self.rows.count * pixels).collect();
            for bands in (0..parts).map(bands) {
                let length = pixels * bands.iter().map(|band| band.rows).sum::<usize>();
                let out = rest.iter_mut().map(|image| image.split_off_mut(..length).expect("all rows")).collect();
                pieces.push(Piece { images, bands, out });
            }
        }
        share(threads, pieces, |pieces| widest(Pieces { product: self, pieces }));
    }

    /// The values of an image of the source.
    fn source_image(&self) -> usize {
        self.channels * self.stencil.source
    }
}

/// Some bands of the result of a group.
struct Piece<'a> {
    images: &'a [f32],
    bands: &'a [Band],
    /// The pixels of these bands, for each image.
    out: Vec<&'a mut [f32]>,
}

struct Pieces<'a> {
    product: &'a InterleavedProduct,
    pieces: Vec<Piece<'a>>,
}

impl WithSimd for Pieces<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Pieces { product, pieces } = self;
        let pixels = product.stencil.pixels();
        // `[channel, pixel]` becomes `[pixel, channel]`.
        let (channels, source) = (product.channels, product.stencil.source);
        let targets: Vec<usize> =
            (0..channels).flat_map(|channel| (0..source).map(move |pixel| pixel * channels + channel)).collect();
        let mut group = vec![0.0; targets.len() * GROUP + LINE];
        let group = aligned(&mut group);
        let mut results = vec![0.0; pixels * TALL * GROUP + LINE];
        let results = aligned(&mut results);
        for Piece { images, bands, mut out } in pieces {
            interleave(simd, images, &targets, group);
            let mut first = 0;
            for band in bands {
                InterleavedTiles { product, band, group, results }.run(simd);
                let length = band.rows * pixels;
                separate(simd, &results[..length * GROUP], &mut out, first);
                first += length;
            }
        }
    }
}

/// A band of rows against a group of images.
struct InterleavedTiles<'a> {
    product: &'a InterleavedProduct,
    band: &'a Band,
    /// `[pixel, channel, image]`.
    group: &'a [f32],
    /// `[row, pixel, image]`.
    results: &'a mut [f32],
}

impl InterleavedTiles<'_> {
    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        // One vector of AVX-512 with 8 rows is enough to hide the latency of additions. Wider groups would only use
        // more cache.
        if S::F32_LANES == GROUP {
            self.columns::<S, 1>(simd, 0)
        } else {
            for column in (0..GROUP).step_by(2 * S::F32_LANES) {
                self.columns::<S, 2>(simd, column);
            }
        }
    }

    /// `N` vectors of images from `column` on.
    #[inline(always)]
    fn columns<S: Simd, const N: usize>(&mut self, simd: S, column: usize) {
        if !self.band.tall {
            simd.vectorize(Strip::<'_, '_, LOW, LOW, N> { tiles: self, first: 0, column });
        } else if S::REGISTER_COUNT >= 32 {
            simd.vectorize(Strip::<'_, '_, TALL, TALL, N> { tiles: self, first: 0, column });
        } else {
            simd.vectorize(Strip::<'_, '_, LOW, TALL, N> { tiles: self, first: 0, column });
            simd.vectorize(Strip::<'_, '_, LOW, TALL, N> { tiles: self, first: LOW, column });
        }
    }
}

/// Rows `first..first + M` of a band of `H` rows: for each pixel a tile of `M` × `N` vectors, all in registers. The
/// weights of the band stay in the cache meanwhile.
struct Strip<'t, 'a, const M: usize, const H: usize, const N: usize> {
    tiles: &'t mut InterleavedTiles<'a>,
    first: usize,
    column: usize,
}

impl<const M: usize, const H: usize, const N: usize> WithSimd for Strip<'_, '_, M, H, N> {
    type Output = ();

    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "constant indices keep the sums in registers")]
    fn with_simd<S: Simd>(self, simd: S) {
        let Strip { tiles: InterleavedTiles { product, band, group, results }, first, column } = self;
        let pixels = product.stencil.pixels();
        let weights = product.rows.band(band);
        for (pixel, taps) in product.stencil.taps().enumerate() {
            let mut sums = [[simd.splat_f32s(0.0); N]; M];
            for row in 0..M {
                sums[row] = [simd.splat_f32s(band.bias[first + row]); N];
            }
            for tap in taps {
                let weights = &weights[tap.kernel * product.channels * H..][..product.channels * H];
                let source = &group[tap.pixel * product.channels * GROUP..][..product.channels * GROUP];
                for (weights, source) in weights.chunks_exact(H).zip(source.chunks_exact(GROUP)) {
                    let weights = &weights[first..first + M];
                    let values: [S::f32s; N] = load(simd, &source[column..]);
                    for row in 0..M {
                        let weight = simd.splat_f32s(weights[row]);
                        for index in 0..N {
                            sums[row][index] = multiply_add(simd, weight, values[index], sums[row][index]);
                        }
                    }
                }
            }
            for row in 0..M {
                let start = ((first + row) * pixels + pixel) * GROUP + column;
                store(simd, &sums[row], &mut results[start..start + N * S::F32_LANES]);
            }
        }
    }
}
