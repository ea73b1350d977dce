//! Stochastic gradient descent as one of burn's optimisers.

use burn::optim::{LearningRate, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};

use alluvium_layers::{SgdStep, sgd_step};

/// Stochastic gradient descent with momentum. Gives the same numbers as burn's own without dampening, and is faster on `flex`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sgd {
    /// 0 for none.
    pub momentum: f32,
    /// The L2 penalty; 0 for none.
    pub decay: f32,
}

/// What is kept for a parameter between steps.
#[derive(Debug, Clone)]
pub(super) struct Velocity<const D: usize>(Tensor<D>);

impl Optimizer for Sgd {
    type State<const D: usize> = Velocity<D>;

    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        weights: Tensor<D>,
        gradients: Tensor<D>,
        state: Option<Velocity<D>>,
    ) -> (Tensor<D>, Option<Velocity<D>>) {
        let step = SgdStep { rate, momentum: self.momentum, decay: self.decay };
        let (weights, velocity) = sgd_step(weights, gradients, state.map(|Velocity(velocity)| velocity), &step);
        (weights, velocity.map(Velocity))
    }

    fn to_device<const D: usize>(Velocity(velocity): Velocity<D>, device: &Device) -> Velocity<D> {
        Velocity(velocity.to_device(device))
    }
}

/// Written by hand, because burn's derive works only inside burn.
impl<const D: usize> RecordState for Velocity<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_tensor(prefix, "velocity", self.0.to_data());
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, device: &Device) -> Option<Self> {
        source.take_tensor(prefix, "velocity").map(|data| Velocity(Tensor::from_data(data, device)))
    }
}
