//! The options of distillation from two teachers.

use alluvium_model::{Optimiser, Schedule, SgdSettings};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The options of distillation from two teachers, to be flattened into the options of a strategy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct DistillationSettings {
    /// Gradient steps per consolidation.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub steps: usize,
    /// Inputs per gradient step.
    #[schemars(range(min = 1, max = 65_536))]
    pub batch_size: usize,
    /// The learning rate of stochastic gradient descent.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub learning_rate: f64,
    /// The momentum; 0 for none.
    #[schemars(range(min = 0.0, max = 0.9999))]
    pub momentum: f64,
    /// The L2 penalty on the weights; 0 for none.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub weight_decay: f64,
    /// How the learning rate changes over the steps.
    pub schedule: Schedule,
    /// The largest norm of a step's gradients; larger ones are scaled down to it. 0: no limit.
    #[schemars(range(min = 0.0, max = 1e6))]
    pub gradient_clip: f64,
    /// Whether the teachers run once on a fixed set of inputs, before the first step. Otherwise every step draws new inputs
    /// and runs both teachers on them, which costs about as much as the student's own step.
    pub cache_teachers: bool,
}

impl Default for DistillationSettings {
    fn default() -> Self {
        DistillationSettings {
            steps: 400,
            batch_size: 64,
            learning_rate: 0.02,
            momentum: 0.9,
            weight_decay: 0.0,
            schedule: Schedule::Constant,
            gradient_clip: 5.0,
            cache_teachers: true,
        }
    }
}

impl DistillationSettings {
    /// The optimiser of the student's steps.
    pub fn optimiser(&self) -> Optimiser {
        let sgd = SgdSettings {
            learning_rate: self.learning_rate,
            momentum: self.momentum,
            weight_decay: self.weight_decay,
            gradient_clip: self.gradient_clip,
            schedule: self.schedule,
        };
        Optimiser::new(sgd, self.steps)
    }
}
