//! Samples of the devices and of the surrogate data, for the report.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use alluvium_config::{Experiment, Protocol};
use alluvium_model::PictureShape;
use alluvium_results::{SampleSheet, SampleSound};
use alluvium_strategy::{RunDescription, SurrogateConfig, SurrogateRequest};
use alluvium_stream::{Samples, SoundClip, ValueType};

use crate::devices::SharedSetup;
use crate::stored::{AdaptedDevice, Stages};

/// The most devices, sources of surrogate data, and samples of each that are shown.
const DEVICES: usize = 12;
const SURROGATES: usize = 16;
const SAMPLES: usize = 16;

/// Sheets of samples under the first seed, if inputs are pictures. A sheet that cannot be made is left out, because the run does not depend on it.
pub(crate) fn sheets(
    experiment: &Experiment,
    shared: &[SharedSetup],
    first: Option<&AdaptedDevice>,
    stages: &Stages<'_>,
) -> Vec<SampleSheet> {
    let Some(shared) = shared.first() else { return vec![] };
    // Samples of devices that live elsewhere are not read.
    let here = experiment.device.training().map_or(0, |_| DEVICES);
    let tasks = (0..shared.tasks.len()).take(here).filter_map(|index| shared.task(index).ok());
    let devices = tasks.filter_map(|task| {
        let title = format!("Device {}: {}", task.index + 1, task.name);
        let picked: Vec<_> = pick(&task.train).collect();
        let shown = task.train.select(picked.iter().copied()).held().ok()?;
        let shape = shown.input().picture()?;
        if matches!(shown.value_type(), ValueType::Bytes(_)) {
            return Some(sheet(title, shape, (0..shown.len()).map(|index| shown.image(index).to_vec()).collect()));
        }
        let clip = |index: &usize| {
            let word = shared.class_names.get(task.train.labels()[*index])?.clone();
            Some((word, shared.sound(task.index, *index)?))
        };
        let sounds = picked.iter().map(clip).collect::<Option<Vec<_>>>()?;
        let values = shown.inputs(&shared.compute).vectors().into_data().convert::<f32>().try_into_vec::<f32>().ok()?;
        let samples = upright(pixels(&values), shape);
        Some(SampleSheet { sounds: sounds.into_iter().map(sound).collect(), ..sheet(title, shape, samples) })
    });
    // All measurements are done by now, so a plugin that panics here loses nothing.
    let own = experiment.strategies.iter().filter_map(|row| {
        let title = format!("Surrogate data of {}", row.name);
        row.surrogate.as_deref().map(|surrogate| (title, surrogate, &row.protocol))
    });
    let shown =
        experiment.surrogate.as_deref().map(|surrogate| ("Surrogate data".to_owned(), surrogate, &experiment.protocol));
    let sheet = |(title, surrogate, protocol): (String, &dyn SurrogateConfig, &Protocol)| {
        let run = shared.describe(experiment, protocol);
        let sheet = || first.and_then(|first| self::surrogate(title, (surrogate, &run), shared, first, stages));
        catch_unwind(AssertUnwindSafe(sheet)).ok().flatten()
    };
    shown.into_iter().chain(own).take(SURROGATES).filter_map(sheet).chain(devices).collect()
}

/// The samples to show. The classes take turns.
fn pick(samples: &Samples) -> impl Iterator<Item = usize> {
    let mut by_class: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, label) in samples.labels().iter().enumerate() {
        by_class.entry(*label).or_default().push(index);
    }
    let longest = by_class.values().map(Vec::len).max().unwrap_or(0);
    let turn = move |turn| by_class.values().filter_map(|class| class.get(turn).copied()).collect::<Vec<_>>();
    (0..longest).flat_map(turn).take(SAMPLES)
}

fn surrogate(
    title: String,
    (surrogate, run): (&dyn SurrogateConfig, &RunDescription),
    shared: &SharedSetup,
    first: &AdaptedDevice,
    stages: &Stages<'_>,
) -> Option<SampleSheet> {
    let mut surrogate = surrogate.build(run).ok()?;
    let previous = shared.initial.load(stages).ok()?;
    let shape = previous.input.picture()?;
    let expert = first.expert(stages).ok()?;
    let request = SurrogateRequest {
        input: previous.input,
        compute: &shared.compute,
        seed: shared.root.of("surrogate"),
        previous: &previous,
        expert: Some(&expert),
    };
    let inputs = surrogate.draw(2 * SAMPLES, &request).ok()?;
    let values = inputs.vectors().into_data().convert::<f32>().try_into_vec::<f32>().ok()?;
    let pixels = pixels(&values);
    let samples = match shared.sound(0, 0) {
        Some(_) => upright(pixels, shape),
        None => pixels.chunks_exact(shape.values()).map(<[u8]>::to_vec).collect(),
    };
    Some(sheet(title, shape, samples))
}

/// Inputs as pixels: inputs are in −1…1, and pixels in 0…255.
fn pixels(values: &[f32]) -> Vec<u8> {
    values.iter().map(|value| ((value + 1.0) * 127.5).round().clamp(0.0, 255.0) as u8).collect()
}

/// Spectrograms with their lowest band at the bottom. Inputs have it first.
fn upright(pixels: Vec<u8>, shape: PictureShape) -> Vec<Vec<u8>> {
    let turned = |sample: &[u8]| sample.chunks(shape.width).rev().flatten().copied().collect();
    pixels.chunks_exact(shape.values()).map(turned).collect()
}

fn sound((title, clip): (String, SoundClip)) -> SampleSound {
    SampleSound { title, media_type: clip.media_type.to_owned(), bytes: clip.bytes }
}

fn sheet(title: String, shape: PictureShape, samples: Vec<Vec<u8>>) -> SampleSheet {
    let PictureShape { channels, height, width } = shape;
    SampleSheet { title, channels, height, width, samples, sounds: vec![] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_band_is_at_the_bottom() {
        let shape = PictureShape { channels: 1, height: 2, width: 3 };
        let pixels = (1..=12).collect();
        assert_eq!(upright(pixels, shape), [[4, 5, 6, 1, 2, 3], [10, 11, 12, 7, 8, 9]]);
    }

    #[test]
    fn classes_take_turns() {
        let mut samples = Samples::new([1, 1, 1].into());
        for label in [7, 7, 7, 2, 2] {
            samples.push(&[0], label);
        }
        assert_eq!(pick(&samples).collect::<Vec<_>>(), [3, 0, 4, 1, 2]);
    }
}
