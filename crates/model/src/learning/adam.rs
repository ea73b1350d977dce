//! Adam and AdamW as one of burn's optimisers.

use burn::optim::{LearningRate, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor, TensorData};

use alluvium_layers::{AdamStep, adam_step};

use super::AdamOptions;

/// Adam, or with `decoupled` decay AdamW. burn's own does not have PyTorch's ε, and is slower on `flex`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Adam {
    pub options: AdamOptions,
    /// The weight decay; 0 for none.
    pub decay: f64,
    /// Whether the decay shrinks the weights; otherwise, it adds to the gradients.
    pub decoupled: bool,
}

/// What is kept for a parameter between steps.
#[derive(Debug, Clone)]
pub(super) struct Moments<const D: usize> {
    /// The steps taken.
    taken: usize,
    /// The means of gradients and of their squares.
    moments: [Tensor<D>; 2],
}

impl Optimizer for Adam {
    type State<const D: usize> = Moments<D>;

    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        weights: Tensor<D>,
        gradients: Tensor<D>,
        state: Option<Moments<D>>,
    ) -> (Tensor<D>, Option<Moments<D>>) {
        let AdamOptions { beta1, beta2, epsilon } = self.options;
        let settings = AdamStep { rate, beta1, beta2, epsilon, decay: self.decay, decoupled: self.decoupled };
        let taken = state.as_ref().map_or(0, |state| state.taken) + 1;
        let (weights, moments) = adam_step(weights, gradients, state.map(|state| state.moments), &settings, taken);
        (weights, Some(Moments { taken, moments }))
    }

    fn to_device<const D: usize>(state: Moments<D>, device: &Device) -> Moments<D> {
        Moments { moments: state.moments.map(|moment| moment.to_device(device)), ..state }
    }
}

const NAMES: [&str; 2] = ["first", "second"];

/// Written by hand, because burn's derive works only inside burn.
impl<const D: usize> RecordState for Moments<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_tensor(prefix, "taken", TensorData::from([self.taken as i64]));
        for (name, moment) in NAMES.iter().zip(&self.moments) {
            out.push_tensor(prefix, name, moment.to_data());
        }
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, device: &Device) -> Option<Self> {
        let taken = source.take_tensor(prefix, "taken")?.try_into_vec::<i64>().ok()?;
        let mut moment = |name| source.take_tensor(prefix, name).map(|data| Tensor::from_data(data, device));
        let moments = [moment(NAMES[0])?, moment(NAMES[1])?];
        Some(Moments { taken: usize::try_from(*taken.first()?).ok()?, moments })
    }
}
