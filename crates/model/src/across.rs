//! A classifier across tasks: it scores the classes of all tasks at once, for samples whose task is unknown.

use std::fmt::Debug;
use std::sync::Arc;

use burn::tensor::{Int, Tensor, activation::log_softmax};
use serde::{Deserialize, Serialize};

use crate::{BoxedClassifier, ClassifierConfig, Inputs};

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

/// Scores, `[batch, scores]`, and the class of each.
pub(crate) type ClassScores = (Tensor<2>, Vec<usize>);

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
    pub(crate) fn of_task(&self, classes: &[usize], inputs: Inputs, latents: Tensor<2>) -> Option<ClassScores> {
        let (columns, classes) = self.columns(classes)?;
        let columns = Tensor::<1, Int>::from_ints(columns.as_slice(), &latents.device());
        Some((self.scores(inputs, latents).select(1, columns), classes))
    }

    /// The scores of all classes, and the class of each. `of_heads` are the classes and the scores of each head, where they matter.
    pub(crate) fn of_all(
        &self,
        inputs: Inputs,
        latents: Tensor<2>,
        of_heads: impl FnOnce() -> Vec<ClassScores>,
    ) -> Option<ClassScores> {
        let scores = self.scores(inputs, latents);
        match self.spec.answers {
            Answers::WhichTask => self.of_the_task_it_finds(scores, of_heads()),
            Answers::UnknownTask | Answers::Always => Some((scores, self.spec.classes.clone())),
        }
    }

    /// The logarithms of the probabilities of the heads' classes. Those of all tasks but the one that this classifier finds are
    /// far below.
    fn of_the_task_it_finds(&self, scores: Tensor<2>, of_heads: Vec<ClassScores>) -> Option<ClassScores> {
        let known =
            of_heads.into_iter().filter_map(|(scores, classes)| Some((self.columns(&classes)?.0, scores, classes)));
        let known: Vec<_> = known.collect();
        if known.is_empty() {
            return None;
        }
        let device = scores.device();
        let best_of =
            |columns: &[i64]| scores.clone().select(1, Tensor::<1, Int>::from_ints(columns, &device)).max_dim(1);
        let found = Tensor::cat(known.iter().map(|(columns, ..)| best_of(columns)).collect(), 1).argmax(1);
        let of_heads = known.iter().enumerate().map(|(index, (_, scores, _))| {
            let others = found.clone().not_equal_elem(index as i64).float() * NEVER;
            log_softmax(scores.clone(), 1) + others
        });
        let of_heads = Tensor::cat(of_heads.collect(), 1);
        Some((of_heads, known.into_iter().flat_map(|(_, _, classes)| classes).collect()))
    }
}

#[cfg(test)]
mod tests {
    use burn::module::{Module, Param};
    use burn::tensor::{Device, TensorData};

    use super::*;
    use crate::{HeadShape, HeadSpec, InputShape, Model, ModelError, ModelState, Random, Seed, Values, Weights};

    /// The scores are a weight times the latent, of four classes.
    #[derive(Debug, Serialize, Deserialize)]
    struct FixedConfig {}

    #[typetag::serde(name = "across-test-fixed")]
    impl ClassifierConfig for FixedConfig {
        fn initial(&self, head: HeadShape, _random: &mut Random) -> Weights {
            let size = head.latent_size * head.classes;
            let values = Values::new(vec![head.latent_size, head.classes], vec![0.0; size]);
            [("weight".to_owned(), values)].into_iter().collect()
        }

        fn build(&self, head: HeadShape, compute: &Device) -> Result<BoxedClassifier, ModelError> {
            Ok(Box::new(Fixed { weight: Param::from_tensor(Tensor::zeros([head.latent_size, head.classes], compute)) }))
        }
    }

    #[derive(Module, Debug)]
    struct Fixed {
        weight: Param<Tensor<2>>,
    }

    impl crate::Classifier for Fixed {
        fn scores(&self, _inputs: Inputs, latents: Tensor<2>) -> Tensor<2> {
            latents.matmul(self.weight.val())
        }
    }

    /// The latent is the input, of two values.
    #[derive(Debug, Serialize, Deserialize)]
    struct SameConfig {}

    #[typetag::serde(name = "across-test-same")]
    impl crate::BackboneConfig for SameConfig {
        fn accepts(&self, _input: InputShape) -> Result<(), ModelError> {
            Ok(())
        }

        fn build(&self, _input: InputShape, compute: &Device) -> Result<crate::BoxedBackbone, ModelError> {
            Ok(Box::new(Same { unused: Param::from_tensor(Tensor::zeros([1, 1], compute)) }))
        }
    }

    #[derive(Module, Debug)]
    struct Same {
        unused: Param<Tensor<2>>,
    }

    impl crate::Backbone for Same {
        fn forward(&self, inputs: Inputs) -> Tensor<2> {
            inputs.vectors()
        }

        fn latent_size(&self) -> usize {
            2
        }
    }

    /// Two tasks with two classes each: "a" has 10 and 11, "b" 12 and 13. The classifier across tasks knows 13, 10, 12, 11.
    fn model(answers: Answers) -> ModelState {
        let mut state =
            ModelState::initial(Arc::new(SameConfig {}), [2].into(), Seed::new(0), &Device::flex()).unwrap();
        for (name, classes, weight) in [("a", [10, 11], [1.0, 0.0, 0.0, 1.0]), ("b", [12, 13], [0.0, 1.0, 1.0, 0.0])] {
            let weights = [("weight", vec![2, 2], weight.to_vec()), ("bias", vec![2], vec![0.0; 2])];
            let weights = weights.map(|(name, shape, values)| (name.to_owned(), Values::new(shape, values)));
            state
                .set_head(HeadSpec { name: name.to_owned(), classes: classes.to_vec() }, weights.into_iter().collect());
        }
        let across = AcrossTasks { classifier: Arc::new(FixedConfig {}), classes: vec![13, 10, 12, 11], answers };
        let weight = Values::new(vec![2, 4], vec![0.0, 1.0, 3.0, 0.0, 5.0, 0.0, 0.0, 2.0]);
        state.with_across(across, [("weight".to_owned(), weight)].into_iter().collect())
    }

    /// The predicted classes of the samples (1, 0) and (0, 1): of the task "a", and of any task.
    fn predicted(state: &ModelState) -> [Vec<usize>; 2] {
        let compute = Device::flex();
        let back = ModelState::from_bytes(&state.to_bytes().unwrap()).unwrap();
        let model = Model::load(&back, &compute).unwrap();
        let tensor = Tensor::<2>::from_data(TensorData::new(vec![1.0_f32, 0.0, 0.0, 1.0], [2, 2]), &compute);
        let inputs = Inputs::new(tensor.clone(), [2].into());
        let best = |(scores, classes): (Tensor<2>, Vec<usize>)| -> Vec<usize> {
            let places: Vec<i64> = scores.argmax(1).into_data().convert::<i64>().try_into_vec().unwrap();
            places.into_iter().map(|place| classes[place as usize]).collect()
        };
        let of_task = model.scores_of_task(&state.heads[0], inputs.clone(), tensor.clone()).unwrap();
        [best(of_task), best(model.scores_of_any_task(inputs, tensor).unwrap())]
    }

    #[test]
    fn each_answer_comes_from_the_classifier_that_should_give_it() {
        // Scores across tasks of (1, 0): 13 → 0, 10 → 1, 12 → 3, 11 → 0; of (0, 1): 13 → 5, 11 → 2. The head "a" says 10 and 11, "b"
        // says 13 and 12.
        assert_eq!(predicted(&model(Answers::UnknownTask)), [vec![10, 11], vec![12, 13]]);
        assert_eq!(predicted(&model(Answers::Always)), [vec![10, 11], vec![12, 13]]);
        // Both samples are of the task "b", whose head turns the two classes round.
        assert_eq!(predicted(&model(Answers::WhichTask)), [vec![10, 11], vec![13, 12]]);
        // Without it, the heads compete: 10 and 13 are equal for (1, 0), and the first one is taken.
        let heads = model(Answers::Always).without_across();
        assert!(heads.across.is_none() && heads.weights.get("across.weight").is_none());
        assert_eq!(predicted(&heads), [vec![10, 11], vec![10, 11]]);
    }

    #[test]
    fn devices_and_other_backbones_do_not_have_it() {
        let model = model(Answers::Always);
        assert!(model.with_heads(|_| true).across.is_none());
        let other = model.with_backbone_weights(model.backbone_weights());
        assert!(other.across.is_none() && other.across_weights().is_empty());
    }
}
