//! The `small-cnn` backbone: three convolutions with group normalisation, for small images.

use alluvium_layers::{conv2d, group_norm_relu};
use alluvium_model::{
    Backbone, BackboneConfig, BoxedBackbone, InputShape, Inputs, ModelError, PictureShape, options, patches, plugin,
};
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{GroupNorm, GroupNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

/// A small convolutional network for small images: three 3×3 convolutions, each with group normalisation (4 groups) and
/// a rectifier, then a fully connected layer with a rectifier, whose output is the latent.
///
/// Channels double from one convolution to the next. In PyTorch, it is three times `Conv2d(…, 3, stride, padding=1)`,
/// `GroupNorm(4, …)` and `ReLU()`, then `Flatten()`, `Linear(…)` and `ReLU()`; the matrices of linear maps are turned there. Group
/// normalisation (Wu & He, ECCV 2018) has no running statistics,
/// so the network behaves the same on a device's data and on surrogate data.
#[options]
pub struct SmallCnnConfig {
    /// The channels of the first convolution, a multiple of 4; the others have two and four times as many.
    #[schemars(range(min = 4, max = 1024))]
    #[default(16)]
    pub width: usize,
    /// The stride of each convolution.
    #[schemars(inner(range(min = 1, max = 4)))]
    #[default([2, 2, 1])]
    pub strides: [usize; 3],
    /// The size of the latent.
    #[schemars(range(min = 1, max = 65_536))]
    #[default(64)]
    pub latent: usize,
}

const GROUPS: usize = 4;
const KERNEL: [usize; 2] = [3, 3];
/// Zeros around the image. With a stride of 1, they keep its size.
const PADDING: usize = 1;

#[plugin(kind = "small-cnn", paper = "Wu & He, \"Group normalization\", ECCV 2018")]
impl BackboneConfig for SmallCnnConfig {
    fn build(&self, input: InputShape, compute: &Device) -> Result<BoxedBackbone, ModelError> {
        let refuse = |reason: String| Err(ModelError::Backbone { kind: "small-cnn".to_owned(), reason });
        if self.width == 0 || !self.width.is_multiple_of(GROUPS) {
            return refuse(format!("`width` = {} is not a multiple of {GROUPS}", self.width));
        }
        let picture = input.picture_for("small-cnn")?;
        if input.values() == 0 || self.strides.contains(&0) || self.latent == 0 {
            return refuse(format!("inputs of {input}, `strides` and `latent` must all be at least 1"));
        }
        Ok(Box::new(self.network(picture, compute)))
    }
}

impl SmallCnnConfig {
    /// The network for checked options and inputs.
    fn network(&self, input: PictureShape, compute: &Device) -> SmallCnn {
        let mut blocks = vec![];
        let (mut channels, mut height, mut width) = (input.channels, input.height, input.width);
        for (index, stride) in self.strides.into_iter().enumerate() {
            let outputs = self.width << index;
            blocks.push(Block::new(channels, outputs, stride, compute));
            (channels, height, width) = (outputs, height.div_ceil(stride), width.div_ceil(stride));
        }
        let latent = LinearConfig::new(channels * height * width, self.latent).init(compute);
        SmallCnn { blocks, latent }
    }
}

/// Convolution, group normalisation, rectifier.
#[derive(Module, Debug)]
struct Block {
    conv: Conv2d,
    norm: GroupNorm,
}

impl Block {
    fn new(inputs: usize, outputs: usize, stride: usize, compute: &Device) -> Self {
        let conv = Conv2dConfig::new([inputs, outputs], KERNEL)
            .with_stride([stride, stride])
            .with_padding(PaddingConfig2d::Explicit(PADDING, PADDING, PADDING, PADDING))
            .init(compute);
        Block { conv, norm: GroupNormConfig::new(GROUPS, outputs).init(compute) }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        group_norm_relu(&self.norm, conv2d(&self.conv, x))
    }

    fn patches(&self, x: Tensor<4>) -> Tensor<2> {
        patches(x, KERNEL, self.conv.stride, [PADDING; 2])
    }
}

/// The network: `[batch, channels, height, width]` → `[batch, latent]`.
#[derive(Module, Debug)]
pub struct SmallCnn {
    blocks: Vec<Block>,
    latent: Linear,
}

impl Backbone for SmallCnn {
    fn forward(&self, inputs: Inputs) -> Tensor<2> {
        let x = self.blocks.iter().fold(inputs.pictures(), |x, block| block.forward(x));
        relu(self.latent.forward(x.flatten(1, 3)))
    }

    fn latent_size(&self) -> usize {
        self.latent.weight.dims()[1]
    }

    fn layers(&self) -> Vec<(String, usize)> {
        let size = |block: &Block| block.conv.weight.dims()[0];
        let blocks = self.blocks.iter().enumerate().map(|(index, block)| (format!("block-{}", index + 1), size(block)));
        blocks.chain([("latent".to_owned(), self.latent_size())]).collect()
    }

    fn forward_layers(&self, inputs: Inputs) -> Vec<Tensor<2>> {
        let mut outputs = vec![];
        let mut x = inputs.pictures();
        for block in &self.blocks {
            x = block.forward(x);
            outputs.push(x.clone().mean_dims(&[2, 3]).flatten(1, 3));
        }
        outputs.push(relu(self.latent.forward(x.flatten(1, 3))));
        outputs
    }

    fn forward_maps(&self, inputs: Inputs, map: &mut dyn FnMut(&str, Tensor<2>)) -> Tensor<2> {
        let x = self.blocks.iter().enumerate().fold(inputs.pictures(), |x, (index, block)| {
            map(&format!("blocks.{index}.conv.weight"), block.patches(x.clone()));
            block.forward(x)
        });
        let x = x.flatten(1, 3);
        map("latent.weight", x.clone());
        relu(self.latent.forward(x))
    }
}

#[cfg(test)]
mod tests {
    use alluvium_model::conformance::{host, inputs};

    use super::*;

    #[test]
    fn shapes_and_parameter_count_are_those_of_the_description() {
        let compute = Device::flex();
        let config = SmallCnnConfig { width: 16, strides: [1, 2, 2], latent: 128 };
        let cnn = config.build([1, 28, 28].into(), &compute).unwrap();
        // conv: 16·9+16, 32·16·9+32, 64·32·9+64; norm: 2·(16+32+64); linear: 64·7·7·128+128
        let expected = (160 + 4640 + 18_496) + 224 + (3136 * 128 + 128);
        assert_eq!(cnn.parameters().values(), expected);
        let inputs = Inputs::from(Tensor::<4>::ones([2, 1, 28, 28], &compute));
        assert_eq!(cnn.forward(inputs.clone()).dims(), [2, 128]);
        let sizes: Vec<_> = cnn.forward_layers(inputs).iter().map(|layer| layer.dims()[1]).collect();
        assert_eq!(sizes, [16, 32, 64, 128]);
        assert_eq!(cnn.layers().iter().map(|(_, size)| *size).collect::<Vec<_>>(), sizes);
    }

    #[test]
    fn rows_times_weights_are_the_outputs_of_the_layers() {
        let compute = Device::flex();
        let config = SmallCnnConfig { width: 4, strides: [1, 2, 1], latent: 6 };
        let cnn = config.network([2, 7, 5].into(), &compute);
        let inputs = inputs(3, [2, 7, 5], &compute);
        let mut maps = vec![];
        let latents = cnn.forward_maps(inputs.clone(), &mut |name, rows| maps.push((name.to_owned(), rows)));
        let assert_close = |name: &str, found: Tensor<2>, expected: Tensor<2>| {
            assert_eq!(found.dims(), expected.dims(), "{name}");
            assert!(host(found).iter().zip(host(expected)).all(|(a, b)| (a - b).abs() < 1e-4), "{name}");
        };
        let (latent, kernels) = maps.split_last().unwrap();
        let mut x = inputs.clone().pictures();
        for (block, (name, rows)) in cnn.blocks.iter().zip(kernels) {
            // [batch, outputs, height, width] → one row a pixel.
            let pixels = block.conv.forward(x.clone()).permute([0, 2, 3, 1]).flatten::<2>(0, 2);
            let kernels = block.conv.weight.val().flatten::<2>(1, 3).transpose();
            let bias = block.conv.bias.as_ref().unwrap().val().unsqueeze::<2>();
            assert_close(name, rows.clone().matmul(kernels) + bias, pixels);
            x = block.forward(x);
        }
        assert_close(&latent.0, cnn.latent.forward(latent.1.clone()), cnn.latent.forward(x.flatten(1, 3)));
        assert_eq!(host(latents), host(cnn.forward(inputs)));
        let names: Vec<_> = maps.iter().map(|(name, _)| name.as_str()).collect();
        let expected = ["blocks.0.conv.weight", "blocks.1.conv.weight", "blocks.2.conv.weight", "latent.weight"];
        assert_eq!(names, expected);
        let parameters = alluvium_model::DynModule::parameters(&cnn);
        assert!(names.iter().all(|name| parameters.get(name).is_some()));
    }

    #[test]
    fn a_width_that_the_groups_do_not_divide_is_refused() {
        let error =
            SmallCnnConfig { width: 10, ..Default::default() }.build([1, 8, 8].into(), &Device::flex()).unwrap_err();
        assert!(error.to_string().contains("`width` = 10"), "{error}");
    }
}
