//! The options of the strategy.

use alluvium_strategy::{FisherLabels, TrainingSettings};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the penalties of several tasks come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Penalties {
    /// Each task has its own penalty, around the weights that were right for it.
    Separate,
    /// One penalty for all tasks, around the newest weights. Earlier tasks count less and less.
    Online,
}

/// Elastic weight consolidation: the central model learns the current task's samples, and weights that mattered for earlier
/// tasks are held near their old values.
///
/// L = L_new + λ/2 Σ F_i (θ_i − θ*_i)² (eq. 3 of the paper), over the backbone and all heads that had a task before; λ is
/// `penalty_weight`. F is the diagonal of the Fisher information, the mean over a task's samples of the squared gradient
/// of log p(y|x) through the task's own head, estimated after the task was learned, with normalisation frozen. With
/// `separate`, the penalty is the sum of all tasks' penalties. A sum of quadratics is one quadratic, so two numbers per weight
/// are kept for any number of tasks. With `online` (Schwarz et al., arXiv 1805.06370, section 3.2), F = `decay`·F + F_new,
/// around the newest weights.
///
/// One thing differs from the paper: the penalty is not added to the gradient. It is applied after each gradient step as a
/// proximal step, which minimises the penalty plus the distance from the result of the gradient step. Both have the same
/// fixed points, but the proximal step is stable for any λ. `gradient_clip` limits the gradients of L_new. The first expert
/// becomes the central model unchanged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct EwcConfig {
    /// λ, the weight of the penalty; 0 is fine-tuning.
    #[schemars(range(min = 0.0, max = 1e12))]
    pub penalty_weight: f64,
    /// How the penalties of several tasks come together.
    pub penalties: Penalties,
    /// γ, the factor on the earlier tasks' Fisher information at each new task, with `penalties = "online"`.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub decay: f64,
    /// Which labels the Fisher information is estimated with.
    pub fisher_labels: FisherLabels,
    /// The largest number of a task's samples that the Fisher information is estimated on. Each sample costs one gradient.
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
