//! Sums of products of two runs, one for each tap of a kernel.
//!
//! The tap in row `r` and column `c` of a kernel with anchor `(a, b)` sums `dy[i] · x[i + (r - a) · width + c - b]`.
//! The columns shift `dy` instead of `x`: for each vector, `dy` is loaded once a column and `x` once a row.

use super::edges::Edges;
use crate::lanes::{LINE, load, multiply_add, store};
use pulp::Simd;

/// The rows of any kernel whose sums are in registers at once.
const ROWS: usize = 4;

/// The longest side of a kernel with sums of its own.
const LONGEST: usize = 5;

/// Two runs of `pixels` values.
#[derive(Clone, Copy)]
pub(super) struct Products<'a> {
    /// The run of `x` and what is around it.
    pub x: &'a [f32],
    /// The run of `dy` and what is around it.
    pub dy: &'a [f32],
    /// The place of the first value, in both.
    pub start: usize,
    pub pixels: usize,
    /// The distance of two rows.
    pub width: usize,
    /// `[row, column]`.
    pub anchor: [usize; 2],
    /// The masks of `dy`, shifted for each column.
    pub edges: &'a Edges,
}

impl Products<'_> {
    /// Adds the sums of a kernel of `H` × `W` taps to `sums`, `[tap, lane]`.
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "constant indices keep the sums in registers")]
    pub fn fixed<S: Simd, const H: usize, const W: usize>(self, simd: S, sums: &mut [f32]) {
        let vectors = self.pixels.div_ceil(S::F32_LANES);
        let [mut x, mut dy, mut masks]: [[&[S::f32s]; LONGEST]; 3] = [[&[]; LONGEST]; 3];
        for row in 0..H {
            x[row] = &S::as_simd_f32s(self.line(row)).0[..vectors];
        }
        for column in 0..W {
            dy[column] = &S::as_simd_f32s(self.outputs(column)).0[..vectors];
            masks[column] = &S::as_simd_f32s(self.edges.mask(column)).0[..vectors];
        }
        let mut taps = [[simd.splat_f32s(0.0); W]; H];
        for index in 0..vectors {
            let mut values = [simd.splat_f32s(0.0); W];
            for column in 0..W {
                let value = dy[column][index];
                // The middle column is not shifted, and `dy` is zero after its end.
                values[column] = if column == W / 2 { value } else { simd.and_f32s(value, masks[column][index]) };
            }
            for row in 0..H {
                let x = x[row][index];
                for column in 0..W {
                    taps[row][column] = multiply_add(simd, x, values[column], taps[row][column]);
                }
            }
        }
        for row in 0..H {
            for column in 0..W {
                add(simd, taps[row][column], &mut sums[(row * W + column) * LINE..]);
            }
        }
    }

    /// Adds the sums of a kernel of any size to `sums`, `[tap, lane]`.
    #[inline(always)]
    pub fn any<S: Simd>(self, simd: S, [rows, columns]: [usize; 2], sums: &mut [f32]) {
        for column in 0..columns {
            let sums = &mut sums[column * LINE..];
            let mut row = 0;
            while row + ROWS <= rows {
                self.taps::<S, ROWS>(simd, [row, column], columns, sums);
                row += ROWS;
            }
            for row in row..rows {
                self.taps::<S, 1>(simd, [row, column], columns, sums);
            }
        }
    }

    /// Adds the sums of `N` taps of a column, from row `first` on.
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "constant indices keep the sums in registers")]
    fn taps<S: Simd, const N: usize>(self, simd: S, [first, column]: [usize; 2], columns: usize, sums: &mut [f32]) {
        let (dy, mask) = (self.outputs(column), self.edges.mask(column));
        let mut taps = [simd.splat_f32s(0.0); N];
        for start in (0..self.pixels).step_by(S::F32_LANES) {
            let [value]: [S::f32s; 1] = load(simd, &dy[start..]);
            let [mask]: [S::f32s; 1] = load(simd, &mask[start..]);
            let value = simd.and_f32s(value, mask);
            for row in 0..N {
                let [x]: [S::f32s; 1] = load(simd, &self.line(first + row)[start..]);
                taps[row] = multiply_add(simd, x, value, taps[row]);
            }
        }
        for row in 0..N {
            add(simd, taps[row], &mut sums[(first + row) * columns * LINE..]);
        }
    }

    /// The values of `x` under a row of the kernel, in the column of the anchor.
    #[inline(always)]
    fn line(&self, row: usize) -> &[f32] {
        &self.x[self.start + row * self.width - self.anchor[0] * self.width..]
    }

    /// The values of `dy`, shifted for a column of the kernel.
    #[inline(always)]
    fn outputs(&self, column: usize) -> &[f32] {
        &self.dy[self.start + self.anchor[1] - column..]
    }
}

/// Adds a vector to sums in memory.
#[inline(always)]
fn add<S: Simd>(simd: S, vector: S::f32s, sums: &mut [f32]) {
    let [sum]: [S::f32s; 1] = load(simd, sums);
    store(simd, &[simd.add_f32s(sum, vector)], sums);
}
