//! Group normalisation: mean and variance over some channels of one image.

use super::plane::Map;
use super::sums::{squares, total};
use super::{Affine, Gradients, Kernel, NormShape, Operands};
use crate::lanes::widest;
use crate::share::{images_a_piece, share};
use pulp::{Simd, WithSimd};

/// The mean and 1 / √(variance + ε) of each group of each image.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupStatistics {
    /// The means, `[batch, groups]`.
    pub mean: Vec<f32>,
    /// 1 / √(variance + ε), `[batch, groups]`.
    pub inverse: Vec<f32>,
}

/// The options of the normalisation.
#[derive(Debug, Clone, Copy)]
pub struct GroupOptions {
    /// The number of groups; it divides the channels.
    pub groups: usize,
    /// ε, added to the variance.
    pub epsilon: f32,
    /// Whether a rectifier follows, max(y, 0).
    pub rectified: bool,
}

impl Kernel for GroupOptions {
    type Statistics = GroupStatistics;

    fn forward(&self, shape: &NormShape, operands: Operands<'_>, out: &mut [f32], threads: usize) -> GroupStatistics {
        let Operands { x, affine } = operands;
        check(shape, self);
        shape.check(&[x, out], &[affine.scale, affine.shift]);
        let GroupOptions { groups, .. } = *self;
        let mut statistics =
            GroupStatistics { mean: vec![0.0; shape.batch * groups], inverse: vec![0.0; shape.batch * groups] };
        let images = images_a_piece(shape.batch, threads);
        let pieces = x
            .chunks(images * shape.image())
            .zip(out.chunks_mut(images * shape.image()))
            .zip(statistics.mean.chunks_mut(images * groups).zip(statistics.inverse.chunks_mut(images * groups)))
            .collect();
        share(threads, pieces, |pieces: Vec<_>| {
            for ((x, out), (mean, inverse)) in pieces {
                widest(GroupForward { shape, options: self, affine, x, out, mean, inverse });
            }
        });
        statistics
    }

    fn backward(
        &self,
        shape: &NormShape,
        operands: Operands<'_>,
        statistics: &GroupStatistics,
        dy: &[f32],
        dx: &mut [f32],
        threads: usize,
    ) -> Gradients {
        let Operands { x, affine } = operands;
        check(shape, self);
        shape.check(&[x, dy, dx], &[affine.scale, affine.shift]);
        let NormShape { batch, channels, .. } = *shape;
        // One row per image. They are added afterwards, in the order of the images.
        let mut by_image = vec![[0.0; 2]; batch * channels];
        let images = images_a_piece(batch, threads);
        let statistics =
            statistics.mean.chunks(images * self.groups).zip(statistics.inverse.chunks(images * self.groups));
        let pieces = x
            .chunks(images * shape.image())
            .zip(dy.chunks(images * shape.image()))
            .zip(dx.chunks_mut(images * shape.image()))
            .zip(statistics)
            .zip(by_image.chunks_mut(images * channels))
            .collect();
        share(threads, pieces, |pieces: Vec<_>| {
            for ((((x, dy), dx), (mean, inverse)), sums) in pieces {
                widest(GroupBackward { shape, options: self, affine, x, dy, dx, mean, inverse, sums });
            }
        });
        let mut gradients = Gradients { scale: vec![0.0; channels], shift: vec![0.0; channels] };
        for sums in by_image.chunks_exact(channels) {
            for (channel, [plain, scaled]) in sums.iter().enumerate() {
                gradients.shift[channel] += plain;
                gradients.scale[channel] += scaled;
            }
        }
        gradients
    }
}

fn check(shape: &NormShape, options: &GroupOptions) {
    let divides = options.groups > 0 && shape.channels.is_multiple_of(options.groups);
    assert!(divides, "group normalisation: {} groups do not divide {} channels", options.groups, shape.channels);
}

struct GroupForward<'a> {
    shape: &'a NormShape,
    options: &'a GroupOptions,
    affine: Affine<'a>,
    x: &'a [f32],
    out: &'a mut [f32],
    mean: &'a mut [f32],
    inverse: &'a mut [f32],
}

impl WithSimd for GroupForward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let GroupForward { shape, options, affine, x, out, mean, inverse } = self;
        let channels = shape.channels / options.groups;
        let length = channels * shape.pixels;
        for (index, (x, out)) in x.chunks_exact(length).zip(out.chunks_exact_mut(length)).enumerate() {
            let average = total(x) / length as f32;
            let variance = squares(x, average) / length as f32;
            let deviation = 1.0 / (variance + options.epsilon).sqrt();
            (mean[index], inverse[index]) = (average, deviation);
            let first = index % options.groups * channels;
            let planes = x.chunks_exact(shape.pixels).zip(out.chunks_exact_mut(shape.pixels));
            for (channel, (x, out)) in (first..).zip(planes) {
                let (scale, shift) = (affine.scale[channel], affine.shift[channel]);
                Map::new(average, deviation, scale, shift, options.rectified).apply(x, out);
            }
        }
    }
}

struct GroupBackward<'a> {
    shape: &'a NormShape,
    options: &'a GroupOptions,
    affine: Affine<'a>,
    x: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
    mean: &'a [f32],
    inverse: &'a [f32],
    sums: &'a mut [[f32; 2]],
}

impl WithSimd for GroupBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let GroupBackward { shape, options, affine, x, dy, dx, mean, inverse, sums } = self;
        let pixels = shape.pixels;
        let channels = shape.channels / options.groups;
        let length = channels * pixels;
        let groups = x.chunks_exact(length).zip(dy.chunks_exact(length)).zip(dx.chunks_exact_mut(length));
        for (index, ((x, dy), dx)) in groups.enumerate() {
            let (mean, inverse) = (mean[index], inverse[index]);
            let first = index % options.groups * channels;
            let sums = &mut sums[index * channels..(index + 1) * channels];
            let map = |channel: usize| {
                let (scale, shift) = (affine.scale[first + channel], affine.shift[first + channel]);
                Map::new(mean, inverse, scale, shift, options.rectified)
            };
            // Means over the group of γ · g and of γ · g · x̂.
            let (mut plain, mut scaled) = (0.0, 0.0);
            for (channel, (x, dy)) in x.chunks_exact(pixels).zip(dy.chunks_exact(pixels)).enumerate() {
                sums[channel] = map(channel).gradient_sums(x, dy, mean, inverse);
                plain += affine.scale[first + channel] * sums[channel][0];
                scaled += affine.scale[first + channel] * sums[channel][1];
            }
            let p = -inverse * inverse * scaled / length as f32;
            let q = -inverse * plain / length as f32;
            let planes = x.chunks_exact(pixels).zip(dy.chunks_exact(pixels)).zip(dx.chunks_exact_mut(pixels));
            for (channel, ((x, dy), dx)) in planes.enumerate() {
                map(channel).gradient(x, dy, mean, [p, q], dx);
            }
        }
    }
}
