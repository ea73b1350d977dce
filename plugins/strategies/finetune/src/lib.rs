//! The `finetune` strategy: the central model learns the current task's samples and nothing else.

use alluvium_strategy::{Context, Expert, ModelState, Strategy, StrategyError, TrainingSettings, strategy};

/// Fine-tuning at the centre: the previous central model learns the current task's samples through that task's head, without
/// any measure against forgetting. It is the lower bound of centralised class-incremental learning.
///
/// It needs the device's samples, so a protocol that keeps them private refuses it; `naive` is its counterpart that takes the
/// expert instead. The heads of other tasks stay as they were, unless `loss` lets them compete, while the backbone changes
/// under them. The first expert becomes the central model unchanged: it is the initial model after learning the same samples.
#[strategy(
    kind = "finetune",
    data = CurrentTask,
    paper = "The lower bound of Masana et al., \"Class-incremental learning: survey and performance evaluation on image \
             classification\", arXiv 2010.15277"
)]
pub struct Finetune {
    /// How the centre learns.
    #[serde(flatten)]
    pub training: TrainingSettings,
}

impl Strategy for Finetune {
    fn consolidate(
        &mut self,
        previous: &ModelState,
        expert: &Expert,
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        self.training.learn(previous, expert, context, |_| None)
    }
}
