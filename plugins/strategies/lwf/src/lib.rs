//! The `lwf` strategy: learning without forgetting.
//!
//! This file is the strategy; `loss` holds the distillation on tensors alone.

mod loss;

use alluvium_model::{Head, Model};
use alluvium_strategy::{Context, Expert, ModelState, Strategy, StrategyError, TrainingSettings, strategy};
use burn::tensor::Tensor;

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
#[strategy(
    kind = "lwf",
    data = CurrentTask,
    paper = "Li & Hoiem, \"Learning without forgetting\", ECCV 2016, arXiv 1606.09282"
)]
pub struct Lwf {
    /// λ_o, the weight of the old heads' distillation; 0 is fine-tuning.
    #[default(1.0)]
    #[schemars(range(min = 0.0, max = 1e6))]
    pub old_weight: f64,
    /// The temperature τ of the distillation; the paper's is 2.
    #[default(2.0)]
    #[schemars(range(min = 0.01, max = 1000.0))]
    pub temperature: f64,
    /// How the centre learns.
    #[serde(flatten)]
    pub training: TrainingSettings,
}

/// The number of inputs that go through the previous model at a time.
const CHUNK: usize = 500;

impl Lwf {
    /// The softened probabilities of each old head for all samples, `[samples, classes]`, as constants of an autodiff graph.
    fn recorded(&self, previous: &ModelState, context: &Context<'_>) -> Result<Vec<Tensor<2>>, StrategyError> {
        let teacher = Model::load(previous, context.compute())?;
        let inputs = context.current_task()?.samples.inputs(context.compute());
        let chunks = inputs.clone().split(CHUNK);
        let latents = Tensor::cat(chunks.into_iter().map(|chunk| teacher.latents(chunk)).collect(), 0);
        let of_head =
            |head: &Head| Tensor::from_inner(softened(head.scores(inputs.clone(), latents.clone()), self.temperature));
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
        let recorded = if self.old_weight > 0.0 { self.recorded(previous, context)? } else { vec![] };
        self.training.learn(previous, expert, context, |lesson| {
            // The old heads come first, in their order.
            let old = lesson.model.heads().iter().zip(&recorded).map(|(head, wanted)| {
                let wanted = wanted.clone().select(0, lesson.batch.indices.clone());
                distillation(lesson.scores(head), wanted, self.temperature).mul_scalar(self.old_weight)
            });
            old.reduce(|a, b| a + b)
        })
    }
}
