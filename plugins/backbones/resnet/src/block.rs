//! The residual blocks, with two and with three convolutions, and the shortcut around them.

use alluvium_model::options;
use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, s};

use crate::conv_norm::{ConvNorm, Show};

/// The shortcut around a block that halves the image or has more channels than its input.
#[options]
pub enum Shortcut {
    /// The input itself, without weights: every second pixel of each row and column, and zeros for the new channels. Option A
    /// of He et al.
    Identity,
    /// A 1×1 convolution with batch normalisation. Option B of He et al.
    Convolution,
}

/// The convolutions of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Two of 3×3.
    Basic,
    /// 1×1, 3×3 and 1×1, the last with four times the channels of the others.
    Bottleneck,
}

impl Form {
    /// The output channels of a block whose 3×3 convolutions have `channels` channels.
    pub fn outputs(self, channels: usize) -> usize {
        match self {
            Form::Basic => channels,
            Form::Bottleneck => 4 * channels,
        }
    }
}

/// Two or three convolutions and a shortcut around them: relu(second(relu(first(x))) + shortcut(x)), or
/// relu(third(relu(second(relu(first(x))))) + shortcut(x)).
#[derive(Module, Debug)]
pub struct Block {
    first: ConvNorm,
    second: ConvNorm,
    /// Only in a bottleneck.
    third: Option<ConvNorm>,
    /// A 1×1 convolution where the block changes the shape; without it the input itself is added.
    shortcut: Option<ConvNorm>,
}

impl Block {
    /// A block whose 3×3 convolutions have `channels` channels, on `inputs` input channels. The stride belongs to the first 3×3
    /// convolution. In a bottleneck that is the second convolution, as in torchvision ("v1.5"); in the paper it is the first.
    pub(crate) fn new(
        form: Form,
        [inputs, channels]: [usize; 2],
        stride: usize,
        shortcut: Shortcut,
        compute: &Device,
    ) -> Self {
        let outputs = form.outputs(channels);
        let reshapes = stride != 1 || inputs != outputs;
        let shortcut =
            (reshapes && shortcut == Shortcut::Convolution).then(|| ConvNorm::new(inputs, outputs, 1, stride, compute));
        match form {
            Form::Basic => Block {
                first: ConvNorm::new(inputs, channels, 3, stride, compute),
                second: ConvNorm::new(channels, channels, 3, 1, compute),
                third: None,
                shortcut,
            },
            Form::Bottleneck => Block {
                first: ConvNorm::new(inputs, channels, 1, 1, compute),
                second: ConvNorm::new(channels, channels, 3, stride, compute),
                third: Some(ConvNorm::new(channels, outputs, 1, 1, compute)),
                shortcut,
            },
        }
    }

    /// Calls `show` for every layer, with its name in the block.
    pub fn forward_shown(&self, x: Tensor<4>, show: &mut Show<'_>) -> Tensor<4> {
        let inner = self.first.forward_rectified("first", x.clone(), show);
        let inner = match &self.third {
            None => self.second.forward_shown("second", inner, show),
            Some(third) => {
                let inner = self.second.forward_rectified("second", inner, show);
                third.forward_shown("third", inner, show)
            }
        };
        let around = match &self.shortcut {
            Some(shortcut) => shortcut.forward_shown("shortcut", x, show),
            None => self.identity(x),
        };
        relu(inner + around)
    }

    /// The input in the shape of the output: the pixels that the stride keeps, and zeros for missing channels.
    fn identity(&self, x: Tensor<4>) -> Tensor<4> {
        let x = match self.first.stride() * self.second.stride() {
            1 => x,
            step => x.slice(s![.., .., ..;step, ..;step]),
        };
        let [batch, channels, height, width] = x.dims();
        let missing = self.outputs() - channels;
        if missing == 0 {
            return x;
        }
        let zeros = Tensor::zeros([batch, missing, height, width], &x.device());
        Tensor::cat(vec![x, zeros], 1)
    }

    pub fn outputs(&self) -> usize {
        self.third.as_ref().unwrap_or(&self.second).outputs()
    }
}

#[cfg(test)]
mod tests {
    use alluvium_model::conformance::host;
    use alluvium_model::{Parameters, SetParameters, Values, Weights};

    use super::*;

    /// Sets some weights of a module.
    fn with<M: Module>(module: M, tensors: &[(&str, &[f32])]) -> M {
        let set = |(name, tensor): (&str, &Values)| {
            let given = tensors.iter().find(|(other, _)| *other == name);
            let values = given.map_or(tensor.as_f32().unwrap(), |(_, values)| *values).to_vec();
            (name.to_owned(), Values::new(tensor.shape.clone(), values))
        };
        let weights: Weights = module.parameters().iter().map(set).collect();
        module.with_parameters(&weights).unwrap()
    }

    fn basic(sizes: [usize; 2], stride: usize, shortcut: Shortcut, compute: &Device) -> Block {
        Block::new(Form::Basic, sizes, stride, shortcut, compute)
    }

    fn unseen(_: &str, _: &ConvNorm, _: &Tensor<4>, _: &Tensor<4>) {}

    /// On one pixel only the middle of a 3×3 kernel meets the input. Fresh running statistics (mean 0, variance 1) make
    /// the normalisation a division by √(1 + 1e-5), which 1e-3 forgives.
    fn middle(value: f32) -> [f32; 9] {
        [0.0, 0.0, 0.0, 0.0, value, 0.0, 0.0, 0.0, 0.0]
    }

    #[test]
    fn a_block_on_one_pixel_gives_the_value_worked_out_by_hand() {
        let compute = Device::flex();
        let block = with(
            basic([1, 1], 1, Shortcut::Convolution, &compute),
            &[("first.conv.weight", &middle(-2.0)), ("second.conv.weight", &middle(5.0)), ("second.norm.beta", &[0.5])],
        );
        let input = |x: f32| Tensor::from_floats([[[[x]]]], &compute);
        let value = |x: f32| block.forward_shown(input(x), &mut unseen).into_scalar::<f32>();
        // relu(5·relu(−2·3) + 0.5 + 3) = 3.5; relu(5·relu(−2·−1) + 0.5 − 1) = 9.5
        assert!((value(3.0) - 3.5).abs() < 1e-3, "{}", value(3.0));
        assert!((value(-1.0) - 9.5).abs() < 1e-3, "{}", value(-1.0));
    }

    #[test]
    fn a_bottleneck_on_one_pixel_gives_the_value_worked_out_by_hand() {
        let compute = Device::flex();
        let block = with(
            Block::new(Form::Bottleneck, [1, 1], 1, Shortcut::Convolution, &compute),
            &[
                ("first.conv.weight", &[2.0]),
                ("second.conv.weight", &middle(-1.0)),
                ("second.norm.beta", &[7.0]),
                ("third.conv.weight", &[1.0, -1.0, 2.0, 0.0]),
                ("shortcut.conv.weight", &[0.0, 1.0, 1.0, 3.0]),
            ],
        );
        let output = block.forward_shown(Tensor::from_floats([[[[2.0]]]], &compute), &mut unseen);
        // relu(−1·relu(2·2) + 7) = 3; relu([3, −3, 6, 0] + [0, 2, 2, 6]) = [3, 0, 8, 6]
        let expected = [3.0, 0.0, 8.0, 6.0];
        let found = host(output);
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-3), "{found:?}");
    }

    #[test]
    fn the_stride_is_that_of_the_3x3_convolution() {
        let compute = Device::flex();
        let block = Block::new(Form::Bottleneck, [2, 3], 2, Shortcut::Convolution, &compute);
        let mut shown = vec![];
        block.forward_shown(Tensor::ones([1, 2, 5, 6], &compute), &mut |name, layer, x, _| {
            shown.push((name.to_owned(), layer.stride(), x.dims()));
        });
        let expected = [
            ("first", 1, [1, 2, 5, 6]),
            ("second", 2, [1, 3, 5, 6]),
            ("third", 1, [1, 3, 3, 3]),
            ("shortcut", 2, [1, 2, 5, 6]),
        ];
        assert_eq!(shown, expected.map(|(name, stride, dims)| (name.to_owned(), stride, dims)));
    }

    #[test]
    fn only_a_block_that_changes_the_shape_has_a_convolution_in_its_shortcut() {
        let compute = Device::flex();
        let has = |sizes, stride, shortcut| basic(sizes, stride, shortcut, &compute).shortcut.is_some();
        assert!(!has([4, 4], 1, Shortcut::Convolution));
        assert!(has([4, 8], 1, Shortcut::Convolution));
        assert!(has([4, 4], 2, Shortcut::Convolution));
        assert!(!has([4, 8], 2, Shortcut::Identity));
    }

    #[test]
    fn the_identity_takes_every_second_pixel_and_adds_channels_of_zeros() {
        let learning = Device::flex().autodiff();
        // Both convolutions give zero, so that the block is the rectifier of its shortcut.
        let block = with(
            basic([1, 2], 2, Shortcut::Identity, &learning),
            &[("first.conv.weight", &[0.0; 18]), ("second.conv.weight", &[0.0; 36])],
        );
        let x = Tensor::<4>::from_floats([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]]], &learning);
        let x = x.require_grad();
        let y = block.forward_shown(x.clone(), &mut unseen);
        assert_eq!(y.dims(), [1, 2, 2, 2]);
        assert_eq!(host(y.clone()), [1.0, 3.0, 7.0, 9.0, 0.0, 0.0, 0.0, 0.0]);
        // d Σy²/dx = 2x at the pixels that were taken.
        let gradients = y.square().sum().backward();
        assert_eq!(host(x.grad(&gradients).unwrap()), [2.0, 0.0, 6.0, 0.0, 0.0, 0.0, 14.0, 0.0, 18.0]);
    }
}
