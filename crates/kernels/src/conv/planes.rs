//! Zero-padded planes in which every kernel tap reads whole rows.
//!
//! Padding turns the edge of the image into ordinary values, so kernels need no special case. Strides above 1 are
//! handled here as well: rows and columns are split by their residue, so that the pixels that a tap reads for
//! neighbouring outputs are neighbours.

use super::registers::{BLOCK, split};
use crate::lanes::copy;
use pulp::Simd;

/// The layout of one image's planes: `[channel, vertical residue, horizontal residue, row, column]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Planes {
    /// The channels of the image.
    pub channels: usize,
    /// The size of the image, without padding.
    pub image: [usize; 2],
    /// The zeros before the first row and column.
    pub lead: [usize; 2],
    /// The step between neighbours in a plane.
    pub stride: [usize; 2],
    /// The number of residues that are kept. A kernel narrower than the stride never reads the others.
    pub residues: [usize; 2],
    /// The size of one plane.
    pub size: [usize; 2],
}

impl Planes {
    /// Planes for taps `0..kernel` along each axis, with `lead` and `trail` zeros around the image.
    pub fn new(
        channels: usize,
        image: [usize; 2],
        [lead, trail]: [[usize; 2]; 2],
        stride: [usize; 2],
        kernel: [usize; 2],
    ) -> Planes {
        let axis = |axis: usize| (image[axis] + lead[axis] + trail[axis]).div_ceil(stride[axis]);
        let residues = [stride[0].min(kernel[0]), stride[1].min(kernel[1])];
        Planes { channels, image, lead, stride, residues, size: [axis(0), axis(1)] }
    }

    /// The values of one image's planes.
    pub fn length(&self) -> usize {
        self.channels * self.channel()
    }

    fn channel(&self) -> usize {
        self.residues[0] * self.residues[1] * self.size[0] * self.size[1]
    }

    /// The offset that the tap at `[y, x]` of the kernel reads for the first output pixel.
    pub fn tap(&self, channel: usize, [y, x]: [usize; 2]) -> usize {
        let residue = (y % self.stride[0]) * self.residues[1] + x % self.stride[1];
        channel * self.channel()
            + residue * self.size[0] * self.size[1]
            + y / self.stride[0] * self.size[1]
            + x / self.stride[1]
    }

    /// Writes an image into its planes; the padding is not changed.
    #[inline(always)]
    pub fn fill<S: Simd>(&self, simd: S, image: &[f32], planes: &mut [f32]) {
        let [height, width] = self.image;
        let [step_y, step_x] = self.stride;
        let plane = self.size[0] * self.size[1];
        // The offset of the pixel at `x` of a row from the row's first residue, if its residue is kept.
        let offset = |x: usize| {
            let x = x + self.lead[1];
            (x % step_x < self.residues[1]).then(|| x % step_x * plane + x / step_x)
        };
        let first_two = [offset(0), offset(1)];
        // Rows outside, channels inside: the divisions are computed once per row.
        for y in 0..height {
            let (residue, down) = ((y + self.lead[0]) % step_y, (y + self.lead[0]) / step_y);
            if residue >= self.residues[0] {
                continue;
            }
            let start = residue * self.residues[1] * plane + down * self.size[1];
            for channel in 0..self.channels {
                let row = &image[(channel * height + y) * width..];
                let target = &mut planes[channel * self.channel() + start..];
                match step_x {
                    1 => copy(&row[..width], &mut target[self.lead[1]..]),
                    2 => halve(simd, row, width, first_two, target),
                    _ => {
                        for (x, pixel) in row[..width].iter().enumerate() {
                            if let Some(offset) = offset(x) {
                                target[offset] = *pixel;
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Writes the first, third, … value of a row to one target, and the second, fourth, … to the other.
#[inline(always)]
fn halve<S: Simd>(simd: S, row: &[f32], width: usize, offsets: [Option<usize>; 2], planes: &mut [f32]) {
    let mut x = 0;
    // A pair of registers may reach past the end of the row, but not past the end of the image.
    while x < width && x + 2 * BLOCK <= row.len() {
        let mut pairs = [[0.0; BLOCK]; 2];
        pairs[0].copy_from_slice(&row[x..x + BLOCK]);
        pairs[1].copy_from_slice(&row[x + BLOCK..x + 2 * BLOCK]);
        let halves = split(simd, pairs);
        let length = (width - x).min(2 * BLOCK);
        for (half, offset) in offsets.iter().enumerate() {
            if let Some(offset) = offset {
                copy(&halves[half][..(length + 1 - half) / 2], &mut planes[offset + x / 2..]);
            }
        }
        x += 2 * BLOCK;
    }
    for x in x..width {
        if let Some(offset) = offsets[x % 2] {
            planes[offset + x / 2] = row[x];
        }
    }
}
