//! Batch normalisation: mean and variance of each channel over the batch.

use super::plane::Map;
use super::sums::{squares, total};
use super::{Affine, Gradients, Kernel, NormShape, Operands};
use crate::lanes::widest;
use crate::share::share;
use pulp::{Simd, WithSimd};

/// The statistics of a batch, one of each per channel.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchStatistics {
    /// The means.
    pub mean: Vec<f32>,
    /// The variances, divided by the number of values n (running statistics need n / (n - 1) times this).
    pub variance: Vec<f32>,
}

/// The options of the normalisation.
#[derive(Debug, Clone, Copy)]
pub struct BatchOptions {
    /// ε, added to the variance.
    pub epsilon: f32,
    /// Whether a rectifier follows, max(y, 0).
    pub rectified: bool,
}

impl Kernel for BatchOptions {
    type Statistics = BatchStatistics;

    /// Normalises by the input's own statistics and returns them, for the backward pass and for running averages.
    fn forward(&self, shape: &NormShape, operands: Operands<'_>, out: &mut [f32], threads: usize) -> BatchStatistics {
        let Operands { x, affine } = operands;
        shape.check(&[x, out], &[affine.scale, affine.shift]);
        let mut statistics = BatchStatistics { mean: vec![0.0; shape.channels], variance: vec![0.0; shape.channels] };
        let targets = statistics.mean.iter_mut().zip(&mut statistics.variance).collect();
        over_channels(shape, out, targets, threads, |channel, out, (mean, variance)| {
            let x = ChannelPlanes { shape, values: x, channel };
            (*mean, *variance) = widest(Moments { x });
            let map = Channel::new(self, affine, channel, *mean, *variance).map;
            widest(Apply { map, x, out });
        });
        statistics
    }

    /// `statistics` are the input's own.
    fn backward(
        &self,
        shape: &NormShape,
        operands: Operands<'_>,
        statistics: &BatchStatistics,
        dy: &[f32],
        dx: &mut [f32],
        threads: usize,
    ) -> Gradients {
        let Operands { x, affine } = operands;
        shape.check(&[x, dy, dx], &[affine.scale, affine.shift, &statistics.mean, &statistics.variance]);
        let mut gradients = Gradients { scale: vec![0.0; shape.channels], shift: vec![0.0; shape.channels] };
        let targets = gradients.scale.iter_mut().zip(&mut gradients.shift).collect();
        over_channels(shape, dx, targets, threads, |channel, dx, (scale, shift)| {
            let [x, dy] = [x, dy].map(|values| ChannelPlanes { shape, values, channel });
            let channel = Channel::given(self, affine, statistics, channel);
            [*shift, *scale] = widest(BatchBackward { channel, x, dy, dx });
        });
        gradients
    }
}

impl BatchOptions {
    /// Writes the input, normalised by given statistics, to `out`.
    pub fn infer(
        &self,
        shape: &NormShape,
        operands: Operands<'_>,
        statistics: &BatchStatistics,
        out: &mut [f32],
        threads: usize,
    ) {
        let Operands { x, affine } = operands;
        shape.check(&[x, out], &[affine.scale, affine.shift, &statistics.mean, &statistics.variance]);
        over_channels(shape, out, vec![(); shape.channels], threads, |channel, out, ()| {
            let map = Channel::given(self, affine, statistics, channel).map;
            widest(Apply { map, x: ChannelPlanes { shape, values: x, channel }, out });
        });
    }
}

/// A channel's map, and the values that it was computed from.
#[derive(Clone, Copy)]
struct Channel {
    map: Map,
    mean: f32,
    inverse: f32,
}

impl Channel {
    fn new(options: &BatchOptions, affine: Affine<'_>, channel: usize, mean: f32, variance: f32) -> Channel {
        let inverse = 1.0 / (variance + options.epsilon).sqrt();
        let map = Map::new(mean, inverse, affine.scale[channel], affine.shift[channel], options.rectified);
        Channel { map, mean, inverse }
    }

    fn given(options: &BatchOptions, affine: Affine<'_>, statistics: &BatchStatistics, channel: usize) -> Channel {
        Channel::new(options, affine, channel, statistics.mean[channel], statistics.variance[channel])
    }
}

/// The planes of one channel, one per image.
#[derive(Clone, Copy)]
struct ChannelPlanes<'a> {
    shape: &'a NormShape,
    values: &'a [f32],
    channel: usize,
}

impl<'a> ChannelPlanes<'a> {
    #[inline(always)]
    fn each(self) -> impl Iterator<Item = &'a [f32]> {
        self.values.chunks_exact(self.shape.pixels).skip(self.channel).step_by(self.shape.channels)
    }
}

/// Calls `work` for each channel with its planes of `out` and its target.
///
/// A channel is finished by one thread before the next begins: all its planes fit the level-2 cache, where all channels
/// together would not, and every pass after the first finds them there.
fn over_channels<'a, T: Send>(
    shape: &NormShape,
    out: &'a mut [f32],
    targets: Vec<T>,
    threads: usize,
    work: impl Fn(usize, Vec<&'a mut [f32]>, T) + Sync,
) {
    let mut planes: Vec<Vec<&mut [f32]>> = (0..shape.channels).map(|_| Vec::with_capacity(shape.batch)).collect();
    for image in out.chunks_exact_mut(shape.image()) {
        for (planes, plane) in planes.iter_mut().zip(image.chunks_exact_mut(shape.pixels)) {
            planes.push(plane);
        }
    }
    let channels = planes.into_iter().zip(targets).enumerate().collect();
    share(threads, channels, |run: Vec<_>| {
        for (channel, (planes, target)) in run {
            work(channel, planes, target);
        }
    });
}

/// Mean and variance of a channel.
struct Moments<'a> {
    x: ChannelPlanes<'a>,
}

impl WithSimd for Moments<'_> {
    type Output = (f32, f32);

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> (f32, f32) {
        let values = (self.x.shape.batch * self.x.shape.pixels) as f64;
        // Over the images in f64: a sum in f32 would lose digits with the size of the batch.
        let mut sum = 0.0;
        for plane in self.x.each() {
            sum += f64::from(total(plane));
        }
        let mean = (sum / values) as f32;
        let mut sum = 0.0;
        for plane in self.x.each() {
            sum += f64::from(squares(plane, mean));
        }
        (mean, (sum / values) as f32)
    }
}

struct Apply<'a> {
    map: Map,
    x: ChannelPlanes<'a>,
    out: Vec<&'a mut [f32]>,
}

impl WithSimd for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (x, out) in self.x.each().zip(self.out) {
            self.map.apply(x, out);
        }
    }
}

struct BatchBackward<'a> {
    channel: Channel,
    x: ChannelPlanes<'a>,
    dy: ChannelPlanes<'a>,
    dx: Vec<&'a mut [f32]>,
}

impl WithSimd for BatchBackward<'_> {
    type Output = [f32; 2];

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> [f32; 2] {
        let BatchBackward { channel: Channel { map, mean, inverse }, x, dy, dx } = self;
        let mut sums = [0.0; 2];
        for (x, dy) in x.each().zip(dy.each()) {
            let [plain, scaled] = map.gradient_sums(x, dy, mean, inverse);
            sums = [sums[0] + f64::from(plain), sums[1] + f64::from(scaled)];
        }
        let [shift, scale] = [sums[0] as f32, sums[1] as f32];
        let values = (x.shape.batch * x.shape.pixels) as f32;
        let slopes = [-map.a * inverse * scale / values, -map.a * shift / values];
        for ((x, dy), dx) in x.each().zip(dy.each()).zip(dx) {
            map.gradient(x, dy, mean, slopes, dx);
        }
        [shift, scale]
    }
}
