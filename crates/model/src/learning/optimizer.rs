//! The kinds of optimisers, as a table of a configuration.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The optimiser. Its learning rate and weight decay are keys beside it.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(inline)]
pub enum OptimizerKind {
    /// Stochastic gradient descent; `momentum` beside it is its momentum.
    #[default]
    Sgd,
    /// Adam (Kingma & Ba, arXiv 1412.6980, Algorithm 1). `weight_decay` adds to the gradients, as in PyTorch.
    Adam(AdamOptions),
    /// Adam whose `weight_decay` shrinks the weights beside the step (Loshchilov & Hutter, arXiv 1711.05101, Algorithm 2).
    #[serde(rename = "adamw")]
    AdamW(AdamOptions),
}

/// The options of `adam` and `adamw`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(inline)]
pub struct AdamOptions {
    /// β₁, the share of the old mean of gradients.
    #[schemars(range(min = 0.0, max = 0.9999))]
    pub beta1: f64,
    /// β₂, the share of the old mean of squared gradients.
    #[schemars(range(min = 0.0, max = 0.999_999))]
    pub beta2: f64,
    /// ε, added to the root of the mean of squares.
    #[schemars(range(min = 1e-12, max = 1.0))]
    pub epsilon: f64,
}

impl Default for AdamOptions {
    fn default() -> Self {
        AdamOptions { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }
}
