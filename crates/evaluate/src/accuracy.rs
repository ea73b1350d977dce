//! Accuracy on one task's test samples.

use alluvium_model::{HeadSpec, Inputs, Model};
use alluvium_stream::{Samples, TaskOutline};
use burn::tensor::{Device, Tensor};

/// One task's test samples for a compute device. If they take at most 256 MiB there, they are uploaded once and used
/// for every model. Otherwise they are uploaded for every model, some at a time.
#[derive(Debug, Clone)]
pub struct TestSet {
    head: HeadSpec,
    inputs: TestInputs,
    labels: Vec<usize>,
}

/// The location of the inputs.
#[derive(Debug, Clone)]
enum TestInputs {
    /// On the compute device.
    Uploaded(Inputs),
    /// In memory or on disk, with the compute device that they are uploaded to.
    Samples(Samples, Device),
}

/// The scores of a model on one task.
#[derive(Debug, Clone)]
pub struct Scores {
    /// The accuracy in `[0, 1]` with a known task: the prediction is the largest score of the task's own head, or of the task's
    /// classes in the classifier across tasks; see [`Model::scores_of_task`].
    pub task_aware: f64,
    /// The accuracy in `[0, 1]` with an unknown task: the prediction is the largest score of all heads, or of the classifier across
    /// tasks; see [`Model::scores_of_any_task`]. It is correct if its class is, in any head.
    pub task_agnostic: f64,
    /// The latents of the test samples, `[samples, latent size]`.
    pub latents: Tensor<2>,
}

/// The number of samples that go through a model at a time.
const BATCH: usize = 500;
/// Test sets of at most this many bytes stay on the compute device.
const MOST_UPLOADED_BYTES: usize = 256 << 20;

impl TestSet {
    /// Prepares a task's test samples for a compute device without autodiff.
    ///
    /// # Panics
    /// When the samples are on disk and cannot be read.
    pub fn new(task: &TaskOutline, compute: &Device) -> Self {
        Self::within(MOST_UPLOADED_BYTES, task, compute)
    }

    fn within(most_bytes: usize, task: &TaskOutline, compute: &Device) -> Self {
        let inputs = if task.test.values().saturating_mul(size_of::<f32>()) <= most_bytes {
            TestInputs::Uploaded(task.test.inputs(compute))
        } else {
            TestInputs::Samples(task.test.clone(), compute.clone())
        };
        TestSet { head: task.head.clone(), inputs, labels: task.test.labels().to_vec() }
    }

    /// Calls `each` with the samples' inputs, some at a time.
    fn for_each_batch(&self, mut each: impl FnMut(Inputs)) {
        match &self.inputs {
            TestInputs::Uploaded(inputs) => inputs.clone().split(BATCH).into_iter().for_each(each),
            TestInputs::Samples(samples, compute) => {
                for start in (0..samples.len()).step_by(BATCH) {
                    each(samples.select(start..samples.len().min(start + BATCH)).inputs(compute));
                }
            }
        }
    }

    /// The fraction of these predictions, one for each sample, that are right.
    fn accuracy(&self, predicted: &[Option<usize>]) -> f64 {
        let right = predicted.iter().zip(&self.labels).filter(|(class, label)| **class == Some(**label)).count();
        right as f64 / self.len().max(1) as f64
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}

/// Evaluates a model, without autodiff, on one task. The task-aware accuracy is 0 if the model does not have the task's
/// head.
///
/// # Panics
/// When the test samples are on disk and can no longer be read.
pub fn evaluate(model: &Model, test: &TestSet) -> Scores {
    let (mut latents, mut aware, mut agnostic) = (vec![], vec![], vec![]);
    test.for_each_batch(|inputs| {
        let batch = model.latents(inputs.clone());
        aware
            .extend(model.scores_of_task(&test.head, inputs.clone(), batch.clone()).into_iter().flat_map(best_classes));
        agnostic.extend(model.scores_of_any_task(inputs, batch.clone()).into_iter().flat_map(best_classes));
        latents.push(batch);
    });
    let (task_aware, task_agnostic) = (test.accuracy(&aware), test.accuracy(&agnostic));
    Scores { task_aware, task_agnostic, latents: Tensor::cat(latents, 0) }
}

/// The accuracy in `[0, 1]` of a model, without autodiff, on samples whose task is unknown; see [`Scores::task_agnostic`].
///
/// # Panics
/// As [`evaluate`].
pub fn accuracy_of_any_task(model: &Model, test: &TestSet) -> f64 {
    let mut found = vec![];
    test.for_each_batch(|inputs| {
        let latents = model.latents(inputs.clone());
        found.extend(model.scores_of_any_task(inputs, latents).into_iter().flat_map(best_classes));
    });
    test.accuracy(&found)
}

/// The class of each row's largest score.
fn best_classes((scores, classes): (Tensor<2>, Vec<usize>)) -> Vec<Option<usize>> {
    best_scores(scores).into_iter().map(|best| classes.get(best).copied()).collect()
}

/// The index of each row's largest value. Ties go to the first one; a row of NaN has no valid index.
fn best_scores(scores: Tensor<2>) -> Vec<usize> {
    let count = scores.dims()[1];
    let values = scores.into_data().convert::<f32>().try_into_vec::<f32>().unwrap_or_default();
    let best = |row: &[f32]| {
        let mut best = usize::MAX;
        for (index, value) in row.iter().enumerate() {
            if row.get(best).is_none_or(|most| value > most) && !value.is_nan() {
                best = index;
            }
        }
        best
    };
    values.chunks(count.max(1)).map(best).collect()
}

#[cfg(test)]
mod tests {
    use alluvium_stream::Task;

    use std::sync::Arc;

    use alluvium_backbone_mlp::MlpConfig;
    use alluvium_model::{ModelState, Seed, Values, Weights};
    use alluvium_stream::Samples;

    use super::*;

    fn tensors(tensors: [(&str, Vec<usize>, Vec<f32>); 2]) -> Weights {
        tensors.into_iter().map(|(name, shape, values)| (name.to_owned(), Values::new(shape, values))).collect()
    }

    /// A model whose latent is the (rectified) input of two pixels, with two heads of two classes each.
    fn model() -> Model {
        let compute = Device::flex();
        let backbone = Arc::new(MlpConfig { layers: vec![2] });
        let initial = ModelState::initial(backbone, [1, 1, 2].into(), Seed::new(0), &compute).unwrap();
        let identity = tensors([
            ("layers.0.weight", vec![2, 2], vec![1.0, 0.0, 0.0, 1.0]),
            ("layers.0.bias", vec![2], vec![0.0; 2]),
        ]);
        let mut state = initial.with_backbone_weights(identity);
        for (name, classes, scale) in [("a", [10, 11], 1.0), ("b", [12, 13], 2.0)] {
            let head = HeadSpec { name: name.to_owned(), classes: classes.to_vec() };
            let weights =
                tensors([("weight", vec![2, 2], vec![scale, 0.0, 0.0, scale]), ("bias", vec![2], vec![0.0; 2])]);
            state.set_head(head, weights);
        }
        Model::load(&state, &compute).unwrap()
    }

    fn task(head: &str, classes: [usize; 2], labels: [usize; 2]) -> TestSet {
        TestSet::new(&named(head, classes, labels).into(), &Device::flex())
    }

    fn named(head: &str, classes: [usize; 2], labels: [usize; 2]) -> Task {
        let mut test = Samples::new([1, 1, 2].into());
        test.push(&[255, 0], labels[0]); // the first class of either head is predicted
        test.push(&[0, 255], labels[1]); // the second one
        let head = HeadSpec { name: head.to_owned(), classes: classes.to_vec() };
        Task { index: 0, name: String::new(), head, train: test.clone(), test }
    }

    #[test]
    fn samples_that_are_uploaded_each_time_score_as_those_that_stay() {
        let mut task = named("b", [12, 13], [12, 12]);
        // More than go through the model at a time; every third sample is of the first class.
        (2..1201).for_each(|number| task.test.push(&[[0, 255], [255, 0]][usize::from(number % 3 == 0)], 12));
        // 1201 samples of two values of four bytes.
        let [stays, comes] = [9608, 9607].map(|most| TestSet::within(most, &task.clone().into(), &Device::flex()));
        assert!(matches!((&stays.inputs, &comes.inputs), (TestInputs::Uploaded(_), TestInputs::Samples(..))));
        let [stays, comes] = [stays, comes].map(|test| evaluate(&model(), &test));
        // The numbers 3, 6, …, 1200 are 400, and the first sample is right.
        assert_eq!((comes.task_aware, comes.task_aware), (401.0 / 1201.0, stays.task_aware));
        assert_eq!(comes.latents.dims(), [1201, 2]);
        stays.latents.into_data().assert_eq(&comes.latents.into_data(), true);
    }

    #[test]
    fn the_own_head_predicts_when_the_task_is_known_and_the_strongest_otherwise() {
        let scores = evaluate(&model(), &task("a", [10, 11], [10, 11]));
        // The logits of head b are twice as large, and its classes are different. So every task-agnostic prediction is
        // wrong.
        assert_eq!((scores.task_aware, scores.task_agnostic), (1.0, 0.0));
        let scores = evaluate(&model(), &task("b", [12, 13], [12, 12]));
        assert_eq!((scores.task_aware, scores.task_agnostic), (0.5, 0.5));
        assert_eq!(scores.latents.dims(), [2, 2]);
    }

    #[test]
    fn samples_without_a_task_are_judged_over_all_heads() {
        let head = HeadSpec { name: String::new(), classes: vec![] };
        let outline = TaskOutline { head, ..named("a", [10, 11], [12, 11]).into() };
        let test = TestSet::new(&outline, &Device::flex());
        // As above: head b wins, so the first sample is right, and the second one would be 13.
        assert_eq!(accuracy_of_any_task(&model(), &test), 0.5);
    }

    #[test]
    fn a_task_without_a_head_scores_zero() {
        assert_eq!(evaluate(&model(), &task("c", [14, 15], [14, 15])).task_aware, 0.0);
    }

    #[test]
    fn ties_go_to_the_first_logit_and_nan_to_none() {
        let logits = Tensor::from_floats([[1.0, 1.0], [f32::NAN, f32::NAN], [f32::NAN, 0.0]], &Device::flex());
        assert_eq!(best_scores(logits), [0, usize::MAX, 1]);
    }
}
