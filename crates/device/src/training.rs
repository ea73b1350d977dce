//! Supervised training: gradient steps on the cross-entropy of one or several tasks' own heads.

use alluvium_model::{HeadSpec, Model, Optimiser, Progress, Seed};
use alluvium_stream::Samples;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Device as Compute, Int, Tensor, TensorData};
use rand::seq::SliceRandom;

use crate::DeviceSettings;

/// One task's samples and the head that learns them.
#[derive(Debug, Clone, Copy)]
pub struct Lesson<'a> {
    /// The head; its classes are the only ones that compete.
    pub head: &'a HeadSpec,
    /// The samples.
    pub samples: &'a Samples,
}

/// Trains a model on lessons, each through its own head; returns how many steps were taken.
///
/// A device has one lesson. Joint training, the upper bound, has one for each task of the stream: every batch comes
/// from one lesson, and lessons take turns in random order.
///
/// The model must be on an autodiff `compute`. Samples are shuffled by the seed before every epoch.
pub fn train(
    model: &mut Model,
    lessons: &[Lesson<'_>],
    settings: &DeviceSettings,
    compute: &Compute,
    seed: Seed,
    progress: &dyn Progress,
) -> usize {
    let uploaded: Vec<_> = lessons.iter().map(|lesson| (lesson.samples.inputs(compute), targets(lesson))).collect();
    let each = lessons.iter().map(|lesson| lesson.samples.len().div_ceil(settings.batch_size)).sum::<usize>();
    let samples = each * settings.batch_size;
    let steps = settings.steps(samples);
    let cross_entropy = CrossEntropyLossConfig::new().init(compute);
    let mut optimiser = Optimiser::new(settings.sgd(), steps);
    let mut random = seed.of("shuffle").random();
    let mut batches = vec![];
    for step in 0..steps {
        if batches.is_empty() {
            batches = shuffled_batches(lessons, settings.batch_size, &mut random);
        }
        let Some((lesson, places)) = batches.pop() else { break };
        let (inputs, targets) = &uploaded[lesson];
        let labels: Vec<i32> = places.iter().map(|place| targets[*place]).collect();
        let places: Vec<i32> = places.iter().map(|place| *place as i32).collect();
        let head = lessons[lesson].head.name.as_str();
        let batch = inputs.clone().select(0, integers(places, compute));
        let latents = model.latents(batch);
        let logits = model.head(head).map(|head| head.linear.forward(latents));
        let Some(logits) = logits else { continue };
        let loss = cross_entropy.forward(logits, integers(labels, compute));
        optimiser.step(loss, model);
        progress.step(step + 1, steps);
    }
    steps
}

fn integers(values: Vec<i32>, compute: &Compute) -> Tensor<1, Int> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), compute)
}

/// Each sample's output unit within the lesson's head.
fn targets(lesson: &Lesson<'_>) -> Vec<i32> {
    let unit = |label: &usize| lesson.head.classes.iter().position(|class| class == label).unwrap_or_default() as i32;
    lesson.samples.labels().iter().map(unit).collect()
}

/// One epoch: every sample of every lesson once, in batches of one lesson each, in random order.
fn shuffled_batches(
    lessons: &[Lesson<'_>],
    batch_size: usize,
    random: &mut alluvium_model::Random,
) -> Vec<(usize, Vec<usize>)> {
    let mut batches = vec![];
    for (number, lesson) in lessons.iter().enumerate() {
        let mut places: Vec<_> = (0..lesson.samples.len()).collect();
        places.shuffle(random);
        batches.extend(places.chunks(batch_size).map(|batch| (number, batch.to_vec())));
    }
    batches.shuffle(random);
    batches
}
