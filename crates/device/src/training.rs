//! Supervised training: gradient steps on the cross-entropy of one or several tasks' own heads.

use alluvium_model::{Model, Optimiser, Progress, Seed};
use alluvium_stream::{Batches, Lesson};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::Device as Compute;

use crate::DeviceSettings;
use crate::proximal::Proximal;

/// Trains a model on lessons, each through its own head; returns how many steps were taken.
///
/// A device has one lesson. Joint training, the upper bound, has one for each task of the stream: every batch comes
/// from one lesson, and lessons take turns in random order.
///
/// The model must be on an autodiff `compute`. Samples are shuffled by the seed before every epoch, and augmented as the settings
/// say. Batches that are augmented or take more room than 256 MiB are made beside the computation: [`Batches`] says how far
/// ahead.
///
/// [`DeviceSettings::proximal`] is about what a device took from the centre, and has no meaning here.
pub fn train(
    model: &mut Model,
    lessons: &[Lesson<'_>],
    settings: &DeviceSettings,
    compute: &Compute,
    seed: Seed,
    progress: &dyn Progress,
) -> usize {
    train_near(None, model, lessons, settings, compute, seed, progress)
}

/// Trains as [`train`], near the weights that the term says, if there is one.
pub(crate) fn train_near(
    mut proximal: Option<Proximal>,
    model: &mut Model,
    lessons: &[Lesson<'_>],
    settings: &DeviceSettings,
    compute: &Compute,
    seed: Seed,
    progress: &dyn Progress,
) -> usize {
    let (augmentation, order) = (settings.augmentation, seed.of("shuffle").random());
    let augmented = seed.of("augmentation");
    let mut batches = Batches::augmented(augmentation, augmented, lessons, settings.batch_size, order, compute);
    let steps = settings.steps(batches.per_epoch() * settings.batch_size);
    let cross_entropy = CrossEntropyLossConfig::new().init(compute);
    let mut optimiser = Optimiser::new(settings.sgd(), steps);
    for step in 0..steps {
        let Some(batch) = batches.next() else { break };
        let latents = model.latents(batch.inputs);
        let head = lessons[batch.lesson].head.name.as_str();
        let logits = model.head(head).map(|head| head.linear.forward(latents));
        let Some(logits) = logits else { continue };
        let loss = cross_entropy.forward(logits, batch.units);
        let rate = optimiser.rate();
        optimiser.step(loss, model);
        if let Some(proximal) = &mut proximal {
            proximal.pull(rate, model);
        }
        progress.step(step + 1, steps);
    }
    steps
}
