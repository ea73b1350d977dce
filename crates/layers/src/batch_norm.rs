//! Batch normalisation, with or without the rectifier after it.

use alluvium_kernels::norm::batch::{BatchOptions, BatchStatistics};
use burn::backend::{Autodiff, Flex};
use burn::module::RunningState;
use burn::nn::BatchNorm;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use crate::flex::{Operands, constant, operand, tensor, threads, together};
use crate::normalisation::Normalisation;

/// Equals `layer.forward(x)` for `[batch, channels, height, width]`, and updates the running statistics in the same
/// way.
pub fn batch_norm(layer: &BatchNorm, x: Tensor<4>) -> Tensor<4> {
    native(layer, &x, false).unwrap_or_else(|| layer.forward(x))
}

/// Equals `relu(layer.forward(x))` for `[batch, channels, height, width]`.
pub fn batch_norm_relu(layer: &BatchNorm, x: Tensor<4>) -> Tensor<4> {
    native(layer, &x, true).unwrap_or_else(|| relu(layer.forward(x)))
}

/// Normalises by the batch's own statistics if the layer learns, and by the running ones without autodiff. burn handles
/// a frozen layer in a network that learns, which is rare.
fn native(layer: &BatchNorm, x: &Tensor<4>, rectified: bool) -> Option<Tensor<4>> {
    let options = BatchOptions { epsilon: layer.epsilon as f32, rectified };
    let normalisation = Normalisation::of(options, x)?;
    let operands = together([operand(x)?, operand(&layer.gamma.val())?, operand(&layer.beta.val())?]);
    match operands {
        Operands::Plain(operands) => {
            let [mean, variance] = [&layer.running_mean, &layer.running_var].map(running);
            let statistics = BatchStatistics { mean: mean?, variance: variance? };
            let shape = normalisation.shape();
            let (out, ()) = normalisation.apply(operands.each_ref(), |operands, out| {
                options.infer(shape, operands, &statistics, out, threads());
            });
            Some(Tensor::from_primitive::<Flex>(out))
        }
        Operands::Learning(operands) if layer.training.is_enabled() => {
            let (out, BatchStatistics { mean, variance }) = normalisation.recorded(operands);
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

#[cfg(test)]
mod tests {
    use burn::module::Module;
    use burn::nn::BatchNormConfig;
    use burn::tensor::{Device, Int};

    use super::*;
    use crate::host::host;

    fn near(found: &[f32], expected: &[f32]) -> bool {
        found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 2e-4)
    }

    fn images(device: &Device) -> Tensor<4> {
        let values = (Tensor::<1, Int>::arange(0..3 * 6 * 20, device).float() * 0.37).sin();
        values.reshape([3, 6, 4, 5])
    }

    /// The output of burn's layer.
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
                let forward = |x: &Tensor<4>| {
                    if fused { native(&layer, x, rectified).unwrap() } else { of_burn(&layer, x.clone(), rectified) }
                };
                // A first batch moves the running statistics away from their initial values.
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
            for (index, (found, expected)) in of(true).iter().zip(&of(false)).enumerate() {
                assert!(near(found, expected), "{rectified} {index}: {found:?} {expected:?}");
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
