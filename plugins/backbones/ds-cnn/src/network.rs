//! The network.

use alluvium_layers::{conv2d, group_norm_relu};
use alluvium_model::{Backbone, Inputs, patches};
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{GroupNorm, GroupNormConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor};

use crate::{DsCnnConfig, GROUPS};

/// Convolution, group normalisation, rectifier.
#[derive(Module, Debug)]
struct Layer {
    conv: Conv2d,
    norm: GroupNorm,
}

impl Layer {
    fn new(conv: Conv2dConfig, padding: [usize; 2], outputs: usize, compute: &Device) -> Self {
        let [vertical, horizontal] = padding;
        let padding = PaddingConfig2d::Explicit(vertical, horizontal, vertical, horizontal);
        Layer {
            conv: conv.with_padding(padding).init(compute),
            norm: GroupNormConfig::new(GROUPS, outputs).init(compute),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        group_norm_relu(&self.norm, conv2d(&self.conv, x))
    }

    /// The rows that make a convolution without groups a linear map.
    fn patches(&self, x: Tensor<4>, padding: [usize; 2]) -> Tensor<2> {
        let [.., rows, columns] = self.conv.weight.dims();
        patches(x, [rows, columns], self.conv.stride, padding)
    }
}

/// A depthwise separable convolution.
#[derive(Module, Debug)]
struct Block {
    /// 3×3, within each channel.
    depthwise: Layer,
    /// 1×1, across channels.
    pointwise: Layer,
}

/// The network: `[batch, channels, bands, frames]` → `[batch, width · strips]`.
#[derive(Module, Debug)]
pub struct DsCnn {
    stem: Layer,
    blocks: Vec<Block>,
    #[module(skip)]
    padding: [usize; 2],
    #[module(skip)]
    strips: usize,
}

impl DsCnn {
    /// The network for checked options.
    pub fn new(config: &DsCnnConfig, channels: usize, compute: &Device) -> Self {
        let (width, padding) = (config.width, config.padding());
        let stem = Conv2dConfig::new([channels, width], config.kernel).with_stride(config.stride);
        let block = |_| {
            let depthwise = Conv2dConfig::new([width, width], [3, 3]).with_groups(width);
            let pointwise = Conv2dConfig::new([width, width], [1, 1]);
            Block {
                depthwise: Layer::new(depthwise, [1, 1], width, compute),
                pointwise: Layer::new(pointwise, [0, 0], width, compute),
            }
        };
        DsCnn {
            stem: Layer::new(stem, padding, width, compute),
            blocks: (0..config.blocks).map(block).collect(),
            padding,
            strips: config.strips,
        }
    }

    /// The channels of every convolution.
    fn width(&self) -> usize {
        self.stem.conv.weight.dims()[0]
    }
}

impl Backbone for DsCnn {
    fn forward(&self, inputs: Inputs) -> Tensor<2> {
        let x = self.stem.forward(inputs.pictures());
        let each = self.blocks.iter();
        averaged(each.fold(x, |x, block| block.pointwise.forward(block.depthwise.forward(x))), self.strips)
    }

    fn latent_size(&self) -> usize {
        self.width() * self.strips
    }

    fn layers(&self) -> Vec<(String, usize)> {
        let before = (1..self.blocks.len()).map(|block| format!("block-{block}"));
        let before = std::iter::once("stem".to_owned()).chain(before).map(|name| (name, self.width()));
        before.chain([("latent".to_owned(), self.latent_size())]).collect()
    }

    fn forward_layers(&self, inputs: Inputs) -> Vec<Tensor<2>> {
        let mut x = self.stem.forward(inputs.pictures());
        let mut outputs = vec![averaged(x.clone(), 1)];
        for (index, block) in self.blocks.iter().enumerate() {
            x = block.pointwise.forward(block.depthwise.forward(x));
            let is_last = index + 1 == self.blocks.len();
            outputs.push(averaged(x.clone(), if is_last { self.strips } else { 1 }));
        }
        outputs
    }

    fn forward_maps(&self, inputs: Inputs, map: &mut dyn FnMut(&str, Tensor<2>)) -> Tensor<2> {
        let x = inputs.pictures();
        map("stem.conv.weight", self.stem.patches(x.clone(), self.padding));
        let mut x = self.stem.forward(x);
        for (index, block) in self.blocks.iter().enumerate() {
            x = block.depthwise.forward(x);
            map(&format!("blocks.{index}.pointwise.conv.weight"), block.pointwise.patches(x.clone(), [0, 0]));
            x = block.pointwise.forward(x);
        }
        averaged(x, self.strips)
    }
}

/// The means over all frames and the bands of each strip, `[batch, channels · strips]`, the strips of a channel side by side. The bounds of strips are those of
/// PyTorch's `AdaptiveAvgPool2d`.
fn averaged(x: Tensor<4>, strips: usize) -> Tensor<2> {
    let bands = x.dims()[2];
    let over_frames = x.mean_dim(3);
    let strip = |index: usize| {
        let (start, end) = (index * bands / strips, ((index + 1) * bands).div_ceil(strips));
        over_frames.clone().narrow(2, start, end - start).mean_dim(2)
    };
    Tensor::cat((0..strips).map(strip).collect(), 2).flatten(1, 3)
}

#[cfg(test)]
mod tests {
    use alluvium_model::conformance::{host, inputs};
    use alluvium_model::{BackboneConfig, DynModule};

    use super::*;

    #[test]
    fn the_size_is_that_of_the_paper() {
        let compute = Device::flex();
        let network = DsCnnConfig::default().build([1, 32, 51].into(), &compute).unwrap();
        // Stem: 64·40 + 64; a block: 64·9 + 64 and 64·64 + 64; normalisations: nine of 2·64.
        assert_eq!(network.parameters().values(), 2624 + 4 * (640 + 4160) + 9 * 128);
        // 32 bands with a kernel of 4, a stride of 2 and a padding of 1 are 16; 51 frames with 10, 2 and 4 are 25.
        let sizes: Vec<_> = network.forward_layers(inputs(2, [1, 32, 51], &compute)).iter().map(Tensor::dims).collect();
        assert_eq!(sizes, [[2, 64], [2, 64], [2, 64], [2, 64], [2, 256]]);
    }

    #[test]
    fn rows_times_weights_are_the_outputs_of_the_layers() {
        let compute = Device::flex();
        let config = DsCnnConfig { width: 4, blocks: 2, strips: 3, ..Default::default() };
        let network = DsCnn::new(&config, 1, &compute);
        let inputs = inputs(2, [1, 9, 14], &compute);
        let mut maps = vec![];
        let latents = network.forward_maps(inputs.clone(), &mut |name, rows| maps.push((name.to_owned(), rows)));
        assert_eq!(host(latents), host(network.forward(inputs.clone())));
        let names: Vec<_> = maps.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["stem.conv.weight", "blocks.0.pointwise.conv.weight", "blocks.1.pointwise.conv.weight"]);
        assert!(names.iter().all(|name| network.parameters().get(name).is_some()));
        let stem = network.stem.conv.forward(inputs.pictures()).permute([0, 2, 3, 1]).flatten::<2>(0, 2);
        let kernels = network.stem.conv.weight.val().flatten::<2>(1, 3).transpose();
        let bias = network.stem.conv.bias.as_ref().unwrap().val().unsqueeze::<2>();
        let found = host(maps[0].1.clone().matmul(kernels) + bias);
        assert!(found.iter().zip(host(stem)).all(|(a, b)| (a - b).abs() < 1e-4));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refused = |config: DsCnnConfig, input: [usize; 3]| {
            config.build(input.into(), &Device::flex()).unwrap_err().to_string()
        };
        assert!(refused(DsCnnConfig { width: 10, ..Default::default() }, [1, 32, 51]).contains("`width` = 10"));
        assert!(refused(DsCnnConfig::default(), [1, 1, 51]).contains("`kernel` of [4, 10]"));
        assert!(refused(DsCnnConfig { strips: 17, ..Default::default() }, [1, 32, 51]).contains("leaves 16 bands"));
    }
}
