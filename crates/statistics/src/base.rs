//! Where features come from, before a projection: the input itself, a random convolution, or a backbone that does not move.

use std::sync::Arc;

use alluvium_model::{BoxedBackbone, Inputs, Random, Seed};
use burn::tensor::module::{adaptive_avg_pool2d, conv2d};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor, TensorData};
use rand_distr::{Distribution, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where features come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FeatureSource {
    /// A convolution with random filters on windows of length 1, the absolute value, and the mean over cells of a grid. Both sides draw
    /// the filters from a seed.
    RandomConvolution,
    /// The values of the input.
    Inputs,
    /// The latents of the network that the first device takes: of a file, with `[initial]`. Each device is sent it once more,
    /// because the centre moves on.
    InitialBackbone,
    /// The latents of the first device's network. It becomes the network of the centre and does not move afterwards.
    FirstBackbone,
    /// The latents of the network that the centre has now. When it moves, what was sent before is carried over by a linear map that
    /// is learned on surrogate data.
    CentreLatents,
}

/// The options of features that strategies share: to be flattened into their options.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Features {
    /// Where features come from: a `random-convolution`; the values of the `inputs`; the latents of the `initial-backbone`, as of
    /// `[initial] file`, or of the `first-backbone`, the first device's, which do not move; or the `centre-latents` of the newest centre,
    /// to which earlier statistics are carried along by a linear map that is fitted on surrogate data.
    pub features: FeatureSource,
    /// The number of random filters of each size.
    #[schemars(range(min = 1, max = 4096))]
    pub filters: usize,
    /// The sizes of the random filters, in pixels. Features of several sizes stand side by side. A filter is never larger than the
    /// input.
    #[schemars(length(min = 1, max = 8), inner(range(min = 1, max = 64)))]
    pub kernels: Vec<usize>,
    /// The rows and columns of the grid of cells over which what a filter finds is averaged: there are `filters` · `cells`² features for
    /// each size.
    #[schemars(range(min = 1, max = 64))]
    pub cells: usize,
}

impl Default for Features {
    fn default() -> Self {
        Features { features: FeatureSource::RandomConvolution, filters: 16, kernels: vec![3, 5, 7, 9], cells: 4 }
    }
}

/// The source of features on a compute device.
#[derive(Debug)]
pub(crate) enum Base {
    Convolution {
        filters: Vec<Tensor<4>>,
        cells: usize,
    },
    Inputs,
    Backbone(Arc<BoxedBackbone>),
    /// Latents that the caller has.
    Latents,
}

impl Base {
    /// Random filters of these options. A filter is the product of a spatial pattern and a vector of channels, both of standard normal
    /// numbers; the mean of the pattern is taken off, and the filter is divided by its length.
    pub(crate) fn convolution(options: &Features, input: [usize; 3], seed: Seed, compute: &Device) -> Self {
        let [channels, height, width] = input;
        let of_size = |(place, kernel): (usize, &usize)| {
            let (tall, wide) = ((*kernel).min(height), (*kernel).min(width));
            let mut random = seed.at("filters", place).random();
            let mut values = Vec::with_capacity(options.filters * channels * tall * wide);
            for _ in 0..options.filters {
                values.extend(unit_filter(channels, tall * wide, &mut random));
            }
            Tensor::from_data(TensorData::new(values, [options.filters, channels, tall, wide]), compute)
        };
        let filters = options.kernels.iter().enumerate().map(of_size).collect();
        Base::Convolution { filters, cells: options.cells }
    }

    /// The features before the projection, `[batch, size]`.
    pub(crate) fn features(&self, inputs: Inputs, latents: &mut dyn FnMut(Inputs) -> Tensor<2>) -> Tensor<2> {
        match self {
            Base::Inputs => inputs.vectors(),
            Base::Backbone(backbone) => backbone.forward(inputs),
            Base::Latents => latents(inputs),
            Base::Convolution { filters, cells } => {
                let pictures = as_pictures(inputs);
                let of_filters = filters.iter().map(|filters| found(pictures.clone(), filters.clone(), *cells));
                Tensor::cat(of_filters.collect(), 1)
            }
        }
    }
}

/// The values of one filter, channel by channel. A pattern of one value has no other mean than itself, so it keeps it.
fn unit_filter(channels: usize, size: usize, random: &mut Random) -> Vec<f32> {
    let mut normal = |count: usize| -> Vec<f32> { (0..count).map(|_| StandardNormal.sample(random)).collect() };
    let pattern = normal(size);
    let mean = if size > 1 { pattern.iter().sum::<f32>() / size as f32 } else { 0.0 };
    // With one channel, its number would only be a sign and a length.
    let of_channels = if channels > 1 { normal(channels) } else { vec![1.0] };
    let of_channel = |channel: &f32| pattern.iter().map(|value| channel * (value - mean)).collect::<Vec<_>>();
    let filter: Vec<f32> = of_channels.iter().flat_map(of_channel).collect();
    let length = filter.iter().map(|value| value * value).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    filter.iter().map(|value| value / length).collect()
}

/// The shape of an input as a picture: a sequence is a picture of one row, a vector one of one channel and one row.
pub(crate) fn as_picture(sizes: &[usize]) -> [usize; 3] {
    match *sizes {
        [width] => [1, 1, width],
        [channels, width] => [channels, 1, width],
        [channels, height, width] => [channels, height, width],
        [channels, height, ref others @ ..] => [channels, height, others.iter().product()],
        [] => [1, 1, 1],
    }
}

fn as_pictures(inputs: Inputs) -> Tensor<4> {
    let [channels, height, width] = as_picture(inputs.shape().sizes());
    let count = inputs.len();
    inputs.vectors().reshape([count, channels, height, width])
}

/// Added to the variance of a window: a flat window finds nothing.
const LEAST_VARIANCE: f64 = 0.01;

/// What filters find in pictures, averaged over the cells of a grid, `[batch, filters · cells²]`: |⟨w, p⟩| for every window p, divided by
/// the root of its variance, which is that of each channel about its own mean, summed over channels. It is √(pixels of the window) times
/// the cosine of the angle between filter and window, so brightness and contrast do not matter.
fn found(pictures: Tensor<4>, filters: Tensor<4>, cells: usize) -> Tensor<2> {
    let [_, channels, tall, wide] = filters.dims();
    let compute = pictures.device();
    let box_filter = Tensor::full([channels, 1, tall, wide], 1.0 / (tall * wide) as f64, &compute);
    let of_channels = ConvOptions::new([1, 1], [0, 0], [1, 1], channels);
    let means = conv2d(pictures.clone(), box_filter.clone(), None, of_channels.clone());
    let squares = conv2d(pictures.clone().square(), box_filter, None, of_channels);
    let variance = (squares - means.square()).clamp_min(0.0).mean_dim(1) + LEAST_VARIANCE;
    let products = conv2d(pictures, filters, None, ConvOptions::new([1, 1], [0, 0], [1, 1], 1));
    let found = products.abs() / (variance * channels as f64).sqrt();
    let [_, _, height, width] = found.dims();
    adaptive_avg_pool2d(found, [cells.min(height), cells.min(width)]).flatten(1, 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(options: &Features, shape: &[usize], values: Vec<f32>) -> Vec<f32> {
        let compute = Device::flex();
        let base = Base::convolution(options, as_picture(shape), Seed::new(1), &compute);
        let shape = shape.to_vec().try_into().expect("a shape");
        let inputs = Inputs::from_values(values, shape, &compute);
        crate::features::rows(base.features(inputs, &mut |inputs| inputs.vectors()))
    }

    /// A picture of 8×8 pixels that falls off to the right and below.
    fn picture(scale: f32, shift: f32) -> Vec<f32> {
        (0..64)
            .map(|pixel| shift + scale * ((pixel % 8) as f32 * 0.3 - (pixel / 8) as f32 * 0.1 + (pixel % 3) as f32))
            .collect()
    }

    #[test]
    fn a_filter_finds_the_angle_between_itself_and_a_window() {
        // One filter of the size of the input: √(pixels) · |⟨w, p⟩| / ‖p − mean‖, up to the number that is added to the variance.
        let options = Features { filters: 1, kernels: vec![2], cells: 1, ..Features::default() };
        let compute = Device::flex();
        let Base::Convolution { filters, .. } = Base::convolution(&options, [1, 2, 2], Seed::new(1), &compute) else {
            panic!()
        };
        let filter: Vec<f32> = filters[0].to_data().convert::<f32>().try_into_vec().unwrap();
        assert!((filter.iter().map(|value| value * value).sum::<f32>() - 1.0).abs() < 1e-5);
        assert!(filter.iter().sum::<f32>().abs() < 1e-5);
        let window = [10.0, -3.0, 5.0, 0.0];
        let product: f32 = filter.iter().zip(window).map(|(weight, value)| weight * value).sum();
        // The mean is 3 and the mean square 33.5, so the variance is 24.5.
        let expected = product.abs() / (24.5_f32 + 0.01).sqrt();
        let found = features(&options, &[1, 2, 2], window.to_vec());
        assert!((found[0] - expected).abs() < 1e-4, "{found:?} {expected}");
    }

    #[test]
    fn brightness_and_contrast_do_not_matter_and_flat_inputs_find_nothing() {
        let options = Features { filters: 3, kernels: vec![3, 5], cells: 2, ..Features::default() };
        let plain = features(&options, &[1, 8, 8], picture(10.0, 0.0));
        assert_eq!(plain.len(), 2 * 3 * 4);
        let other = features(&options, &[1, 8, 8], picture(-20.0, 4.0));
        assert!(plain.iter().zip(&other).all(|(one, other)| (one - other).abs() < 0.01), "{plain:?} {other:?}");
        assert!(features(&options, &[1, 8, 8], vec![0.7; 64]).iter().all(|value| value.abs() < 1e-3));
    }

    #[test]
    fn inputs_of_any_rank_have_features() {
        let options = Features { filters: 2, ..Features::default() };
        for (shape, size) in [(vec![5], 5), (vec![2, 7], 14), (vec![3, 2, 2], 12)] {
            let found = features(&options, &shape, (0..size).map(|value| value as f32).collect());
            assert!(!found.is_empty() && found.iter().all(|value| value.is_finite()), "{shape:?}");
        }
    }
}
