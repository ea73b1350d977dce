//! The basic block of a ResNet, and the convolution with batch normalisation that it is made of.

use alluvium_layers::{batch_norm, batch_norm_relu, conv2d};
use alluvium_model::patches;
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

/// A convolution without bias, then batch normalisation.
#[derive(Module, Debug)]
pub struct ConvNorm {
    conv: Conv2d,
    norm: BatchNorm,
}

impl ConvNorm {
    /// `size` is the side of the kernel, odd; the padding keeps a stride of 1 from shrinking the image.
    pub fn new(inputs: usize, outputs: usize, size: usize, stride: usize, compute: &Device) -> Self {
        let border = size / 2;
        let conv = Conv2dConfig::new([inputs, outputs], [size, size])
            .with_stride([stride, stride])
            .with_padding(PaddingConfig2d::Explicit(border, border, border, border))
            .with_bias(false)
            .init(compute);
        ConvNorm { conv, norm: BatchNormConfig::new(outputs).init(compute) }
    }

    /// The layer is shown under that name, with what goes into the convolution and what comes out of it.
    pub fn forward_shown(&self, name: &str, x: Tensor<4>, show: &mut Show<'_>) -> Tensor<4> {
        batch_norm(&self.norm, self.convolve(name, x, show))
    }

    /// The same with the rectifier after it.
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
}

/// Is shown layers: name, layer, what goes into the convolution, and what comes out of it into the normalisation.
pub type Show<'a> = dyn FnMut(&str, &ConvNorm, &Tensor<4>, &Tensor<4>) + 'a;

/// Two 3×3 convolutions and a shortcut around them: relu(second(relu(first(x))) + shortcut(x)).
#[derive(Module, Debug)]
pub struct Block {
    first: ConvNorm,
    second: ConvNorm,
    /// A 1×1 convolution where the block changes the shape; otherwise the input itself is added.
    shortcut: Option<ConvNorm>,
}

impl Block {
    pub fn new(inputs: usize, outputs: usize, stride: usize, compute: &Device) -> Self {
        let reshapes = stride != 1 || inputs != outputs;
        Block {
            first: ConvNorm::new(inputs, outputs, 3, stride, compute),
            second: ConvNorm::new(outputs, outputs, 3, 1, compute),
            shortcut: reshapes.then(|| ConvNorm::new(inputs, outputs, 1, stride, compute)),
        }
    }

    /// Every layer is shown by its name in the block.
    pub fn forward_shown(&self, x: Tensor<4>, show: &mut Show<'_>) -> Tensor<4> {
        let inner = self.first.forward_rectified("first", x.clone(), show);
        let inner = self.second.forward_shown("second", inner, show);
        let shortcut = match &self.shortcut {
            Some(shortcut) => shortcut.forward_shown("shortcut", x, show),
            None => x,
        };
        relu(inner + shortcut)
    }

    pub fn outputs(&self) -> usize {
        self.second.outputs()
    }
}

#[cfg(test)]
mod tests {
    use alluvium_model::{Parameters, SetParameters, Values, Weights};

    use super::*;

    /// Sets some weights of a module and leaves the others.
    fn with<M: Module>(module: M, tensors: &[(&str, &[f32])]) -> M {
        let set = |(name, tensor): (&str, &Values)| {
            let given = tensors.iter().find(|(other, _)| *other == name);
            let values = given.map_or(tensor.values.clone(), |(_, values)| values.to_vec());
            (name.to_owned(), Values::new(tensor.shape.clone(), values))
        };
        let weights: Weights = module.parameters().iter().map(set).collect();
        module.with_parameters(&weights).unwrap()
    }

    #[test]
    fn a_block_on_one_pixel_gives_the_value_worked_out_by_hand() {
        let compute = Device::flex();
        // On one pixel only the middle of a 3×3 kernel meets the input. Fresh running statistics (mean 0, variance 1)
        // make the normalisation a division by √(1 + 1e-5), which 1e-4 forgives.
        let middle = |value: f32| [0.0, 0.0, 0.0, 0.0, value, 0.0, 0.0, 0.0, 0.0];
        let block = with(
            Block::new(1, 1, 1, &compute),
            &[("first.conv.weight", &middle(-2.0)), ("second.conv.weight", &middle(5.0)), ("second.norm.beta", &[0.5])],
        );
        let input = |x: f32| Tensor::from_floats([[[[x]]]], &compute);
        let value = |x: f32| block.forward_shown(input(x), &mut |_, _, _, _| {}).into_scalar::<f32>();
        // relu(5·relu(−2·3) + 0.5 + 3) = 3.5; relu(5·relu(−2·−1) + 0.5 − 1) = 9.5
        assert!((value(3.0) - 3.5).abs() < 1e-3, "{}", value(3.0));
        assert!((value(-1.0) - 9.5).abs() < 1e-3, "{}", value(-1.0));
    }

    #[test]
    fn only_a_block_that_changes_the_shape_has_a_convolution_in_its_shortcut() {
        let compute = Device::flex();
        assert!(Block::new(4, 4, 1, &compute).shortcut.is_none());
        assert!(Block::new(4, 8, 1, &compute).shortcut.is_some());
        assert!(Block::new(4, 4, 2, &compute).shortcut.is_some());
    }
}
