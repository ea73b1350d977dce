//! The options of distillation from two teachers.

use alluvium_model::{Learning, state_defaults};
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Deserializer, Serialize};

use crate::{RunDescription, StrategyError};

/// The options of distillation from two teachers, to be flattened into the options of a strategy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(transform = defaults)]
pub struct DistillationSettings {
    /// Gradient steps per consolidation.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub steps: usize,
    /// Inputs per gradient step.
    #[schemars(range(min = 1, max = 65_536))]
    pub batch_size: usize,
    /// How the student learns.
    #[serde(flatten, deserialize_with = "learning")]
    pub learning: Learning,
    /// Whether the teachers run once on a fixed set of inputs, before the first step. Otherwise every step draws new inputs
    /// and runs both teachers on them, which costs about as much as the student's own step.
    pub cache_teachers: bool,
    /// The fraction of the fixed set that the student does not learn from. The loss on it is measured ten times on the way, the first
    /// time before the first step, and once after the last one. The result is the student for which it was smallest. 0: the student
    /// after the last step. It needs `cache_teachers`.
    #[schemars(range(min = 0.0, max = 0.5))]
    pub held_back: f64,
}

impl Default for DistillationSettings {
    fn default() -> Self {
        DistillationSettings {
            steps: 400,
            batch_size: 64,
            learning: Learning { learning_rate: 0.02, gradient_clip: 5.0, ..Learning::default() },
            cache_teachers: true,
            held_back: 0.0,
        }
    }
}

fn learning<'de, D: Deserializer<'de>>(table: D) -> Result<Learning, D::Error> {
    DistillationSettings::default().learning.given(table)
}

fn defaults(schema: &mut Schema) {
    state_defaults(schema, &DistillationSettings::default().learning);
}

impl DistillationSettings {
    /// Checks the options against a run.
    ///
    /// # Errors
    /// [`StrategyError::Option`], which names the option.
    pub fn validate(&self, run: &RunDescription) -> Result<(), StrategyError> {
        if self.held_back > 0.0 && !self.cache_teachers {
            return Err(StrategyError::Option {
                option: "held_back",
                problem: "has no effect without `cache_teachers`: every step draws new inputs".to_owned(),
                accepted: "0, or `cache_teachers` = true".to_owned(),
            });
        }
        run.learns(&self.learning)
    }
}
