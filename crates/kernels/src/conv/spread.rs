//! Moves pixels that were computed one residue of the stride at a time to their positions.

use super::registers::{BLOCK, join};
use crate::lanes::copy;
use pulp::Simd;

/// The dense planes of some residues, and the positions of their pixels.
#[derive(Debug)]
pub(super) struct Spread {
    /// The size of an image's plane.
    pub image: [usize; 2],
    /// The step between neighbours of one residue.
    pub stride: [usize; 2],
    /// The first pixel and the number of pixels of each vertical residue.
    pub rows: Vec<[usize; 2]>,
    /// The same of each horizontal residue.
    pub columns: Vec<[usize; 2]>,
}

impl Spread {
    /// Writes `planes` planes. `residues` are dense, `[plane, row, column]`, with one for each pair of a vertical and a
    /// horizontal residue, the horizontal one varying fastest.
    #[inline(always)]
    pub fn run<S: Simd>(&self, simd: S, residues: &[Vec<f32>], planes: usize, out: &mut [f32]) {
        let [height, width] = self.image;
        let [down, right] = self.stride;
        for (vertical, &[first_row, rows]) in self.rows.iter().enumerate() {
            let residues = &residues[vertical * self.columns.len()..(vertical + 1) * self.columns.len()];
            for plane in 0..planes {
                for row in 0..rows {
                    let start = (plane * height + first_row + row * down) * width;
                    let out = &mut out[start..start + width];
                    let line = |horizontal: usize| {
                        let count = self.columns[horizontal][1];
                        let start = (plane * rows + row) * count;
                        &residues[horizontal][start..start + count]
                    };
                    if right == 2 && self.columns.len() == 2 {
                        let [even, odd] = if self.columns[0][0] == 0 { [0, 1] } else { [1, 0] };
                        alternate(simd, line(even), line(odd), out);
                        continue;
                    }
                    for (horizontal, [first, _]) in self.columns.iter().enumerate() {
                        for (out, value) in out[*first..].iter_mut().step_by(right).zip(line(horizontal)) {
                            *out = *value;
                        }
                    }
                }
            }
        }
    }
}

/// Writes `even[0], odd[0], even[1], …` to `out`.
#[inline(always)]
fn alternate<S: Simd>(simd: S, even: &[f32], odd: &[f32], out: &mut [f32]) {
    let (evens, even) = even.as_chunks::<BLOCK>();
    let (odds, odd) = odd.as_chunks::<BLOCK>();
    let mut out = out;
    // Both rows have the same length, or the even one is longer by one. So its last block may have no partner.
    for (&evens, &odds) in evens.iter().zip(odds) {
        let (target, rest) = out.split_at_mut(2 * BLOCK);
        let [low, high] = join(simd, [evens, odds]);
        target[..BLOCK].copy_from_slice(&low);
        target[BLOCK..].copy_from_slice(&high);
        out = rest;
    }
    let even = if evens.len() > odds.len() { evens[odds.len()].as_slice() } else { even };
    let mut halves = [[0.0; BLOCK]; 2];
    halves[0][..even.len()].copy_from_slice(even);
    halves[1][..odd.len()].copy_from_slice(odd);
    let [low, high] = join(simd, halves);
    let mut values = [0.0; 2 * BLOCK];
    values[..BLOCK].copy_from_slice(&low);
    values[BLOCK..].copy_from_slice(&high);
    copy(&values[..out.len()], out);
}
