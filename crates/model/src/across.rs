//! A classifier across tasks: it scores the classes of all tasks at once, for samples whose task is unknown.

use std::fmt::Debug;
use std::sync::Arc;

use burn::tensor::{Int, Tensor, activation::log_softmax};
use serde::{Deserialize, Serialize};

use crate::{BoxedClassifier, ClassifierConfig, Head, Inputs};

/// The prefix of the tensors of the classifier across tasks in a model's weights.
pub const ACROSS: &str = "across";

/// When the classifier across tasks answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answers {
    /// For a sample of an unknown task. Where the task is known, its head answers.
    UnknownTask,
    /// Always. Where the task is known, the largest of its scores among the task's classes is the answer.
    Always,
    /// For a sample of an unknown task, it says only which task it is: that of its largest score. The head of that task answers.
    WhichTask,
}

/// A classifier across tasks: one classifier of the classes of all tasks so far, beside the heads.
///
/// It is made of what devices sent beside their models, such as sums over their samples, and does not learn by gradients. Devices
/// do not take it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AcrossTasks {
    /// The classifier.
    pub classifier: Arc<dyn ClassifierConfig>,
    /// The class in the stream of each score; each class once.
    pub classes: Vec<usize>,
    /// When it answers.
    pub answers: Answers,
}

/// A classifier across tasks on a compute device.
#[derive(Debug)]
pub(crate) struct LoadedAcross {
    pub(crate) spec: AcrossTasks,
    pub(crate) classifier: BoxedClassifier,
}

/// Far below every logarithm of a probability: a class with it is not the answer.
const NEVER: f32 = -1e6;

impl LoadedAcross {
    fn scores(&self, inputs: Inputs, latents: Tensor<2>) -> Tensor<2> {
        self.classifier.scores(inputs, latents)
    }

    /// The columns of the scores that belong to `classes`, in their order. `None` if no class is known.
    fn columns(&self, classes: &[usize]) -> Option<(Vec<i64>, Vec<usize>)> {
        let place = |class: &usize| Some((self.spec.classes.iter().position(|own| own == class)? as i64, *class));
        let found: (Vec<_>, Vec<_>) = classes.iter().filter_map(place).unzip();
        (!found.0.is_empty()).then_some(found)
    }

    /// The scores of a task's classes, and these classes. `None` if no class of the task is known.
    pub(crate) fn of_task(
        &self,
        classes: &[usize],
        inputs: Inputs,
        latents: Tensor<2>,
    ) -> Option<(Tensor<2>, Vec<usize>)> {
        let (columns, classes) = self.columns(classes)?;
        let columns = Tensor::<1, Int>::from_ints(columns.as_slice(), &latents.device());
        Some((self.scores(inputs, latents).select(1, columns), classes))
    }

    /// The scores of all classes, and the class of each.
    pub(crate) fn of_all(
        &self,
        heads: &[Head],
        inputs: Inputs,
        latents: Tensor<2>,
    ) -> Option<(Tensor<2>, Vec<usize>)> {
        match self.spec.answers {
            Answers::WhichTask => self.of_the_task_it_finds(heads, inputs, latents),
            Answers::UnknownTask | Answers::Always => {
                Some((self.scores(inputs, latents), self.spec.classes.clone()))
            }
        }
    }

    /// The logarithms of the probabilities of the heads' classes. Those of all tasks but the one that this classifier finds are
    /// far below.
    fn of_the_task_it_finds(
        &self,
        heads: &[Head],
        inputs: Inputs,
        latents: Tensor<2>,
    ) -> Option<(Tensor<2>, Vec<usize>)> {
        let known: Vec<_> = heads.iter().filter_map(|head| Some((head, self.columns(&head.spec.classes)?.0))).collect();
        if known.is_empty() {
            return None;
        }
        let device = latents.device();
        let scores = self.scores(inputs.clone(), latents.clone());
        let best_of = |columns: &[i64]| {
            scores.clone().select(1, Tensor::<1, Int>::from_ints(columns, &device)).max_dim(1)
        };
        let of_tasks = Tensor::cat(known.iter().map(|(_, columns)| best_of(columns)).collect(), 1);
        let found = of_tasks.argmax(1);
        let of_heads = known.iter().enumerate().map(|(index, (head, _))| {
            let others = found.clone().not_equal_elem(index as i64).float() * NEVER;
            log_softmax(head.scores(inputs.clone(), latents.clone()), 1) + others
        });
        let classes = known.iter().flat_map(|(head, _)| head.spec.classes.iter().copied()).collect();
        Some((Tensor::cat(of_heads.collect(), 1), classes))
    }
}
