//! Batch normalisation, with or without the rectifier after it.

use alluvium_kernels::norm::batch::{self, Options, Statistics};
use alluvium_kernels::norm::{Affine, Shape};
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{Autodiff, Flex};
use burn::module::RunningState;
use burn::nn::BatchNorm;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn_flex::FlexTensor;

use crate::flex::{Learning, Operands, constant, contiguous, operand, tensor, threads, together, values};

/// What `layer.forward(x)` gives, for `[batch, channels, height, width]`; the running statistics move as they do there.
pub fn batch_norm(layer: &BatchNorm, x: Tensor<4>) -> Tensor<4> {
    native(layer, &x, false).unwrap_or_else(|| layer.forward(x))
}

/// What `relu(layer.forward(x))` gives, for `[batch, channels, height, width]`.
pub fn batch_norm_relu(layer: &BatchNorm, x: Tensor<4>) -> Tensor<4> {
    native(layer, &x, true).unwrap_or_else(|| relu(layer.forward(x)))
}

/// Normalisation by the batch's own statistics where the layer learns, by the running ones where nothing does. A frozen
/// layer in a network that learns is left to burn: it is rare.
fn native(layer: &BatchNorm, x: &Tensor<4>, rectified: bool) -> Option<Tensor<4>> {
    let [batch, channels, height, width] = x.dims();
    let shape = Shape { batch, channels, pixels: height * width };
    let options = Options { epsilon: layer.epsilon as f32, rectified };
    let sizes = Sizes { shape, options, dims: x.dims() };
    if batch * height * width == 0 {
        return None;
    }
    let operands = together([operand(x)?, operand(&layer.gamma.val())?, operand(&layer.beta.val())?]);
    match operands {
        Operands::Plain([x, scale, shift]) => {
            let [mean, variance] = [&layer.running_mean, &layer.running_var].map(running);
            let statistics = Statistics { mean: mean?, variance: variance? };
            Some(Tensor::from_primitive::<Flex>(sizes.infer(&x, &scale, &shift, &statistics)))
        }
        Operands::Learning(operands) if layer.training.is_enabled() => {
            let (out, statistics) = sizes.recorded(operands);
            let Statistics { mean, variance } = statistics;
            follow(&layer.running_mean, mean, layer.momentum);
            follow(&layer.running_var, variance, layer.momentum);
            Some(Tensor::from_primitive::<Autodiff<Flex>>(out))
        }
        Operands::Learning(_) => None,
    }
}

/// The values of a running statistic.
fn running(state: &RunningState<Tensor<1>>) -> Option<Vec<f32>> {
    state.value().into_data().try_into_vec::<f32>().ok()
}

/// Moves a running statistic towards that of the batch, as burn's layer does.
fn follow(state: &RunningState<Tensor<1>>, of_batch: Vec<f32>, momentum: f64) {
    let before = state.value_sync();
    let channels = [of_batch.len()];
    let of_batch = Tensor::<1>::from_primitive::<Autodiff<Flex>>(constant(tensor(of_batch, channels)));
    let before = before.to_device(&of_batch.device());
    state.update((before.mul_scalar(1.0 - momentum) + of_batch.mul_scalar(momentum)).detach());
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

/// Normalisation, and rectifier where one follows, as one node of the autodiff graph.
#[derive(Debug)]
struct Normalisation;

impl Sizes {
    fn infer(&self, x: &FlexTensor, scale: &FlexTensor, shift: &FlexTensor, statistics: &Statistics) -> FlexTensor {
        let [x, scale, shift] = [x, scale, shift].map(contiguous);
        let affine = Affine { scale: values(&scale), shift: values(&shift) };
        let mut out = vec![0.0; self.dims.iter().product()];
        batch::infer(&self.shape, &self.options, values(&x), affine, statistics, &mut out, threads());
        tensor(out, self.dims)
    }

    fn recorded(self, [x, scale, shift]: [Learning; 3]) -> (Learning, Statistics) {
        let [values_of_x, gains, shifts] = [&x, &scale, &shift].map(|operand| contiguous(operand.primitive()));
        let affine = Affine { scale: values(&gains), shift: values(&shifts) };
        let mut out = vec![0.0; self.dims.iter().product()];
        let statistics = batch::forward(&self.shape, &self.options, values(&values_of_x), affine, &mut out, threads());
        let out = tensor(out, self.dims);
        let nodes = [x.node(), scale.node(), shift.node()];
        let out = match Normalisation.prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let [x, scale, shift] = [x, scale, shift].map(Learning::into_primitive);
                prepared.finish(State { sizes: self, x, scale, shift, statistics: statistics.clone() }, out)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(out),
        };
        (out, statistics)
    }
}

impl Backward<Flex, 3> for Normalisation {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let dy = contiguous(&gradients.consume::<Flex>(&ops.node));
        let State { sizes, x, scale, shift, statistics } = ops.state;
        let [x, scale, shift] = [&x, &scale, &shift].map(contiguous);
        let affine = Affine { scale: values(&scale), shift: values(&shift) };
        let Sizes { shape, options, dims } = sizes;
        let mut dx = vec![0.0; dims.iter().product()];
        let by_parameters =
            batch::backward(&shape, &options, values(&x), affine, &statistics, values(&dy), &mut dx, threads());
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
    use burn::module::Module;
    use burn::nn::BatchNormConfig;
    use burn::tensor::{Device, Int};

    use super::*;

    fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().try_into_vec::<f32>().unwrap()
    }

    fn near(found: &[f32], expected: &[f32]) -> bool {
        found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 2e-4)
    }

    fn images(device: &Device) -> Tensor<4> {
        let values = (Tensor::<1, Int>::arange(0..3 * 6 * 20, device).float() * 0.37).sin();
        values.reshape([3, 6, 4, 5])
    }

    /// What the layer itself gives.
    fn of_burn(layer: &BatchNorm, x: Tensor<4>, rectified: bool) -> Tensor<4> {
        let y = layer.forward(x);
        if rectified { relu(y) } else { y }
    }

    #[test]
    fn outputs_gradients_and_running_statistics_are_those_of_flex() {
        let learning = Device::flex().autodiff();
        for rectified in [false, true] {
            let of = |fused: bool| {
                let layer = BatchNormConfig::new(6).init(&learning);
                let forward = |x: &Tensor<4>| match fused {
                    true => native(&layer, x, rectified).unwrap(),
                    false => of_burn(&layer, x.clone(), rectified),
                };
                // Another batch before, so that the running statistics start from where they have moved.
                forward(&(images(&learning) * 2.0 + 0.5));
                let x = images(&learning).require_grad();
                let y = forward(&x);
                let gradients = (y.clone() * y.clone().sin()).sum().backward();
                let layer_now = layer.valid();
                [
                    host(y),
                    host(x.grad(&gradients).unwrap()),
                    host(layer.gamma.val().grad(&gradients).unwrap()),
                    host(layer.beta.val().grad(&gradients).unwrap()),
                    host(layer_now.running_mean.value()),
                    host(layer_now.running_var.value()),
                ]
            };
            for (place, (found, expected)) in of(true).iter().zip(&of(false)).enumerate() {
                assert!(near(found, expected), "{rectified} {place}: {found:?} {expected:?}");
            }
        }
    }

    #[test]
    fn without_autodiff_the_running_statistics_normalise() {
        let learning = Device::flex().autodiff();
        let layer = BatchNormConfig::new(6).init(&learning);
        layer.forward(images(&learning) * 3.0 + 1.0);
        let layer = layer.valid();
        let x = images(&Device::flex());
        for rectified in [false, true] {
            let found = host(native(&layer, &x, rectified).unwrap());
            assert!(near(&found, &host(of_burn(&layer, x.clone(), rectified))));
        }
    }
}
