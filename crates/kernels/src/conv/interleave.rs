//! Rearranges a group of images so that they lie side by side, each value next to those of the other images, and back.

use super::registers::{BLOCK, transposed};
use pulp::Simd;

/// The images of a group: one vector of AVX-512.
pub(super) const GROUP: usize = 16;

/// Writes value `v` of image `i` to `group[targets[v] · GROUP + i]`, and zeros for missing images.
#[inline(always)]
pub(super) fn interleave<S: Simd>(simd: S, images: &[f32], targets: &[usize], group: &mut [f32]) {
    let length = targets.len();
    let count = images.len() / length;
    for first in blocks(length) {
        let targets = &targets[first..length.min(first + BLOCK)];
        for image in (0..GROUP).step_by(BLOCK) {
            let present = count.saturating_sub(image).min(BLOCK);
            if targets.len() == BLOCK {
                let block = transposed(simd, block(&images[count.min(image) * length..], first, length, present));
                for value in 0..BLOCK {
                    let start = targets[value] * GROUP + image;
                    group[start..start + BLOCK].copy_from_slice(&block[value]);
                }
                continue;
            }
            for (value, index) in targets.iter().enumerate() {
                for row in 0..BLOCK {
                    let value = if row < present { images[(image + row) * length + value] } else { 0.0 };
                    group[index * GROUP + image + row] = value;
                }
            }
        }
    }
}

/// Writes `group[v · GROUP + i]` to value `start + v` of image `i`, for the images that exist.
#[inline(always)]
pub(super) fn separate<S: Simd>(simd: S, group: &[f32], images: &mut [&mut [f32]], start: usize) {
    let length = group.len() / GROUP;
    for first in blocks(length) {
        let last = length.min(first + BLOCK);
        for (column, images) in images.chunks_mut(BLOCK).enumerate() {
            if last - first == BLOCK {
                let block = transposed(simd, block(&group[column * BLOCK..], first * GROUP, GROUP, BLOCK));
                for image in 0..BLOCK {
                    if image < images.len() {
                        images[image][start + first..start + last].copy_from_slice(&block[image]);
                    }
                }
                continue;
            }
            for (image, values) in images.iter_mut().enumerate() {
                for value in first..last {
                    values[start + value] = group[value * GROUP + column * BLOCK + image];
                }
            }
        }
    }
}

/// Where the blocks of a row of values start. The last block overlaps the one before it instead of reaching beyond the
/// row. It reaches beyond the row only if the row is shorter than a block.
#[inline(always)]
fn blocks(length: usize) -> impl Iterator<Item = usize> {
    (0..length).step_by(BLOCK).map(
        #[inline(always)]
        move |first| first.min(length.saturating_sub(BLOCK)),
    )
}

/// The block from `start` on of the first `present` rows, which are `pitch` values apart; the rest of it is zeros.
#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "constant indices go from memory to registers")]
fn block(values: &[f32], start: usize, pitch: usize, present: usize) -> [[f32; BLOCK]; BLOCK] {
    let mut block = [[0.0; BLOCK]; BLOCK];
    for row in 0..BLOCK {
        if row < present {
            let start = start + row * pitch;
            block[row].copy_from_slice(&values[start..start + BLOCK]);
        }
    }
    block
}
