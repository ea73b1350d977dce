//! Which convolutions are depthwise. [`crate::conv`] runs them on kernels of their own.

use alluvium_kernels::depthwise::DepthwiseShape;
use burn::nn::conv::Conv2d;

/// The sizes for an input of `[batch, channels, height, width]`, if the layer has a group with one output for each
/// channel. The caller checks dilation and padding, and that the kernel fits the input.
pub(crate) fn shape(layer: &Conv2d, input: [usize; 4], padding: [usize; 2]) -> Option<DepthwiseShape> {
    let [batch, channels, height, width] = input;
    let [outputs, _, rows, columns] = layer.weight.dims();
    let depthwise = layer.groups == channels && outputs == channels;
    let (kernel, stride) = ([rows, columns], layer.stride);
    depthwise.then_some(DepthwiseShape { batch, channels, height, width, kernel, stride, padding })
}

#[cfg(test)]
mod tests {
    //! The depthwise kernels against burn's own operations on `flex`: outputs and all gradients.

    use burn::nn::PaddingConfig2d;
    use burn::nn::conv::{Conv2d, Conv2dConfig};
    use burn::tensor::{Device, Tensor};

    use crate::conv::native;
    use crate::host::host;

    fn wave(shape: [usize; 4], device: &Device) -> Tensor<4> {
        let count = shape.iter().product::<usize>() as i64;
        (Tensor::arange(0..count, device).float() * 0.37).sin().reshape(shape)
    }

    fn native_of(layer: &Conv2d, x: &Tensor<4>) -> Tensor<4> {
        native(layer, x).expect("the kernels support it")
    }

    fn assert_near(found: &[f32], expected: &[f32], what: &str) {
        assert_eq!(found.len(), expected.len(), "{what}");
        let scale = expected.iter().fold(1.0f32, |most, value| most.max(value.abs()));
        let near = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-5 * scale;
        assert!(found.iter().zip(expected).all(near), "{what}");
    }

    #[test]
    fn outputs_and_gradients_are_those_of_flex() {
        let learning = Device::flex().autodiff();
        for (channels, kernel, stride, border, bias, size) in [
            (4, [3, 3], 1, [1, 1], true, [16, 26]),
            (6, [3, 3], 1, [1, 1], false, [7, 5]),
            (3, [3, 3], 2, [1, 1], true, [9, 8]),
            (2, [5, 3], 1, [2, 0], false, [6, 17]),
            (5, [1, 1], 1, [0, 0], true, [4, 4]),
        ] {
            let [rows, columns] = border;
            let layer = Conv2dConfig::new([channels, channels], kernel)
                .with_stride([stride, stride])
                .with_padding(PaddingConfig2d::Explicit(rows, columns, rows, columns))
                .with_groups(channels)
                .with_bias(bias)
                .init(&learning);
            let input = wave([3, channels, size[0], size[1]], &learning);
            let of = |native: bool| {
                let x = input.clone().detach().require_grad();
                let y = if native { native_of(&layer, &x) } else { layer.forward(x.clone()) };
                let loss = (y.clone() * y.clone().sin()).sum();
                let gradients = loss.backward();
                let mut all = vec![host(y), host(x.grad(&gradients).unwrap())];
                all.push(host(layer.weight.val().grad(&gradients).unwrap()));
                all.extend(layer.bias.as_ref().map(|bias| host(bias.val().grad(&gradients).unwrap())));
                all
            };
            let (found, expected) = (of(true), of(false));
            assert_eq!(found.len(), 3 + usize::from(bias));
            for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
                assert_near(found, expected, &format!("{channels} {kernel:?} {stride} {border:?}: {index}"));
            }
        }
    }

    #[test]
    fn other_groups_call_the_layer() {
        let device = Device::flex();
        // Two groups of two channels; a group for each of two channels, but with two outputs each; dilation.
        let grouped = Conv2dConfig::new([4, 4], [3, 3]).with_groups(2).init(&device);
        assert!(native(&grouped, &wave([1, 4, 7, 7], &device)).is_none());
        let multiplied = Conv2dConfig::new([2, 4], [3, 3]).with_groups(2).init(&device);
        assert!(native(&multiplied, &wave([1, 2, 7, 7], &device)).is_none());
        let dilated = Conv2dConfig::new([2, 2], [3, 3]).with_groups(2).with_dilation([2, 2]).init(&device);
        assert!(native(&dilated, &wave([1, 2, 7, 7], &device)).is_none());
    }
}
