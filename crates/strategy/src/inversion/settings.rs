//! The options of all surrogate data that are made by inversion.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Inversion, MatchedModels};
use crate::StatisticsDistance;

/// The number of inputs and their optimisation: options to be flattened into the options of surrogate data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct InversionSettings {
    /// The number of inputs in the fixed set.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub samples: usize,
    /// The number of steps of each input.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub steps: usize,
    /// The learning rate of Adam.
    #[schemars(range(min = 0.000_001, max = 10.0))]
    pub learning_rate: f64,
    /// The number of inputs that are optimised together. It changes time and memory. Results change only by rounding, unless
    /// the statistics of features are matched: those are taken over such a batch.
    #[schemars(range(min = 1, max = 65_536))]
    pub batch_size: usize,
    /// The largest absolute value of an input's values. 1 is right for pictures; numbers may need a larger bound, such as 3 for
    /// standardised ones.
    #[schemars(range(min = 0.000_001, max = 1_000_000.0))]
    pub bound: f64,
}

impl Default for InversionSettings {
    fn default() -> Self {
        InversionSettings { samples: 500, steps: 200, learning_rate: 0.05, batch_size: 100, bound: 1.0 }
    }
}

impl InversionSettings {
    /// The optimisation with these options, at a temperature of 1 and without priors.
    pub fn inversion(&self) -> Inversion {
        Inversion {
            steps: self.steps,
            learning_rate: self.learning_rate,
            batch_size: self.batch_size,
            class_weight: 1.0,
            temperature: 1.0,
            bound: self.bound,
            total_variation: 0.0,
            l2: 0.0,
            feature_statistics: 0.0,
            statistics_distance: StatisticsDistance::Norms,
            statistics_of: MatchedModels::Own,
        }
    }
}
