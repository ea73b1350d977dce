//! Supervised training: gradient steps on the samples of one or several tasks.

use std::collections::BTreeSet;

use alluvium_model::{Inputs, Model, ModelError, Progress, Seed};
use alluvium_stream::{Batches, TaskDataset};
use burn::tensor::{Device as Compute, Int, Tensor};

use crate::{ClassificationLoss, DeviceSettings, cross_entropy};

/// Trains a model on datasets and returns the number of steps taken. A dataset takes no steps if the model does not
/// have its head.
///
/// A device has one dataset, and trains only its head. Joint training has one dataset for each task of the stream.
/// Every batch comes from one dataset, the order of the datasets is random, and `loss` says which heads compete.
///
/// The model must be on an autodiff `compute`. Samples are shuffled by the seed before every epoch, and augmented as
/// the settings say. Batches that are augmented or take more than 256 MiB are prefetched; see [`Batches`].
///
/// # Errors
/// When an average of the weights cannot be loaded.
pub fn train(
    loss: ClassificationLoss,
    model: &mut Model,
    datasets: &[TaskDataset<'_>],
    settings: &DeviceSettings,
    compute: &Compute,
    seed: Seed,
    progress: &dyn Progress,
) -> Result<usize, ModelError> {
    descend(Objective { loss, absent: None, terms: &[] }, model, datasets, settings, compute, seed, progress)
}

/// A term of a loss, `[1]`, on the parameters of a model; `None` for nothing.
pub type Term = Box<dyn Fn(&Model) -> Option<Tensor<1>>>;

/// The objective of training.
pub(crate) struct Objective<'a> {
    pub(crate) loss: ClassificationLoss,
    /// For each class of the one head, 0 if the device has samples of it, and otherwise a number that takes it out of the
    /// softmax of the head's own loss. `None`: all classes compete.
    pub(crate) absent: Option<Vec<f32>>,
    /// Terms on the parameters, added to the loss.
    pub(crate) terms: &'a [Term],
}

/// What is added to the score of a class that takes no part.
const OUT: f32 = -1e4;

/// What takes the classes out of the loss of which a dataset has no samples; see [`Objective::absent`].
pub(crate) fn without_absent(own: TaskDataset<'_>) -> Vec<f32> {
    let present: BTreeSet<_> = own.class_indices().into_iter().collect();
    (0..own.head.classes.len()).map(|class| if present.contains(&(class as i32)) { 0.0 } else { OUT }).collect()
}

impl Objective<'_> {
    /// The mean loss of a batch, `[1]`; see [`ClassificationLoss::of`].
    fn of_batch(
        &self,
        model: &Model,
        head: &str,
        (inputs, latents): (Inputs, Tensor<2>),
        targets: Tensor<1, Int>,
    ) -> Option<Tensor<1>> {
        let Some(absent) = &self.absent else { return self.loss.of(model, head, (inputs, latents), targets) };
        let scores = model.head(head)?.scores(inputs, latents);
        let added = Tensor::<1>::from_floats(absent.as_slice(), &scores.device()).unsqueeze();
        Some(cross_entropy(scores + added, targets))
    }

    /// The loss with its terms, `[1]`.
    fn with_terms(&self, loss: Tensor<1>, model: &Model) -> Tensor<1> {
        self.terms.iter().filter_map(|term| term(model)).fold(loss, |sum, term| sum + term)
    }
}

/// Trains as [`train`] does, on any objective.
pub(crate) fn descend(
    objective: Objective<'_>,
    model: &mut Model,
    datasets: &[TaskDataset<'_>],
    settings: &DeviceSettings,
    compute: &Compute,
    seed: Seed,
    progress: &dyn Progress,
) -> Result<usize, ModelError> {
    let (augmentation, order) = (settings.augmentation, seed.of("shuffle").random());
    let augmented = seed.of("augmentation");
    let mut batches = Batches::augmented(augmentation, augmented, datasets, settings.batch_size, order, compute);
    let steps = settings.steps(batches.per_epoch() * settings.batch_size);
    let mut taken = 0;
    settings.learning.descend(model, steps, |_, model| {
        let Some(batch) = batches.next() else { return Ok(None) };
        let latents = model.latents(batch.inputs.clone());
        let head = datasets[batch.dataset].head.name.as_str();
        let loss = objective.of_batch(model, head, (batch.inputs, latents), batch.class_indices);
        Ok(loss.map(|loss| {
            taken += 1;
            progress.step(taken, steps);
            objective.with_terms(loss, model)
        }))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use alluvium_backbone_mlp::MlpConfig;
    use alluvium_model::{HeadSpec, ModelState, Silent};
    use alluvium_stream::Samples;

    use super::*;

    #[test]
    fn classes_without_samples_keep_their_weights() {
        let compute = Compute::flex().autodiff();
        let head = HeadSpec { name: "shared".to_owned(), classes: vec![4, 7, 9] };
        let backbone = Arc::new(MlpConfig { layers: vec![3] });
        let mut state = ModelState::initial(backbone, [1, 1, 2].into(), Seed::new(1), &compute).unwrap();
        state.grow_head(&head, 3, Seed::new(1));
        let mut samples = Samples::new([1, 1, 2].into());
        (0..10).for_each(|shade| samples.push(&[20 * shade, 200], [4, 9][usize::from(shade % 2)]));
        let own = TaskDataset { head: &head, samples: &samples };
        assert_eq!(without_absent(own), [0.0, OUT, 0.0]);
        let bias = |state: &ModelState| state.head_weights(&head).get("bias").unwrap().single("bias").unwrap().to_vec();
        let before = bias(&state);
        let after = |absent| {
            let mut model = Model::load(&state, &compute).unwrap();
            let objective = Objective { loss: ClassificationLoss::OwnHead, absent, terms: &[] };
            let settings = DeviceSettings::default();
            descend(objective, &mut model, &[own], &settings, &compute, Seed::new(2), &Silent).unwrap();
            bias(&model.state())
        };
        let (ignored, competed) = (after(Some(without_absent(own))), after(None));
        assert_eq!(ignored[1], before[1]);
        assert!(competed[1] < before[1], "{competed:?}");
        assert!(ignored[0] != before[0] && ignored[2] != before[2]);
    }

    #[test]
    fn only_steps_that_were_taken_are_counted() {
        let compute = Compute::flex().autodiff();
        let [known, unknown] = ["known", "unknown"].map(|name| HeadSpec { name: name.to_owned(), classes: vec![4, 7] });
        let backbone = Arc::new(MlpConfig { layers: vec![3] });
        let mut state = ModelState::initial(backbone, [1, 1, 2].into(), Seed::new(1), &compute).unwrap();
        state.grow_head(&known, 3, Seed::new(1));
        let mut samples = Samples::new([1, 1, 2].into());
        (0..10).for_each(|shade| samples.push(&[shade, 9 - shade], [4, 7][usize::from(shade % 2)]));
        let settings = DeviceSettings { epochs: 2, batch_size: 4, ..Default::default() };
        let loss = ClassificationLoss::OwnHead;
        let steps = |heads: &[&HeadSpec]| {
            let mut model = Model::load(&state, &compute).unwrap();
            let datasets: Vec<_> = heads.iter().map(|head| TaskDataset { head, samples: &samples }).collect();
            train(loss, &mut model, &datasets, &settings, &compute, Seed::new(2), &Silent).unwrap()
        };
        // Ten samples are three batches an epoch.
        assert_eq!(steps(&[&known]), 6);
        assert_eq!(steps(&[&known, &unknown]), 6, "of twelve batches, six have no head");
        assert_eq!(steps(&[]), 0);
    }
}
