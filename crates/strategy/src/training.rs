//! Training on a task's own samples: the options and the loop that several strategies share.

use alluvium_device::ClassificationLoss;
use alluvium_model::{Expert, Model, ModelState, Optimiser, Schedule, SgdSettings};
use alluvium_stream::{Batch, Batches, TaskDataset};
use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Context, StrategyError, take_head};

/// The start of the head of a new task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum NewHead {
    /// The expert's head.
    Expert,
    /// Initial weights.
    Fresh,
}

/// How a strategy learns from a task's samples: options to be flattened into the options of the strategy.
///
/// They are those of the `[device]` table. Only the default limit on the gradients differs: it is that of `pld`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TrainingSettings {
    /// The number of passes over the current task's training samples.
    #[schemars(range(min = 1, max = 100_000))]
    pub epochs: usize,
    /// Samples of the current task per gradient step.
    #[schemars(range(min = 1, max = 65_536))]
    pub batch_size: usize,
    /// The learning rate of stochastic gradient descent.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub learning_rate: f64,
    /// The momentum; 0 for none.
    #[schemars(range(min = 0.0, max = 0.9999))]
    pub momentum: f64,
    /// The L2 penalty on the weights; 0 for none.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub weight_decay: f64,
    /// How the learning rate changes over the steps.
    pub schedule: Schedule,
    /// The largest norm of a step's gradients; larger ones are scaled down to it. 0: no limit.
    #[schemars(range(min = 0.0, max = 1e6))]
    pub gradient_clip: f64,
    /// The start of the head of a new task. With `expert`, the head was trained for `[device] epochs` before the centre learns
    /// the task. This spares the backbone the gradients of an untrained head, but the head learns every sample twice: on the
    /// device and at the centre. With `fresh`, the centre takes nothing from any expert after the first: this is the
    /// class-incremental learner of the literature. The device still adapts the model, and its time counts.
    pub new_head: NewHead,
    /// The classes that compete in the softmax of the cross-entropy: those of the sample's own head, or with `all-heads` those
    /// of all heads so far, as in class-incremental learning (Masana et al., arXiv 2010.15277). With `all-heads` a model also
    /// learns to tell the classes of different tasks apart. A strategy without samples of earlier tasks then trains the old
    /// heads towards zero probability for all their classes.
    pub loss: ClassificationLoss,
}

impl Default for TrainingSettings {
    fn default() -> Self {
        TrainingSettings {
            epochs: 5,
            batch_size: 32,
            learning_rate: 0.01,
            momentum: 0.9,
            weight_decay: 0.0,
            schedule: Schedule::Constant,
            gradient_clip: 5.0,
            new_head: NewHead::Expert,
            loss: ClassificationLoss::OwnHead,
        }
    }
}

impl TrainingSettings {
    /// The settings of the gradient step.
    pub fn sgd(&self) -> SgdSettings {
        SgdSettings {
            learning_rate: self.learning_rate,
            momentum: self.momentum,
            weight_decay: self.weight_decay,
            gradient_clip: self.gradient_clip,
            schedule: self.schedule,
        }
    }

    /// The number of gradient steps for `samples` samples.
    pub fn steps(&self, samples: usize) -> usize {
        self.epochs * samples.div_ceil(self.batch_size)
    }

    /// The model before the first step: the previous central model, with a head for the expert's task added if it lacks one.
    ///
    /// # Errors
    /// When the backbone cannot be built.
    pub fn start(
        &self,
        previous: &ModelState,
        expert: &Expert,
        context: &Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        let mut start = previous.clone();
        match self.new_head {
            _ if previous.head(&expert.head().name).is_some() => {}
            NewHead::Expert => take_head(&mut start, expert),
            NewHead::Fresh => {
                let latent_size = start.backbone.build(start.input, context.compute())?.latent_size();
                start.grow_head(expert.head(), latent_size, context.seed());
            }
        }
        Ok(start)
    }

    /// Calls `learn` with every batch of a task's samples, on the autodiff device. `learn` returns the number of samples that
    /// went through the new model, or `None` if it took no step.
    pub fn for_each_batch(
        &self,
        data: TaskDataset<'_>,
        context: &mut Context<'_>,
        mut learn: impl FnMut(&Batch) -> Option<usize>,
    ) {
        let steps = self.steps(data.samples.len());
        let datasets = [data];
        let random = context.seed().of("batches").random();
        let learning = context.compute().clone().autodiff();
        let batches = Batches::new(&datasets, self.batch_size, random, &learning);
        for (step, batch) in batches.take(steps).enumerate() {
            if let Some(samples) = learn(&batch) {
                context.step_taken(samples, step + 1, steps);
            }
        }
    }

    /// Trains a task's samples from `start` on, and returns the new central model. `loss` computes the loss, `[1]`, of a model
    /// on a batch, and the number of samples that went through the model.
    ///
    /// # Errors
    /// When the model cannot be run, or [`StrategyError::Diverged`].
    pub fn learn(
        &self,
        start: &ModelState,
        data: TaskDataset<'_>,
        context: &mut Context<'_>,
        mut loss: impl FnMut(&Model, &Batch) -> Option<(Tensor<1>, usize)>,
    ) -> Result<ModelState, StrategyError> {
        let mut model = Model::load(start, &context.compute().clone().autodiff())?;
        let mut optimiser = Optimiser::new(self.sgd(), self.steps(data.samples.len()));
        self.for_each_batch(data, context, |batch| {
            let (loss, samples) = loss(&model, batch)?;
            optimiser.step(loss, &mut model);
            Some(samples)
        });
        let central = model.state();
        central.weights.check_finite().map_err(StrategyError::Diverged)?;
        Ok(central)
    }
}

#[cfg(all(test, feature = "conformance"))]
mod tests {
    use super::*;
    use crate::conformance::{central, context, expert, samples};
    use crate::cross_entropy;

    #[test]
    fn a_new_head_is_taken_over_or_grown_and_a_known_one_stays() {
        let (previous, expert) = (central(&["a"], 1), expert("b", 2));
        let start = |new_head, previous: &ModelState| {
            let settings = TrainingSettings { new_head, ..Default::default() };
            settings.start(previous, &expert, &context()).unwrap()
        };
        let taken = start(NewHead::Expert, &previous);
        assert_eq!(taken.head_weights(expert.head()), expert.model.head_weights(expert.head()));
        let grown = start(NewHead::Fresh, &previous);
        assert_ne!(grown.head_weights(expert.head()), expert.model.head_weights(expert.head()));
        assert_eq!(grown.backbone_weights(), previous.backbone_weights());

        let known = central(&["a", "b"], 3);
        assert_eq!(start(NewHead::Expert, &known).weights, known.weights);
    }

    #[test]
    fn steps_and_samples_are_counted() {
        let (start, own) = (central(&["a"], 1), samples("a"));
        let settings = TrainingSettings { epochs: 3, batch_size: 4, ..Default::default() };
        let mut context = context();
        let data = TaskDataset { head: &start.heads[0], samples: &own };
        let central = settings.learn(&start, data, &mut context, |model, batch| {
            let logits = model.head("a")?.scores(batch.inputs.clone(), model.latents(batch.inputs.clone()));
            Some((cross_entropy(logits, batch.class_indices.clone()), batch.samples()))
        });
        assert_ne!(central.unwrap().weights, start.weights);
        // Ten samples make three batches.
        assert_eq!((context.effort().steps, context.effort().samples), (9, 30));
    }
}
