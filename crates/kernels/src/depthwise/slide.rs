//! A kernel that slides over one run.
//!
//! Each column of the kernel has a sum of its own: the taps of the column are shifts by whole rows. The results add the
//! sums of all columns, shifted to the side and masked.

use super::edges::Edges;
use crate::lanes::{LINE, load, multiply_add, store};
use pulp::Simd;

/// The vectors of a kernel of any size that are summed side by side.
const VECTORS: usize = 4;

/// The source of a correlation, in memory.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    /// The run and what is around it.
    pub all: &'a [f32],
    /// The place of the kernel's first tap, but in the column of the anchor, for the first result.
    pub first: usize,
    /// The distance of two rows.
    pub width: usize,
}

/// The weights of a channel.
#[derive(Clone, Copy)]
pub(super) struct Weights<'a> {
    /// `[kernel row, kernel column]`.
    pub taps: &'a [f32],
    pub bias: f32,
}

/// A kernel of `H` × `W` taps, both odd, whose anchor is its middle.
///
/// Every source vector is loaded once for each row of the kernel. Sums are shifted within registers.
#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "constant indices keep the sums in registers")]
pub(super) fn fixed<S: Simd, const H: usize, const W: usize>(
    simd: S,
    source: Source<'_>,
    weights: Weights<'_>,
    edges: &Edges,
    out: &mut [f32],
) {
    let vectors = out.len().div_ceil(S::F32_LANES);
    let mut taps = [[simd.splat_f32s(0.0); W]; H];
    for row in 0..H {
        for column in 0..W {
            taps[row][column] = simd.splat_f32s(weights.taps[row * W + column]);
        }
    }
    let kernel = FixedKernel { taps, bias: simd.splat_f32s(weights.bias) };
    let mut lines: [&[S::f32s]; H] = [&[]; H];
    for row in 0..H {
        let line = &source.all[source.first + row * source.width..][..(vectors + 1) * S::F32_LANES];
        lines[row] = S::as_simd_f32s(line).0;
    }
    let mut masks: [&[S::f32s]; W] = [&[]; W];
    for column in 0..W {
        masks[column] = &S::as_simd_f32s(edges.mask(column)).0[..vectors];
    }
    let mut own = [simd.splat_f32s(0.0); W];
    for column in 0..W {
        own[column] = lanes(simd, column as isize - (W / 2) as isize);
    }

    let mut before = [simd.splat_f32s(0.0); W];
    let mut now = kernel.columns(simd, &lines, 0);
    let (whole, rest) = S::as_mut_simd_f32s(out);
    for index in 0..vectors {
        let after = kernel.columns(simd, &lines, index + 1);
        let mut sum = now[W / 2];
        for column in 0..W {
            if column != W / 2 {
                let neighbour = if column < W / 2 { before[column] } else { after[column] };
                // Values of `now` where `own` is set, else those of the neighbour.
                let both = simd.and_f32s(simd.xor_f32s(now[column], neighbour), own[column]);
                let shifted = simd.xor_f32s(both, neighbour);
                sum = simd.add_f32s(sum, simd.and_f32s(shifted, masks[column][index]));
            }
        }
        if index < whole.len() {
            whole[index] = sum;
        } else {
            simd.partial_store_f32s(rest, sum);
        }
        (before, now) = (now, after);
    }
}

/// For a vector that has turned by `shift` lanes to the left, a mask of the values that are still in their own vector.
/// The others have crossed its end, and belong to a neighbour.
#[inline(always)]
fn lanes<S: Simd>(simd: S, shift: isize) -> S::f32s {
    let mut own = [0.0; LINE];
    for (lane, own) in own[..S::F32_LANES].iter_mut().enumerate() {
        let stays = lane.checked_add_signed(shift).is_some_and(|source| source < S::F32_LANES);
        *own = f32::from_bits(if stays { u32::MAX } else { 0 });
    }
    let [own]: [S::f32s; 1] = load(simd, &own);
    own
}

/// The weights of a kernel in registers.
struct FixedKernel<S: Simd, const H: usize, const W: usize> {
    taps: [[S::f32s; W]; H],
    bias: S::f32s,
}

impl<S: Simd, const H: usize, const W: usize> FixedKernel<S, H, W> {
    /// The sums of the kernel's columns for one vector. The middle one has the bias, the others are turned to the lanes
    /// of the results.
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "constant indices keep the sums in registers")]
    fn columns(&self, simd: S, lines: &[&[S::f32s]; H], index: usize) -> [S::f32s; W] {
        let mut sums = [simd.splat_f32s(0.0); W];
        sums[W / 2] = self.bias;
        for row in 0..H {
            let value = lines[row][index];
            for column in 0..W {
                sums[column] = if row == 0 && column != W / 2 {
                    simd.mul_f32s(self.taps[row][column], value)
                } else {
                    multiply_add(simd, self.taps[row][column], value, sums[column])
                };
            }
        }
        for column in 0..W / 2 {
            sums[column] = simd.rotate_right_f32s(sums[column], W / 2 - column);
        }
        for column in W / 2 + 1..W {
            sums[column] = simd.rotate_left_f32s(sums[column], column - W / 2);
        }
        sums
    }
}

/// A kernel of any size, `[rows, columns]`. Its anchor is in column `anchor`.
#[inline(always)]
pub(super) fn any<S: Simd>(
    simd: S,
    source: Source<'_>,
    kernel: [usize; 2],
    anchor: usize,
    weights: Weights<'_>,
    edges: &Edges,
    out: &mut [f32],
) {
    let sum = AnyKernel { source, kernel, anchor, weights, edges };
    let mut start = 0;
    while start + VECTORS * S::F32_LANES <= out.len() {
        let vectors = sum.vectors::<S, VECTORS>(simd, start);
        store(simd, &vectors, &mut out[start..]);
        start += VECTORS * S::F32_LANES;
    }
    while start < out.len() {
        let [vector] = sum.vectors::<S, 1>(simd, start);
        let end = out.len().min(start + S::F32_LANES);
        simd.partial_store_f32s(&mut out[start..end], vector);
        start = end;
    }
}

/// What `any` adds up.
struct AnyKernel<'a> {
    source: Source<'a>,
    kernel: [usize; 2],
    anchor: usize,
    weights: Weights<'a>,
    edges: &'a Edges,
}

impl AnyKernel<'_> {
    /// `N` vectors of results.
    #[inline(always)]
    fn vectors<S: Simd, const N: usize>(&self, simd: S, start: usize) -> [S::f32s; N] {
        let AnyKernel { source, kernel: [rows, columns], anchor, weights, edges } = *self;
        let mut sums = [simd.splat_f32s(weights.bias); N];
        for column in 0..columns {
            let mut parts = [simd.splat_f32s(0.0); N];
            for row in 0..rows {
                let weight = simd.splat_f32s(weights.taps[row * columns + column]);
                let place = source.first + start + row * source.width + column - anchor;
                let values: [S::f32s; N] = load(simd, &source.all[place..]);
                for index in 0..N {
                    parts[index] = multiply_add(simd, weight, values[index], parts[index]);
                }
            }
            let masks: [S::f32s; N] = load(simd, &edges.mask(column)[start..]);
            for index in 0..N {
                sums[index] = simd.add_f32s(sums[index], simd.and_f32s(parts[index], masks[index]));
            }
        }
        sums
    }
}
