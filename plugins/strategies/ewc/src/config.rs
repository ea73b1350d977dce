//! The options of the strategy.

use alluvium_strategy::{FisherLabels, TrainingSettings};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the penalties of several tasks come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Penalties {
    /// Each task has its own, around the weights that were right for it.
    Separate,
    /// One for all, around the newest weights; earlier tasks count less and less.
    Online,
}

/// Elastic weight consolidation: the central model learns the current task's samples, and each weight is held near its
/// old value the more, the more it mattered for earlier tasks.
///
/// L = L_new + λ/2 Σ F_i (θ_i − θ*_i)² (eq. 3 of the paper), over the backbone and all heads that had a task before; λ is
/// `penalty_weight`. F is the diagonal of the Fisher information, the mean over a task's samples of the squared gradient
/// of log p(y|x) through the task's own head, estimated after the task was learned, with normalisation frozen. With `separate`, the sum of all tasks'
/// penalties; as a sum of quadratics is one quadratic, two numbers a weight are kept however many tasks come. With
/// `online` (Schwarz et al., arXiv 1805.06370, section 3.2), F = `decay`·F + F_new, around the newest weights.
///
/// One thing differs from the paper: the penalty is not a part of the gradient, but taken after each gradient step, as the
/// minimum of the penalty and the distance from where the step went. What both lead to is the same, but this one is
/// stable for any λ. `gradient_clip` limits the gradients of L_new. The first expert is taken as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct EwcConfig {
    /// λ, the weight of the penalty; 0: fine-tuning.
    #[schemars(range(min = 0.0, max = 1e12))]
    pub penalty_weight: f64,
    /// How the penalties of several tasks come together.
    pub penalties: Penalties,
    /// γ, how much of the earlier tasks' Fisher information stays at each task with `penalties = "online"`.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub decay: f64,
    /// Which labels the Fisher information is estimated with.
    pub fisher_labels: FisherLabels,
    /// How many of a task's samples the Fisher information is estimated on, at the most; each costs a gradient of its own.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub fisher_samples: usize,
    /// How the centre learns.
    #[serde(flatten)]
    pub training: TrainingSettings,
}

impl Default for EwcConfig {
    fn default() -> Self {
        EwcConfig {
            penalty_weight: 1000.0,
            penalties: Penalties::Separate,
            decay: 0.95,
            fisher_labels: FisherLabels::Empirical,
            fisher_samples: 500,
            training: TrainingSettings::default(),
        }
    }
}
