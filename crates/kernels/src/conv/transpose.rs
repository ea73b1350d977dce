//! From planes to pixels: channels last.

use super::registers::{BLOCK, transposed};
use crate::lanes::widest;
use pulp::{Simd, WithSimd};

/// Each of the matrices `[rows, columns]` as `[columns, rows]`.
pub(super) fn matrices(source: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut target = vec![0.0; source.len()];
    widest(Matrices { source, rows, columns, target: &mut target });
    target
}

struct Matrices<'a> {
    source: &'a [f32],
    rows: usize,
    columns: usize,
    target: &'a mut [f32],
}

impl WithSimd for Matrices<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Matrices { source, rows, columns: length, target } = self;
        for (source, target) in source.chunks_exact(rows * length).zip(target.chunks_exact_mut(rows * length)) {
            columns(simd, source, length, [rows, length], target, rows);
        }
    }
}

/// Writes `rows` rows of `source`, which start `pitch` values apart, as columns: value `x < length` of row `r` goes to
/// `target[x · step + r]`.
#[inline(always)]
pub(super) fn columns<S: Simd>(
    simd: S,
    source: &[f32],
    pitch: usize,
    [rows, length]: [usize; 2],
    target: &mut [f32],
    step: usize,
) {
    let mut row = 0;
    while row < rows {
        let present = (rows - row).min(BLOCK);
        match present {
            8 => band::<S, 8>(simd, &source[row * pitch..], pitch, length, &mut target[row..], step),
            4.. => band::<S, 4>(simd, &source[row * pitch..], pitch, length, &mut target[row..], step),
            _ => band::<S, 1>(simd, &source[row * pitch..], pitch, length, &mut target[row..], step),
        }
        row += match present {
            8 => 8,
            4.. => 4,
            _ => 1,
        };
    }
}

/// `R` rows.
#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "constant indices go from registers to their targets")]
fn band<S: Simd, const R: usize>(
    simd: S,
    source: &[f32],
    pitch: usize,
    length: usize,
    target: &mut [f32],
    step: usize,
) {
    let mut x = 0;
    // A block may read past the end of a row, but not past the end of the source.
    while R > 1 && x < length && (R - 1) * pitch + x + BLOCK <= source.len() {
        let mut block = [[0.0; BLOCK]; BLOCK];
        for row in 0..R {
            block[row].copy_from_slice(&source[row * pitch + x..row * pitch + x + BLOCK]);
        }
        let block = transposed(simd, block);
        if x + BLOCK <= length {
            // Constant indices, so that the columns go from registers to their targets.
            for index in 0..BLOCK {
                let start = (x + index) * step;
                target[start..start + R].copy_from_slice(&block[index][..R]);
            }
        } else {
            for (index, column) in block.iter().enumerate().take(length - x) {
                let start = (x + index) * step;
                target[start..start + R].copy_from_slice(&column[..R]);
            }
        }
        x += BLOCK;
    }
    for x in x..length {
        for row in 0..R {
            target[x * step + row] = source[row * pitch + x];
        }
    }
}
