//! Group normalisation with the rectifier after it.

use alluvium_kernels::norm::group::GroupOptions;
use burn::backend::{Autodiff, Flex};
use burn::nn::GroupNorm;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use crate::flex::{Operands, operand, together};
use crate::normalisation::Normalisation;

/// Equals `relu(layer.forward(x))` for `[batch, channels, height, width]`.
pub fn group_norm_relu(layer: &GroupNorm, x: Tensor<4>) -> Tensor<4> {
    native(layer, &x).unwrap_or_else(|| relu(layer.forward(x)))
}

fn native(layer: &GroupNorm, x: &Tensor<4>) -> Option<Tensor<4>> {
    let options = GroupOptions { groups: layer.num_groups, epsilon: layer.epsilon as f32, rectified: true };
    let normalisation = Normalisation::of(options, x)?;
    let (scale, shift) = (layer.gamma.as_ref()?.val(), layer.beta.as_ref()?.val());
    Some(match together([operand(x)?, operand(&scale)?, operand(&shift)?]) {
        Operands::Plain(operands) => Tensor::from_primitive::<Flex>(normalisation.forward(operands.each_ref()).0),
        Operands::Learning(operands) => Tensor::from_primitive::<Autodiff<Flex>>(normalisation.recorded(operands).0),
    })
}

#[cfg(test)]
mod tests {
    use burn::nn::GroupNormConfig;
    use burn::tensor::Device;

    use super::*;
    use crate::host::host;

    #[test]
    fn outputs_and_gradients_are_those_of_flex() {
        let learning = Device::flex().autodiff();
        let layer = GroupNormConfig::new(2, 6).init(&learning);
        let input = (Tensor::<1, burn::tensor::Int>::arange(0..3 * 6 * 20, &learning).float() * 0.37).sin();
        let input = input.reshape([3, 6, 4, 5]);
        let of = |fused: bool| {
            let x = input.clone().detach().require_grad();
            let y = if fused { native(&layer, &x).unwrap() } else { relu(layer.forward(x.clone())) };
            let gradients = (y.clone() * y.clone().sin()).sum().backward();
            let of_parameter = |parameter: &Option<burn::module::Param<Tensor<1>>>| {
                host(parameter.as_ref().unwrap().val().grad(&gradients).unwrap())
            };
            [host(y), host(x.grad(&gradients).unwrap()), of_parameter(&layer.gamma), of_parameter(&layer.beta)]
        };
        for (index, (found, expected)) in of(true).iter().zip(&of(false)).enumerate() {
            let near = |(a, b): (&f32, &f32)| (a - b).abs() < 2e-4;
            assert!(found.iter().zip(expected).all(near), "{index}: {found:?} {expected:?}");
        }
    }
}
