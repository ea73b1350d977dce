//! The central model before the first device: weights drawn from the seed, or those of a file.

use alluvium_config::{Experiment, Initial};
use alluvium_interchange::InterchangeError;
use alluvium_model::{HeadSpec, ModelState, Seed, Values, Weights};
use alluvium_stream::TaskStream;
use burn::tensor::Device as Compute;

use crate::ExperimentError;
use crate::devices::TaskNote;

/// The central model before the first device.
pub(crate) fn first_model(
    experiment: &Experiment,
    stream: &dyn TaskStream,
    tasks: &[TaskNote],
    seed: Seed,
    compute: &Compute,
) -> Result<ModelState, ExperimentError> {
    let backbone = experiment.backbone.clone();
    match &experiment.initial {
        None => {
            let model = ModelState::initial(backbone, stream.input(), seed, compute)?;
            Ok(model.with_classifier(experiment.classifier.clone()))
        }
        Some(initial) => {
            let model = of_file(initial, experiment, stream, compute).map_err(Box::new)?;
            // Only the default classifier has heads by now: others are refused with a classifier to keep.
            let classifier = experiment.classifier.clone();
            Ok(with_heads_of(tasks, &model).with_classifier(classifier))
        }
    }
}

/// The model of the file. Its digest is checked again, because the file may have changed since the configuration was read.
fn of_file(
    initial: &Initial,
    experiment: &Experiment,
    stream: &dyn TaskStream,
    compute: &Compute,
) -> Result<ModelState, InterchangeError> {
    let classes = stream.class_names();
    initial.open(&experiment.backbone, stream.input(), classes, compute)?.file.model(classes)
}

/// The model with a task's head in place of each head that has the same classes. Other heads are named `initial-1`, `initial-2`
/// and so on, so that no device takes them for its own.
fn with_heads_of(tasks: &[TaskNote], model: &ModelState) -> ModelState {
    let mut renamed = model.with_heads(|_| false);
    for (index, head) in model.heads.iter().enumerate() {
        let weights = model.head_weights(head);
        let same = |task: &&TaskNote| {
            task.head.classes.len() == head.classes.len()
                && task.head.classes.iter().all(|class| head.classes.contains(class))
        };
        match tasks.iter().find(same) {
            Some(task) => renamed.set_head(task.head.clone(), in_order(&weights, &head.classes, &task.head.classes)),
            None => {
                let free = |name: &String| tasks.iter().all(|task| task.head.name != *name);
                let names = (index + 1..).map(|number| format!("initial-{number}"));
                // There are more names than tasks, so one is free.
                let name = names.into_iter().find(free).unwrap_or_default();
                renamed.set_head(HeadSpec { name, classes: head.classes.clone() }, weights);
            }
        }
    }
    renamed
}

/// A head's weights with their columns, which belong to `from`, in the order of `to`.
fn in_order(weights: &Weights, from: &[usize], to: &[usize]) -> Weights {
    let columns: Vec<_> = to.iter().filter_map(|class| from.iter().position(|own| own == class)).collect();
    let ordered = weights.iter().map(|(name, tensor)| {
        let rows = tensor.len() / from.len().max(1);
        let indices = (0..rows).flat_map(|row| columns.iter().map(move |column| row * from.len() + column));
        (name.to_owned(), Values::of(tensor.shape.clone(), tensor.numbers.at(indices)))
    });
    ordered.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_follow_their_classes() {
        // Two latents and three classes 7, 4 and 9.
        let weights: Weights = [
            ("weight".to_owned(), Values::new(vec![2, 3], vec![7.0, 4.0, 9.0, 0.7, 0.4, 0.9])),
            ("bias".to_owned(), Values::new(vec![3], vec![70.0, 40.0, 90.0])),
        ]
        .into_iter()
        .collect();
        let ordered = in_order(&weights, &[7, 4, 9], &[4, 7, 9]);
        assert_eq!(ordered.get("weight").unwrap().as_f32().unwrap(), [4.0, 7.0, 9.0, 0.4, 0.7, 0.9]);
        assert_eq!(ordered.get("bias").unwrap().as_f32().unwrap(), [40.0, 70.0, 90.0]);
    }
}
