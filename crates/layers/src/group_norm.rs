//! Group normalisation with the rectifier after it.

use alluvium_kernels::norm::group::{self, Options, Statistics};
use alluvium_kernels::norm::{Affine, Shape};
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{Autodiff, Flex};
use burn::nn::GroupNorm;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn_flex::FlexTensor;

use crate::flex::{Learning, Operands, contiguous, operand, tensor, threads, together, values};

/// What `relu(layer.forward(x))` gives, for `[batch, channels, height, width]`.
pub fn group_norm_relu(layer: &GroupNorm, x: Tensor<4>) -> Tensor<4> {
    native(layer, &x).unwrap_or_else(|| relu(layer.forward(x)))
}

fn native(layer: &GroupNorm, x: &Tensor<4>) -> Option<Tensor<4>> {
    let [batch, channels, height, width] = x.dims();
    let shape = Shape { batch, channels, pixels: height * width };
    let options = Options { groups: layer.num_groups, epsilon: layer.epsilon as f32, rectified: true };
    let (scale, shift) = (layer.gamma.as_ref()?.val(), layer.beta.as_ref()?.val());
    let sizes = Sizes { shape, options, dims: x.dims() };
    if batch * height * width == 0 {
        return None;
    }
    Some(match together([operand(x)?, operand(&scale)?, operand(&shift)?]) {
        Operands::Plain([x, scale, shift]) => Tensor::from_primitive::<Flex>(sizes.forward(&x, &scale, &shift).0),
        Operands::Learning([x, scale, shift]) => {
            Tensor::from_primitive::<Autodiff<Flex>>(sizes.recorded(x, scale, shift))
        }
    })
}

#[derive(Debug, Clone, Copy)]
struct Sizes {
    shape: Shape,
    options: Options,
    dims: [usize; 4],
}

/// What the backward pass needs.
#[derive(Debug, Clone)]
struct State {
    sizes: Sizes,
    x: FlexTensor,
    scale: FlexTensor,
    shift: FlexTensor,
    statistics: Statistics,
}

/// Normalisation and rectifier as one node of the autodiff graph.
#[derive(Debug)]
struct Normalisation;

impl Sizes {
    fn forward(&self, x: &FlexTensor, scale: &FlexTensor, shift: &FlexTensor) -> (FlexTensor, Statistics) {
        let [x, scale, shift] = [x, scale, shift].map(contiguous);
        let affine = Affine { scale: values(&scale), shift: values(&shift) };
        let mut out = vec![0.0; self.dims.iter().product()];
        let statistics = group::forward(&self.shape, &self.options, values(&x), affine, &mut out, threads());
        (tensor(out, self.dims), statistics)
    }

    fn recorded(self, x: Learning, scale: Learning, shift: Learning) -> Learning {
        let (out, statistics) = self.forward(x.primitive(), scale.primitive(), shift.primitive());
        match Normalisation
            .prepare::<NoCheckpointing>([x.node(), scale.node(), shift.node()])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prepared) => {
                let [x, scale, shift] = [x, scale, shift].map(Learning::into_primitive);
                prepared.finish(State { sizes: self, x, scale, shift, statistics }, out)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(out),
        }
    }
}

impl Backward<Flex, 3> for Normalisation {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let dy = contiguous(&gradients.consume::<Flex>(&ops.node));
        let State { sizes, x, scale, shift, statistics } = ops.state;
        let [x, scale, shift] = [&x, &scale, &shift].map(contiguous);
        let affine = Affine { scale: values(&scale), shift: values(&shift) };
        let mut dx = vec![0.0; sizes.dims.iter().product()];
        let Sizes { shape, options, dims } = sizes;
        let by_parameters =
            group::backward(&shape, &options, values(&x), affine, &statistics, values(&dy), &mut dx, threads());
        let channels = [shape.channels];
        let all = [tensor(dx, dims), tensor(by_parameters.scale, channels), tensor(by_parameters.shift, channels)];
        for (parent, gradient) in ops.parents.into_iter().zip(all) {
            if let Some(node) = parent {
                gradients.register::<Flex>(node.id, gradient);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::GroupNormConfig;
    use burn::tensor::Device;

    use super::*;

    fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().try_into_vec::<f32>().unwrap()
    }

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
        for (place, (found, expected)) in of(true).iter().zip(&of(false)).enumerate() {
            let near = |(a, b): (&f32, &f32)| (a - b).abs() < 2e-4;
            assert!(found.iter().zip(expected).all(near), "{place}: {found:?} {expected:?}");
        }
    }
}
