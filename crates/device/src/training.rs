//! Supervised training: gradient steps on the samples of one or several tasks.

use alluvium_model::{Model, ModelError, Progress, Seed};
use alluvium_stream::{Batches, TaskDataset};
use burn::tensor::{Device as Compute, Tensor};

use crate::{ClassificationLoss, DeviceSettings};

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
    descend(Objective { loss, terms: &[] }, model, datasets, settings, compute, seed, progress)
}

/// A term of a loss, `[1]`, on the parameters of a model; `None` for nothing.
pub type Term = Box<dyn Fn(&Model) -> Option<Tensor<1>>>;

/// The objective of training.
pub(crate) struct Objective<'a> {
    pub(crate) loss: ClassificationLoss,
    /// Terms on the parameters, added to the loss.
    pub(crate) terms: &'a [Term],
}

impl Objective<'_> {
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
        let loss = objective.loss.of(model, head, (batch.inputs, latents), batch.class_indices);
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
