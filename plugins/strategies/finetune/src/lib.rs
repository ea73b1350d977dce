//! The `finetune` strategy: the central model learns the current task's samples and nothing else.

use alluvium_strategy::registry::{Family, describe};
use alluvium_strategy::{
    Context, DataAccess, Expert, ModelState, RunDescription, Strategy, StrategyConfig, StrategyError, TrainingSettings,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Fine-tuning at the centre: the previous central model learns the current task's samples through that task's head, without
/// any measure against forgetting. It is the lower bound of centralised class-incremental learning.
///
/// It needs the device's samples, so a protocol that keeps them private refuses it; `naive` is its counterpart that takes the
/// expert instead. The heads of other tasks stay as they were, unless `loss` lets them compete, while the backbone changes
/// under them. The first expert becomes the central model unchanged: it is the initial model after learning the same samples.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct FinetuneConfig {
    /// How the centre learns.
    #[serde(flatten)]
    pub training: TrainingSettings,
}

describe!(
    Family::Strategy,
    "finetune",
    FinetuneConfig,
    paper: "The lower bound of Masana et al., \"Class-incremental learning: survey and performance evaluation on image \
            classification\", arXiv 2010.15277"
);

#[typetag::serde(name = "finetune")]
impl StrategyConfig for FinetuneConfig {
    fn data_access(&self) -> DataAccess {
        DataAccess::CurrentTask
    }

    fn build(&self, _run: &RunDescription) -> Result<Box<dyn Strategy>, StrategyError> {
        Ok(Box::new(Finetune { config: self.clone() }))
    }
}

#[derive(Debug)]
struct Finetune {
    config: FinetuneConfig,
}

impl Strategy for Finetune {
    fn consolidate(
        &mut self,
        previous: &ModelState,
        expert: &Expert,
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        let data = context.current_task()?;
        if previous.heads.is_empty() {
            return Ok(expert.model.clone());
        }
        let training = &self.config.training;
        let start = training.start(previous, expert, context)?;
        training.learn(&start, data, context, |model, batch| {
            let latents = model.latents(batch.inputs.clone());
            let loss = training.loss.of(
                model,
                &data.head.name,
                (batch.inputs.clone(), latents),
                batch.class_indices.clone(),
            )?;
            Some((loss, batch.samples()))
        })
    }
}
