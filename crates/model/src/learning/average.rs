//! Averages of the weights over the steps.

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Model, NamedTensors, Values, Weights};

/// An average of a model's weights over its steps. Running statistics are averaged like parameters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(inline)]
pub enum Average {
    /// After each step, the average becomes `decay` of itself and 1 − `decay` of the weights; it starts with the weights after the
    /// first step (Polyak & Juditsky, SIAM J. Control Optim. 1992, with a constant weight).
    Exponential {
        /// The share of the old average, such as 0.999. The average covers about 1 / (1 − `decay`) steps.
        #[schemars(range(min = 0.0, max = 0.999_999))]
        decay: f64,
    },
    /// The mean of the weights after each of the last steps (Izmailov et al., "Averaging weights leads to wider optima", arXiv
    /// 1803.05407, Algorithm 1, with one model a step).
    Last {
        /// The number of steps; with more than there are, all.
        #[schemars(range(min = 1, max = 10_000_000))]
        steps: usize,
    },
}

/// The average so far.
#[derive(Debug)]
pub(super) struct Averaging {
    average: Average,
    /// The number of steps of the whole run.
    steps: usize,
    taken: usize,
    /// The number of steps in the average.
    count: usize,
    values: NamedTensors,
}

impl Averaging {
    pub(super) fn new(average: Average, steps: usize) -> Self {
        Averaging { average, steps, taken: 0, count: 0, values: NamedTensors::new() }
    }

    /// Takes in the weights after a step.
    pub(super) fn step_taken(&mut self, model: &Model) {
        self.taken += 1;
        if let Average::Last { steps } = self.average
            && self.taken + steps <= self.steps
        {
            return;
        }
        self.count += 1;
        let fresh = match self.average {
            _ if self.count == 1 => 1.0,
            Average::Exponential { decay } => 1.0 - decay,
            Average::Last { .. } => 1.0 / self.count as f64,
        };
        for (name, tensor) in model.tensors() {
            let new = match self.values.remove(&name) {
                Some(old) => old.clone() + (tensor - old).mul_scalar(fresh),
                None => tensor,
            };
            self.values.insert(name, new);
        }
    }

    /// The averaged weights, in the shapes of `weights`; `None` before the first step.
    pub(super) fn result(self, weights: &Weights) -> Option<Weights> {
        let host = |tensor: &Tensor<1>| tensor.to_data().convert::<f32>().try_into_vec::<f32>().ok();
        let averaged = |(name, values): (&str, &Values)| {
            let averaged = self.values.get(name).and_then(host);
            let averaged = averaged.map(|averaged| Values::new(values.shape.clone(), averaged));
            (name.to_owned(), averaged.unwrap_or_else(|| values.clone()))
        };
        (self.count > 0).then(|| weights.iter().map(averaged).collect())
    }
}
