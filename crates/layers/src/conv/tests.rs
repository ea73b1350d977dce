//! The kernels against burn's own operations on `flex`: outputs and all gradients.

use burn::nn::conv::Conv2dConfig;
use burn::tensor::Device;

use super::*;
use crate::host::host;

fn wave(shape: [usize; 4], device: &Device) -> Tensor<4> {
    let count = shape.iter().product::<usize>() as i64;
    (Tensor::arange(0..count, device).float() * 0.37).sin().reshape(shape)
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
        ([1, 4], 3, 2, 1, true, [8, 7]),
        ([3, 5], 3, 1, 1, false, [6, 6]),
        ([4, 6], 1, 2, 0, false, [7, 7]),
        ([2, 3], 3, 1, 0, true, [5, 9]),
        // The stem of a ResNet, including an image smaller than its kernel, and the patches of a transformer.
        ([3, 8], 7, 2, 3, false, [17, 12]),
        ([3, 8], 7, 2, 3, false, [2, 1]),
        ([3, 6], 4, 4, 0, true, [8, 12]),
    ] {
        let layer = Conv2dConfig::new(channels, [kernel, kernel])
            .with_stride([stride, stride])
            .with_padding(PaddingConfig2d::Explicit(border, border, border, border))
            .with_bias(bias)
            .init(&learning);
        let input = wave([3, channels[0], size[0], size[1]], &learning);
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
            assert_near(found, expected, &format!("{channels:?} {kernel} {stride} {border}: {index}"));
        }
    }
}

fn native_of(layer: &Conv2d, x: &Tensor<4>) -> Tensor<4> {
    native(layer, x).expect("the kernels support it")
}

#[test]
fn plain_weights_are_constants_where_inputs_learn() {
    let plain = Device::flex();
    let layer = Conv2dConfig::new([2, 3], [3, 3]).init(&plain);
    let x = wave([2, 2, 5, 5], &plain).autodiff().require_grad();
    let gradients = native_of(&layer, &x).sum().backward();
    assert!(x.grad(&gradients).is_some());
    assert_near(
        &host(native_of(&layer, &wave([2, 2, 5, 5], &plain))),
        &host(layer.forward(wave([2, 2, 5, 5], &plain))),
        "plain",
    );
}

#[test]
fn unsupported_convolutions_call_the_layer() {
    let device = Device::flex();
    let dilated = Conv2dConfig::new([2, 2], [3, 3]).with_dilation([2, 2]).init(&device);
    assert!(native(&dilated, &wave([1, 2, 7, 7], &device)).is_none());
    let uneven = Conv2dConfig::new([2, 2], [3, 3]).with_padding(PaddingConfig2d::Explicit(1, 0, 0, 0)).init(&device);
    assert!(native(&uneven, &wave([1, 2, 7, 7], &device)).is_none());
}
