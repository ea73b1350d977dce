//! A matrix product whose right side is read from planes: `out[m, p] = bias[m] + Σ_k rows[m, k] · planes[tap[k] + p]`.
//!
//! `m` counts output channels, `k` kernel taps (of all input channels) and `p` output pixels of several images. The
//! pixels are cut into panels as wide as the registers of one tile. If the rows of an image are whole vectors, tiles
//! read the planes themselves. Otherwise a panel's patches are gathered once and stay in the cache for all rows. In
//! every tile and panel, a sum adds all `k` in order. So the result does not depend on threads or on how images are
//! grouped.

use super::rows::{Band, LOW, Rows, TALL};
use crate::lanes::{copy, load, multiply_add, store, widest_row};
use pulp::{Simd, WithSimd};

/// The most vectors of a tile's row.
const WIDE: usize = 3;
/// The most values of a tile's row: three vectors of AVX-512.
const PANEL: usize = 48;

/// The number of values that may be read past the end of the planes. Pixels are copied in fixed blocks, which compile
/// to one or two moves; a copy of exact length would be a call.
pub(super) const SLACK: usize = BLOCK;
const BLOCK: usize = 16;

/// The product over a group of images; the result is dense, `[image, row, pixel]`.
#[derive(Debug)]
pub(super) struct Product<'a> {
    pub rows: &'a Rows,
    /// The start of each tap in an image's planes, in the order of the rows' weights.
    pub taps: &'a [usize],
    /// The output pixels of an image.
    pub grid: [usize; 2],
    /// The width of a plane.
    pub pitch: usize,
    /// The values of an image's planes.
    pub planes: usize,
}

/// Pixels of a panel that are neighbours in the planes: a row of an image or a part of it.
#[derive(Debug, Clone, Copy)]
struct TapRun {
    source: usize,
    target: usize,
    column: usize,
    length: usize,
}

/// The buffers that one thread keeps between groups.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    panel: Vec<f32>,
    reads: Vec<TapRun>,
    writes: Vec<TapRun>,
}

impl Product<'_> {
    /// The output pixels of an image, in one row.
    pub fn pixels(&self) -> usize {
        self.grid[0] * self.grid[1]
    }

    /// The values of an image of the result.
    pub fn image(&self) -> usize {
        self.rows.count * self.pixels()
    }

    /// The number of images to group, so that little of the last panel is wasted.
    pub fn group(pixels: usize, batch: usize) -> usize {
        let waste = |images: usize| (images * pixels).next_multiple_of(BLOCK) as f64 / (images * pixels) as f64;
        (1..=16.min(batch))
            .find(|&images| images * pixels >= 4 * PANEL && waste(images) < 1.03)
            .unwrap_or((4 * PANEL).div_ceil(pixels).clamp(1, 16).min(batch))
    }

    /// Runs the product for `images` images, whose planes are `source` (and [`SLACK`] values more).
    #[inline(always)]
    pub fn run<S: Simd>(&self, simd: S, source: &[f32], images: usize, out: &mut [f32], buffers: &mut Buffers) {
        if self.taps.is_empty() {
            // There are no terms; `out` already holds zeros.
            return;
        }
        let pixels = images * self.pixels();
        let vectors = pixels.div_ceil(S::F32_LANES);
        // Panels of nearly equal width: 4 vectors are 2 + 2 rather than 3 + 1, which would leave the last tile too
        // narrow to hide the latency of its additions.
        let panels = vectors.div_ceil(widest_row::<S>());
        buffers.panel.resize(self.taps.len() * (PANEL + BLOCK), 0.0);
        for panel in 0..panels {
            let (first, last) = (vectors * panel / panels, vectors * (panel + 1) / panels);
            let columns = first * S::F32_LANES..(last * S::F32_LANES).min(pixels);
            self.runs(columns, buffers);
            match last - first {
                1 => self.panel::<S, 1>(simd, source, out, buffers),
                2 => self.panel::<S, 2>(simd, source, out, buffers),
                _ => self.panel::<S, WIDE>(simd, source, out, buffers),
            }
        }
    }

    /// Cuts the pixels `columns` of the group into runs.
    #[inline(always)]
    fn runs(&self, columns: std::ops::Range<usize>, buffers: &mut Buffers) {
        let [rows, width] = self.grid;
        buffers.reads.clear();
        buffers.writes.clear();
        let mut at = columns.start;
        while at < columns.end {
            let (line, x) = (at / width, at % width);
            let (i, y) = (line / rows, line % rows);
            let run = TapRun {
                source: i * self.planes + y * self.pitch + x,
                target: i * self.image() + y * width + x,
                column: at - columns.start,
                length: (width - x).min(columns.end - at),
            };
            buffers.reads.push(run);
            match buffers.writes.last_mut() {
                // Rows of one image follow each other in the result.
                Some(last) if y > 0 => last.length += run.length,
                _ => buffers.writes.push(run),
            }
            at += run.length;
        }
    }

    #[inline(always)]
    fn panel<S: Simd, const N: usize>(&self, simd: S, source: &[f32], out: &mut [f32], buffers: &mut Buffers) {
        let Buffers { panel, reads, writes } = buffers;
        let width = N * S::F32_LANES;
        if self.grid[1].is_multiple_of(S::F32_LANES) {
            let mut starts = [0; N];
            for run in reads.iter() {
                for vector in 0..run.length / S::F32_LANES {
                    starts[run.column / S::F32_LANES + vector] = run.source + vector * S::F32_LANES;
                }
            }
            let reach = self.taps.iter().max().map_or(0, |tap| tap + S::F32_LANES);
            let lines = starts.map(|start| &source[start..start + reach]);
            return self.bands(simd, Lines { lines, taps: self.taps }, writes, out);
        }
        match reads.iter().map(|run| run.length).max() {
            Some(..=4) => self.gather::<4>(source, width, panel, reads),
            Some(..=8) => self.gather::<8>(source, width, panel, reads),
            _ => self.gather::<BLOCK>(source, width, panel, reads),
        }
        self.bands::<S, _, N>(simd, Panel(&panel[..self.taps.len() * (width + BLOCK)]), writes, out);
    }

    /// Multiplies all rows by the patches of a panel.
    #[inline(always)]
    fn bands<S: Simd, P: Patches<N>, const N: usize>(&self, simd: S, patches: P, writes: &[TapRun], out: &mut [f32]) {
        for band in &self.rows.bands {
            let bands = Bands { product: self, band, patches, writes, out };
            if !band.tall {
                simd.vectorize(Tiles::<'_, P, LOW, N>(bands));
            } else if S::REGISTER_COUNT >= 32 {
                simd.vectorize(Tiles::<'_, P, TALL, N>(bands));
            } else {
                simd.vectorize(Halves::<'_, P, N>(bands));
            }
        }
    }

    /// Gathers the patches of a panel: `[tap, column]`.
    ///
    /// Runs are copied in blocks of `B` values. What a block writes past its run is overwritten by the next run, or
    /// lies in the `BLOCK` spare columns at the end of each tap.
    #[inline(always)]
    fn gather<const B: usize>(&self, source: &[f32], width: usize, panel: &mut [f32], reads: &[TapRun]) {
        let reach = self.taps.iter().max().map_or(0, |tap| tap + B);
        for run in reads {
            for done in (0..run.length).step_by(B) {
                let from = run.source + done;
                let source = &source[from..from + reach];
                let to = run.column + done;
                for (patches, &tap) in panel.chunks_exact_mut(width + BLOCK).zip(self.taps) {
                    patches[to..to + B].copy_from_slice(&source[tap..tap + B]);
                }
            }
        }
    }
}

/// The source of a panel's patches.
trait Patches<const N: usize>: Copy {
    /// The `N` vectors of each tap.
    fn vectors<S: Simd>(self, simd: S) -> impl Iterator<Item = [S::f32s; N]>;
}

/// Gathered patches, `[tap, column]`, with [`BLOCK`] spare columns.
#[derive(Clone, Copy)]
struct Panel<'a>(&'a [f32]);

impl<const N: usize> Patches<N> for Panel<'_> {
    #[inline(always)]
    fn vectors<S: Simd>(self, simd: S) -> impl Iterator<Item = [S::f32s; N]> {
        self.0.chunks_exact(N * S::F32_LANES + BLOCK).map(
            #[inline(always)]
            move |patch| load(simd, patch),
        )
    }
}

/// The planes themselves. Each line starts where the first tap reads its vector. All lines have the same length, so one
/// check is enough.
#[derive(Clone, Copy)]
struct Lines<'a, const N: usize> {
    lines: [&'a [f32]; N],
    taps: &'a [usize],
}

impl<const N: usize> Patches<N> for Lines<'_, N> {
    #[inline(always)]
    fn vectors<S: Simd>(self, simd: S) -> impl Iterator<Item = [S::f32s; N]> {
        let reach = self.lines[0].len();
        assert!(reach >= S::F32_LANES, "a line holds a vector");
        let last = reach - S::F32_LANES;
        let mut lines = self.lines;
        for line in &mut lines {
            *line = &line[..reach];
        }
        self.taps.iter().map(
            #[inline(always)]
            move |&tap| {
                let mut vectors = [simd.splat_f32s(0.0); N];
                // No tap is beyond the last. Repeating this here removes the bounds check, and with it the copies of
                // all sums that a panic path would need.
                let tap = tap.min(last);
                for index in 0..N {
                    [vectors[index]] = load(simd, &lines[index][tap..tap + S::F32_LANES]);
                }
                vectors
            },
        )
    }
}

/// One band of rows against one panel.
struct Bands<'a, P> {
    product: &'a Product<'a>,
    band: &'a Band,
    patches: P,
    writes: &'a [TapRun],
    out: &'a mut [f32],
}

/// A band of `M` rows as one tile of `M` × `N` vectors, all in registers.
struct Tiles<'a, P, const M: usize, const N: usize>(Bands<'a, P>);

impl<P: Patches<N>, const M: usize, const N: usize> WithSimd for Tiles<'_, P, M, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Bands { product, band, patches, writes, out } = self.0;
        let weights = product.rows.band(band);
        let tile = tile::<S, P, M, M, N>(simd, weights, 0, band, patches);
        write(simd, &tile, product.pixels(), band.first, band.rows, writes, out);
    }
}

/// A tall band as two tiles of half its height, for processors with 16 registers.
struct Halves<'a, P, const N: usize>(Bands<'a, P>);

impl<P: Patches<N>, const N: usize> WithSimd for Halves<'_, P, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Bands { product, band, patches, writes, out } = self.0;
        let weights = product.rows.band(band);
        for half in [0, LOW] {
            let tile = tile::<S, P, LOW, TALL, N>(simd, weights, half, band, patches);
            let rows = band.rows.saturating_sub(half).min(LOW);
            write(simd, &tile, product.pixels(), band.first + half, rows, writes, out);
        }
    }
}

/// Rows `first..first + M` of a band of `H` rows against the patches of a panel.
#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "constant indices keep the sums in registers")]
fn tile<S: Simd, P: Patches<N>, const M: usize, const H: usize, const N: usize>(
    simd: S,
    weights: &[f32],
    first: usize,
    band: &Band,
    patches: P,
) -> [[S::f32s; N]; M] {
    let mut sums = [[simd.splat_f32s(0.0); N]; M];
    for row in 0..M {
        sums[row] = [simd.splat_f32s(band.bias[first + row]); N];
    }
    for (weights, patch) in weights.chunks_exact(H).zip(patches.vectors(simd)) {
        let weights = &weights[first..first + M];
        for row in 0..M {
            let weight = simd.splat_f32s(weights[row]);
            for column in 0..N {
                sums[row][column] = multiply_add(simd, weight, patch[column], sums[row][column]);
            }
        }
    }
    sums
}

/// Writes a tile's first `rows` rows.
#[inline(always)]
fn write<S: Simd, const M: usize, const N: usize>(
    simd: S,
    tile: &[[S::f32s; N]; M],
    pixels: usize,
    first: usize,
    rows: usize,
    writes: &[TapRun],
    out: &mut [f32],
) {
    // Stores all registers at once, with constant indices. A tile that is indexed by a variable would be in memory, and
    // the compiler would write to it after every addition.
    let mut values = [[0.0; PANEL]; M];
    for row in 0..M {
        store(simd, &tile[row], &mut values[row]);
    }
    for (row, values) in values.iter().enumerate().take(rows) {
        let plane = (first + row) * pixels;
        for run in writes {
            let values = &values[run.column..run.column + run.length];
            copy(values, &mut out[plane + run.target..]);
        }
    }
}
