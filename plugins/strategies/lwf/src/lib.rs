//! The `lwf` strategy: learning without forgetting.
//!
//! This file is the strategy; `loss` holds the distillation on tensors alone.

mod loss;

use alluvium_model::Model;
use alluvium_strategy::registry::{Family, describe};
use alluvium_strategy::{
    Context, DataAccess, Expert, ModelState, RunDescription, Strategy, StrategyConfig, StrategyError, TaskDataset,
    TrainingSettings,
};
use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use loss::{distillation, softened};

/// Learning without forgetting: the central model learns the current task's samples, and on the same inputs its old heads
/// keep their earlier outputs.
///
/// L = L_new + `old_weight`·Σ L_old over the old heads, where L_new is the current task's cross-entropy (see `loss`) and
/// L_old = −Σ y′ log ŷ′, with y′ and ŷ′ the probabilities of an old head before and now, each softened by the temperature:
/// y′ ∝ y^(1/τ) (eq. 2 and 3 of the paper). The outputs of the old heads are recorded once, before the first step. A
/// head that comes back is an old head, too, and keeps its outputs.
///
/// The paper's warm-up, in which only the new head learns, happens on the device, which trains the head with a copy of the
/// backbone: see `new_head`. `fresh` skips the warm-up. The first expert becomes the central model unchanged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct LwfConfig {
    /// λ_o, the weight of the old heads' distillation; 0 is fine-tuning.
    #[schemars(range(min = 0.0, max = 1e6))]
    pub old_weight: f64,
    /// The temperature τ of the distillation; the paper's is 2.
    #[schemars(range(min = 0.01, max = 1000.0))]
    pub temperature: f64,
    /// How the centre learns.
    #[serde(flatten)]
    pub training: TrainingSettings,
}

impl Default for LwfConfig {
    fn default() -> Self {
        LwfConfig { old_weight: 1.0, temperature: 2.0, training: TrainingSettings::default() }
    }
}

describe!(
    Family::Strategy,
    "lwf",
    LwfConfig,
    paper: "Li & Hoiem, \"Learning without forgetting\", ECCV 2016, arXiv 1606.09282"
);

#[typetag::serde(name = "lwf")]
impl StrategyConfig for LwfConfig {
    fn data_access(&self) -> DataAccess {
        DataAccess::CurrentTask
    }

    fn build(&self, _run: &RunDescription) -> Result<Box<dyn Strategy>, StrategyError> {
        Ok(Box::new(Lwf { config: self.clone() }))
    }
}

#[derive(Debug)]
struct Lwf {
    config: LwfConfig,
}

/// The number of inputs that go through the previous model at a time.
const CHUNK: usize = 500;

impl Lwf {
    /// The softened probabilities of each old head for all samples, `[samples, classes]`, as constants of an autodiff graph.
    fn recorded(
        &self,
        previous: &ModelState,
        data: TaskDataset<'_>,
        context: &Context<'_>,
    ) -> Result<Vec<Tensor<2>>, StrategyError> {
        let teacher = Model::load(previous, context.compute())?;
        let inputs = data.samples.inputs(context.compute());
        let chunks = inputs.clone().split(CHUNK);
        let latents = Tensor::cat(chunks.into_iter().map(|chunk| teacher.latents(chunk)).collect(), 0);
        let of_head = |head: &alluvium_model::Head| {
            Tensor::from_inner(softened(head.scores(inputs.clone(), latents.clone()), self.config.temperature))
        };
        Ok(teacher.heads().iter().map(of_head).collect())
    }
}

impl Strategy for Lwf {
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
        let LwfConfig { old_weight, temperature, training } = &self.config;
        let recorded = self.recorded(previous, data, context)?;
        let start = training.start(previous, expert, context)?;
        training.learn(&start, data, context, |model, batch| {
            let latents = model.latents(batch.inputs.clone());
            let sample = || (batch.inputs.clone(), latents.clone());
            let mut loss = training.loss.of(model, &data.head.name, sample(), batch.class_indices.clone())?;
            // The old heads come first, in their order.
            for (head, wanted) in model.heads().iter().zip(&recorded).filter(|_| *old_weight > 0.0) {
                let wanted = wanted.clone().select(0, batch.indices.clone());
                let given = head.scores(batch.inputs.clone(), latents.clone());
                loss = loss + distillation(given, wanted, *temperature).mul_scalar(*old_weight);
            }
            Some((loss, batch.samples()))
        })
    }
}
