//! The options that all surrogate data made by inversion have.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Inversion;

/// How many inputs are made, and how they are optimised: options to flatten into those of the surrogate data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct InversionSettings {
    /// How many inputs the fixed set has.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub samples: usize,
    /// How many steps each input takes.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub steps: usize,
    /// The learning rate of Adam.
    #[schemars(range(min = 0.000_001, max = 10.0))]
    pub learning_rate: f64,
    /// How many inputs take their steps at once. It changes time and memory; results change only by rounding, unless the
    /// statistics of features are matched, which are those of such a batch.
    #[schemars(range(min = 1, max = 65_536))]
    pub batch_size: usize,
}

impl Default for InversionSettings {
    fn default() -> Self {
        InversionSettings { samples: 500, steps: 200, learning_rate: 0.05, batch_size: 100 }
    }
}

impl InversionSettings {
    /// The optimisation of these options at a temperature of 1, towards what the model should say alone: without priors.
    pub fn inversion(&self) -> Inversion {
        Inversion {
            steps: self.steps,
            learning_rate: self.learning_rate,
            batch_size: self.batch_size,
            temperature: 1.0,
            total_variation: 0.0,
            l2: 0.0,
            feature_statistics: 0.0,
        }
    }
}
