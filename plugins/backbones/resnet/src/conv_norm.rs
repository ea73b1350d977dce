//! The layer of a ResNet: a convolution without bias, then batch normalisation.

use alluvium_layers::{batch_norm, batch_norm_relu, conv2d};
use alluvium_model::patches;
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor};

/// A convolution without bias, then batch normalisation.
#[derive(Module, Debug)]
pub struct ConvNorm {
    conv: Conv2d,
    norm: BatchNorm,
}

impl ConvNorm {
    /// `size` is the side of the kernel and must be odd. With a stride of 1, the padding keeps the size of the image.
    pub fn new(inputs: usize, outputs: usize, size: usize, stride: usize, compute: &Device) -> Self {
        let border = size / 2;
        let conv = Conv2dConfig::new([inputs, outputs], [size, size])
            .with_stride([stride, stride])
            .with_padding(PaddingConfig2d::Explicit(border, border, border, border))
            .with_bias(false)
            .init(compute);
        ConvNorm { conv, norm: BatchNormConfig::new(outputs).init(compute) }
    }

    /// Calls `show` with this name, the layer, the input of the convolution and its output.
    pub fn forward_shown(&self, name: &str, x: Tensor<4>, show: &mut Show<'_>) -> Tensor<4> {
        batch_norm(&self.norm, self.convolve(name, x, show))
    }

    /// The same, followed by the rectifier.
    pub fn forward_rectified(&self, name: &str, x: Tensor<4>, show: &mut Show<'_>) -> Tensor<4> {
        batch_norm_relu(&self.norm, self.convolve(name, x, show))
    }

    fn convolve(&self, name: &str, x: Tensor<4>, show: &mut Show<'_>) -> Tensor<4> {
        let convolved = conv2d(&self.conv, x.clone());
        show(name, self, &x, &convolved);
        convolved
    }

    /// The rows that make the convolution a linear map.
    pub fn patches(&self, x: Tensor<4>) -> Tensor<2> {
        let [_, _, size, _] = self.conv.weight.dims();
        patches(x, [size; 2], self.conv.stride, [size / 2; 2])
    }

    pub fn outputs(&self) -> usize {
        self.conv.weight.dims()[0]
    }

    /// The step from one pixel of the output to the next, in pixels of the input.
    pub fn stride(&self) -> usize {
        self.conv.stride[0]
    }
}

/// Called for every layer, with the name, the layer, the input of the convolution and its output, which the normalisation gets.
pub type Show<'a> = dyn FnMut(&str, &ConvNorm, &Tensor<4>, &Tensor<4>) + 'a;
