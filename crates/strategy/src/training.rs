//! Training on a task's own samples: the options and the loop that several strategies share.

use alluvium_device::ClassificationLoss;
use alluvium_model::{Expert, Head, Learning, Model, ModelState, state_defaults};
use alluvium_stream::{Batch, Batches, TaskDataset};
use burn::tensor::Tensor;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Deserializer, Serialize};

use crate::{Context, RunDescription, StrategyError, take_head};

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
#[schemars(transform = defaults)]
pub struct TrainingSettings {
    /// The number of passes over the current task's training samples.
    #[schemars(range(min = 1, max = 100_000))]
    pub epochs: usize,
    /// Samples of the current task per gradient step.
    #[schemars(range(min = 1, max = 65_536))]
    pub batch_size: usize,
    /// How the central model learns.
    #[serde(flatten, deserialize_with = "learning")]
    pub learning: Learning,
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
            learning: Learning { gradient_clip: 5.0, ..Learning::default() },
            new_head: NewHead::Expert,
            loss: ClassificationLoss::OwnHead,
        }
    }
}

fn learning<'de, D: Deserializer<'de>>(table: D) -> Result<Learning, D::Error> {
    TrainingSettings::default().learning.given(table)
}

fn defaults(schema: &mut Schema) {
    state_defaults(schema, &TrainingSettings::default().learning);
}

/// What the loss of one step is computed from.
#[derive(Debug)]
pub struct Lesson<'a> {
    /// The central model as it is before the step.
    pub model: &'a Model,
    /// Samples of the current task.
    pub batch: &'a Batch,
    /// The latents of the samples, `[batch, latent size]`.
    pub latents: Tensor<2>,
}

impl Lesson<'_> {
    /// A head's scores of the samples, `[batch, classes]`.
    pub fn scores(&self, head: &Head) -> Tensor<2> {
        head.scores(self.batch.inputs.clone(), self.latents.clone())
    }
}

impl TrainingSettings {
    /// Checks the options against a run.
    ///
    /// # Errors
    /// [`StrategyError::Option`], which names the option.
    pub fn validate(&self, run: &RunDescription) -> Result<(), StrategyError> {
        run.learns(&self.learning)
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

    /// The central model after it learned the current task's samples. `also` gives what is added to the cross-entropy of a step,
    /// `[1]`; with `None`, nothing. The first expert becomes the central model unchanged.
    ///
    /// # Errors
    /// [`StrategyError::NotGranted`] without the samples; [`StrategyError::Diverged`]; or when the model cannot be run.
    pub fn learn(
        &self,
        previous: &ModelState,
        expert: &Expert,
        context: &mut Context<'_>,
        mut also: impl FnMut(&Lesson<'_>) -> Option<Tensor<1>>,
    ) -> Result<ModelState, StrategyError> {
        let data = context.current_task()?;
        if previous.heads.is_empty() {
            return Ok(expert.model.clone());
        }
        let start = self.start(previous, expert, context)?;
        self.learn_from(&start, data, context, |model, batch| {
            let lesson = Lesson { model, batch, latents: model.latents(batch.inputs.clone()) };
            let sample = (batch.inputs.clone(), lesson.latents.clone());
            let loss = self.loss.of(model, &data.head.name, sample, batch.class_indices.clone())?;
            let loss = match also(&lesson) {
                Some(more) => loss + more,
                None => loss,
            };
            Some((loss, batch.samples()))
        })
    }

    /// Trains a task's samples from `start` on, and returns the new central model. `loss` computes the loss, `[1]`, of a model
    /// on a batch, and the number of samples that went through the model; with `None`, no step is taken.
    ///
    /// # Errors
    /// When the model cannot be run, or [`StrategyError::Diverged`].
    pub fn learn_from(
        &self,
        start: &ModelState,
        data: TaskDataset<'_>,
        context: &mut Context<'_>,
        mut loss: impl FnMut(&Model, &Batch) -> Option<(Tensor<1>, usize)>,
    ) -> Result<ModelState, StrategyError> {
        let learning = context.compute().clone().autodiff();
        let mut model = Model::load(start, &learning)?;
        let (steps, datasets) = (self.steps(data.samples.len()), [data]);
        let random = context.seed().of("batches").random();
        let mut batches = Batches::new(&datasets, self.batch_size, random, &learning);
        self.learning.descend(&mut model, steps, |step, model| {
            let found = batches.next().and_then(|batch| loss(model, &batch));
            Ok::<_, StrategyError>(found.map(|(loss, samples)| {
                context.step_taken(samples, step + 1, steps);
                loss
            }))
        })?;
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
        let central = settings.learn_from(&start, data, &mut context, |model, batch| {
            let logits = model.head("a")?.scores(batch.inputs.clone(), model.latents(batch.inputs.clone()));
            Some((cross_entropy(logits, batch.class_indices.clone()), batch.samples()))
        });
        assert_ne!(central.unwrap().weights, start.weights);
        // Ten samples make three batches.
        assert_eq!((context.effort().steps, context.effort().samples), (9, 30));
    }
}
