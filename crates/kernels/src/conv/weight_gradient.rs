//! The gradient by the weights: `dw[o, k] = Σ_p dy[o, p] · patch[p, k]`, over the pixels `p` of the whole batch.
//!
//! With channels last, the patch of a pixel is one contiguous run of the padded image for each kernel row: vectors run
//! along it, and each is multiplied by a few values of `dy`, one per output channel. A patch matrix is not needed, and
//! the sums of a tile stay in registers for all pixels. [`super::patches`] prepares the image.

use super::Shape;
use super::patches::{Layout, VECTOR};
use super::transpose::columns;
use crate::lanes::{load, multiply_add, store, widest, widest_row};
use crate::share::{images_a_piece, share};
use pulp::{Simd, WithSimd};

/// The largest number of parts of the batch that are summed separately; threads share them.
const PARTS: usize = 8;
/// The smallest number of pixels of a part. Each part passes over all sums once, which must cost less than its
/// products.
const PIXELS: usize = 256;
/// The rows (output channels) of a tile.
const TALL: usize = 8;
const LOW: usize = 4;
/// The most vectors of a tile's row.
const WIDE: usize = 3;
/// Values that a tile may read past the end of the last patch.
const SLACK: usize = WIDE * VECTOR;

/// Writes the gradient by the weights, given the input `x` and the gradient by the output `dy`, to `dw`.
pub fn weight_gradient(shape: &Shape, x: &[f32], dy: &[f32], dw: &mut [f32], threads: usize) {
    shape.check(Some(x), Some(dw), Some(dy));
    let layout = Layout::new(shape);
    let pixels = layout.grid[0] * layout.grid[1];
    let images = images_a_piece(shape.batch, (shape.batch * pixels / PIXELS).clamp(1, PARTS));
    let parts = x.chunks(images * shape.input_image()).zip(dy.chunks(images * shape.output_image()));
    let mut sums = vec![0.0; shape.outputs * layout.length()];
    if threads <= 1 {
        // Additions have the same order as in the branch below: pixel by pixel within a part, then part by part.
        widest(Parts { layout: &layout, parts: parts.collect(), images, sums: vec![&mut sums] });
    } else {
        let mut partial = vec![0.0; shape.batch.div_ceil(images) * sums.len()];
        let pieces = parts.zip(partial.chunks_exact_mut(sums.len())).collect();
        share(threads, pieces, |pieces: Vec<_>| {
            let (parts, sums) = pieces.into_iter().unzip();
            widest(Parts { layout: &layout, parts, images, sums });
        });
        for part in partial.chunks_exact(sums.len()) {
            for (sum, part) in sums.iter_mut().zip(part) {
                *sum += part;
            }
        }
    }
    layout.unpack(&sums, dw);
}

/// Parts of the batch. Each has its own sums, or all share the only one.
struct Parts<'a> {
    layout: &'a Layout,
    parts: Vec<(&'a [f32], &'a [f32])>,
    images: usize,
    sums: Vec<&'a mut [f32]>,
}

impl WithSimd for Parts<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Parts { layout, parts, images, mut sums } = self;
        let shape = &layout.shape;
        let starts = layout.starts();
        let mut patches = vec![0.0; images * layout.image() + SLACK];
        let mut buffers = layout.buffers();
        let pixels = layout.grid[0] * layout.grid[1];
        let mut gradients = vec![0.0; images * pixels * TALL];
        let shared = sums.len() == 1;
        for (index, (x, dy)) in parts.into_iter().enumerate() {
            let images = x.chunks_exact(shape.input_image());
            let count = images.len();
            for (x, patches) in images.zip(patches.chunks_exact_mut(layout.image())) {
                layout.fill(simd, x, patches, &mut buffers);
            }
            let sums = &mut *sums[if shared { 0 } else { index }];
            let mut first = 0;
            while first < shape.outputs {
                let height = if shape.outputs - first > LOW { TALL } else { LOW };
                let present = height.min(shape.outputs - first);
                let gradients = &mut gradients[..count * pixels * height];
                if present < height {
                    gradients.fill(0.0);
                }
                let images = dy.chunks_exact(shape.output_image());
                for (dy, gradients) in images.zip(gradients.chunks_exact_mut(pixels * height)) {
                    columns(simd, &dy[first * pixels..], pixels, [present, pixels], gradients, height);
                }
                let mut band = GradientBand {
                    layout,
                    patches: &patches,
                    starts: &starts,
                    gradients,
                    height,
                    first,
                    present,
                    sums,
                };
                band.run(simd);
                first += present;
            }
        }
    }
}

/// A band of output channels against all patches of a part.
struct GradientBand<'a> {
    layout: &'a Layout,
    patches: &'a [f32],
    /// The starts of an image's patches.
    starts: &'a [usize],
    /// `dy` of the band, `[pixel, output channel]`.
    gradients: &'a [f32],
    height: usize,
    first: usize,
    present: usize,
    sums: &'a mut [f32],
}

impl GradientBand<'_> {
    #[inline(always)]
    fn run<S: Simd>(&mut self, simd: S) {
        let vectors = self.layout.run.div_ceil(S::F32_LANES);
        let tiles = vectors.div_ceil(widest_row::<S>());
        for run in 0..self.layout.runs {
            for tile in 0..tiles {
                let (first, last) = (vectors * tile / tiles, vectors * (tile + 1) / tiles);
                let column = first * S::F32_LANES;
                match last - first {
                    1 => self.tiles::<S, 1>(simd, run, column),
                    2 => self.tiles::<S, 2>(simd, run, column),
                    _ => self.tiles::<S, WIDE>(simd, run, column),
                }
            }
        }
    }

    #[inline(always)]
    fn tiles<S: Simd, const N: usize>(&mut self, simd: S, run: usize, column: usize) {
        if self.height == LOW {
            simd.vectorize(Tile::<'_, '_, LOW, LOW, N> { band: self, run, column, row: 0 });
        } else if S::REGISTER_COUNT >= 32 {
            simd.vectorize(Tile::<'_, '_, TALL, TALL, N> { band: self, run, column, row: 0 });
        } else {
            simd.vectorize(Tile::<'_, '_, LOW, TALL, N> { band: self, run, column, row: 0 });
            simd.vectorize(Tile::<'_, '_, LOW, TALL, N> { band: self, run, column, row: LOW });
        }
    }
}

/// `M` rows (from `row` on, of a band of `H`) × `N` vectors (from `column` of the run on), all in registers.
struct Tile<'t, 'a, const M: usize, const H: usize, const N: usize> {
    band: &'t mut GradientBand<'a>,
    run: usize,
    column: usize,
    row: usize,
}

impl<const M: usize, const H: usize, const N: usize> WithSimd for Tile<'_, '_, M, H, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Tile { band, run, column, row } = self;
        let layout = band.layout;
        let mut tile = [[simd.splat_f32s(0.0); N]; M];
        for (image, gradients) in band.gradients.chunks_exact(band.starts.len() * H).enumerate() {
            let patches = &band.patches[image * layout.image() + layout.start(run) + column..];
            // No patch starts after the last. Repeating this here removes the bounds check; see `taps`.
            let last = patches.len() - N * S::F32_LANES;
            for (&start, gradients) in band.starts.iter().zip(gradients.chunks_exact(H)) {
                let start = start.min(last);
                let patch: [S::f32s; N] = load(simd, &patches[start..start + N * S::F32_LANES]);
                let gradients = &gradients[row..row + M];
                for row in 0..M {
                    let gradient = simd.splat_f32s(gradients[row]);
                    for index in 0..N {
                        tile[row][index] = multiply_add(simd, gradient, patch[index], tile[row][index]);
                    }
                }
            }
        }

        // Stores the registers with constant indices; see `taps`.
        let mut values = [[0.0; WIDE * VECTOR]; M];
        for row in 0..M {
            store(simd, &tile[row], &mut values[row]);
        }
        let length = layout.length();
        let start = run * layout.padded_run() + column;
        for (index, values) in values.iter().enumerate().take(band.present.saturating_sub(row)) {
            let start = (band.first + row + index) * length + start;
            let sums = &mut band.sums[start..start + N * S::F32_LANES];
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum += value;
            }
        }
    }
}
