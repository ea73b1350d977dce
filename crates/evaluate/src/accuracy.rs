//! Accuracy on one task's test samples.

use alluvium_model::{HeadSpec, Model};
use alluvium_stream::Task;
use burn::tensor::{Device, Tensor};

/// One task's test samples on a compute device: uploaded once, used for every model.
#[derive(Debug, Clone)]
pub struct TestSet {
    head: HeadSpec,
    inputs: Tensor<4>,
    labels: Vec<usize>,
}

/// How good a model is on one task.
#[derive(Debug, Clone)]
pub struct Scores {
    /// The accuracy in `[0, 1]` where the task is known: the best unit of the task's own head.
    pub task_aware: f64,
    /// The accuracy in `[0, 1]` where the task is unknown: the best unit of all heads. Right if it is the right class,
    /// in whatever head.
    pub task_agnostic: f64,
    /// The latents of the test samples, `[samples, latent size]`.
    pub latents: Tensor<2>,
}

/// Samples that go through a model at a time.
const BATCH: usize = 500;

impl TestSet {
    /// Brings a task's test samples onto a compute device without autodiff.
    pub fn new(task: &Task, compute: &Device) -> Self {
        TestSet { head: task.head.clone(), inputs: task.test.inputs(compute), labels: task.test.labels().to_vec() }
    }

    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}

/// Judges a model, without autodiff, on one task. A task whose head the model does not have scores 0 task-aware.
pub fn evaluate(model: &Model, test: &TestSet) -> Scores {
    let latents = test.inputs.clone().split(BATCH, 0).into_iter().map(|batch| model.latents(batch)).collect();
    let latents: Tensor<2> = Tensor::cat(latents, 0);
    let accuracy = |logits: Tensor<2>, classes: &[usize]| {
        let best = best_units(logits);
        let right = best.iter().zip(&test.labels).filter(|(unit, label)| classes.get(**unit) == Some(*label)).count();
        right as f64 / test.len().max(1) as f64
    };
    let own = model.head(&test.head.name);
    Scores {
        task_aware: own.map_or(0.0, |head| accuracy(head.linear.forward(latents.clone()), &head.spec.classes)),
        task_agnostic: match model.heads() {
            [] => 0.0,
            _ => accuracy(model.logits(latents.clone()), &model.unit_classes()),
        },
        latents,
    }
}

/// The place of each row's largest value; the first one of equals, and none for a row of NaN.
fn best_units(logits: Tensor<2>) -> Vec<usize> {
    let units = logits.dims()[1];
    let values = logits.into_data().convert::<f32>().try_into_vec::<f32>().unwrap_or_default();
    let best = |row: &[f32]| {
        let mut best = usize::MAX;
        for (unit, value) in row.iter().enumerate() {
            if row.get(best).is_none_or(|most| value > most) && !value.is_nan() {
                best = unit;
            }
        }
        best
    };
    values.chunks(units.max(1)).map(best).collect()
}

#[cfg(test)]
mod tests {
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
        let mut test = Samples::new([1, 1, 2].into());
        test.push(&[255, 0], labels[0]); // the first unit of either head answers
        test.push(&[0, 255], labels[1]); // the second one
        let head = HeadSpec { name: head.to_owned(), classes: classes.to_vec() };
        let task = Task { index: 0, name: String::new(), head, train: test.clone(), test };
        TestSet::new(&task, &Device::flex())
    }

    #[test]
    fn the_own_head_decides_when_the_task_is_known_and_the_strongest_when_not() {
        let scores = evaluate(&model(), &task("a", [10, 11], [10, 11]));
        // Head b answers twice as strongly, with classes of its own: task-agnostic, everything is wrong.
        assert_eq!((scores.task_aware, scores.task_agnostic), (1.0, 0.0));
        let scores = evaluate(&model(), &task("b", [12, 13], [12, 12]));
        assert_eq!((scores.task_aware, scores.task_agnostic), (0.5, 0.5));
        assert_eq!(scores.latents.dims(), [2, 2]);
    }

    #[test]
    fn a_task_without_a_head_scores_nothing() {
        assert_eq!(evaluate(&model(), &task("c", [14, 15], [14, 15])).task_aware, 0.0);
    }

    #[test]
    fn ties_go_to_the_first_unit_and_nan_to_none() {
        let logits = Tensor::from_floats([[1.0, 1.0], [f32::NAN, f32::NAN], [f32::NAN, 0.0]], &Device::flex());
        assert_eq!(best_units(logits), [0, usize::MAX, 1]);
    }
}
