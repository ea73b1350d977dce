//! Tests of the stream in colour, and of the images it deals.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use alluvium_model::Digest;
use alluvium_stream::conformance::check_stream;
use alluvium_stream::{DataPart, DataSet, Samples, Task};

use super::*;
use crate::glyphs::{FontImages, SampleSet};
use crate::split::Shift;

fn tasks(config: &SplitColourGlyphsConfig, seed: u64) -> Vec<Task> {
    let stream = config.build(Seed::new(seed)).unwrap();
    (0..stream.tasks()).map(|index| stream.task(index).unwrap()).collect()
}

/// All images, of the default difficulty.
fn data() -> DataSet {
    let images = PaintedGlyphs::embedded(SplitColourGlyphsConfig::default().difficulty().unwrap()).unwrap();
    images.data(|font| images.fonts()[font].split == SampleSet::Test).0
}

fn all(part: &Arc<dyn DataPart>) -> Samples {
    part.read(&(0..part.labels().len()).collect::<Vec<_>>()).unwrap()
}

fn images(samples: &Samples) -> impl Iterator<Item = &[u8]> {
    (0..samples.len()).map(|index| samples.image(index))
}

#[test]
fn the_stream_conforms_for_every_shift() {
    for shift in [Shift::Class, Shift::Domain, Shift::ClassAndDomain, Shift::LabelSkew] {
        let glyphs = SplitGlyphsConfig {
            tasks: 3,
            classes_per_task: 2,
            train_samples_per_class: Some(6),
            shift,
            ..Default::default()
        };
        check_stream(&SplitColourGlyphsConfig { glyphs, ..Default::default() });
    }
}

#[test]
fn ten_tasks_of_six_classes_have_as_many_images_of_each_class() {
    let stream = SplitColourGlyphsConfig::default().build(Seed::new(0)).unwrap();
    assert_eq!((stream.tasks(), stream.input()), (10, [3, 32, 32].into()));
    let mut seen = BTreeSet::new();
    for task in (0..10).map(|index| stream.task(index).unwrap()) {
        // 251 fonts are for training and 67 for testing: data/README.md.
        for (samples, fonts) in [(&task.train, 251), (&task.test, 67)] {
            let mut counts = BTreeMap::new();
            samples.labels().iter().for_each(|label| *counts.entry(*label).or_insert(0) += 1);
            assert_eq!(counts, task.head.classes.iter().map(|class| (*class, fonts)).collect());
        }
        seen.extend(task.head.classes);
    }
    assert_eq!(seen.len(), 60);
}

/// The digests of the first images, held here so that a change of the data set is noticed on every platform.
#[test]
fn the_images_have_not_changed() {
    let data = data();
    let digest = |part: &Arc<dyn DataPart>| {
        let first = part.read(&(0..124).collect::<Vec<_>>()).unwrap();
        Digest::of_parts(images(&first)).as_str()[..16].to_owned()
    };
    assert_eq!([digest(&data.train), digest(&data.test)], ["99427d05c2eddc05", "d689f1937c45c8fb"]);
}

#[test]
fn no_two_images_are_equal_and_every_image_has_contrast() {
    let data = data();
    let parts = [all(&data.train), all(&data.test)];
    assert_eq!(parts.each_ref().map(Samples::len), [251 * 62, 67 * 62]);
    let mut different = BTreeSet::new();
    for image in parts.iter().flat_map(images) {
        assert!(different.insert(image));
        let planes = image.chunks_exact(32 * 32);
        assert!(planes.clone().all(|plane| plane.iter().min() != plane.iter().max()));
        assert!(planes.clone().collect::<BTreeSet<_>>().len() == 3, "it is grey");
    }
}

#[test]
fn the_seed_deals_the_images_and_does_not_change_them() {
    let few = SplitGlyphsConfig { train_samples_per_class: Some(5), ..Default::default() };
    let config = SplitColourGlyphsConfig { glyphs: few, ..Default::default() };
    let data = data();
    let (train, test) = (all(&data.train), all(&data.test));
    let (train, test): (BTreeSet<_>, BTreeSet<_>) = (images(&train).collect(), images(&test).collect());
    let (first, second) = (tasks(&config, 1), tasks(&config, 2));
    for task in first.iter().chain(&second) {
        assert_eq!(task.train.len(), 30);
        assert!(images(&task.train).all(|image| train.contains(image)));
        assert!(images(&task.test).all(|image| test.contains(image)));
    }
    let heads = |tasks: &[Task]| tasks.iter().map(|task| task.head.classes.clone()).collect::<Vec<_>>();
    assert_ne!(heads(&first), heads(&second));
}

#[test]
fn the_samples_are_those_of_the_same_fonts_as_in_grey() {
    let glyphs = SplitGlyphsConfig { train_samples_per_class: Some(5), ..Default::default() };
    let colour = tasks(&SplitColourGlyphsConfig { glyphs: glyphs.clone(), ..Default::default() }, 4);
    let grey = glyphs.build(Seed::new(4)).unwrap();
    for task in &colour {
        let grey = grey.task(task.index).unwrap();
        assert_eq!((&task.head, task.train.labels()), (&grey.head, grey.train.labels()));
        assert_eq!(task.test.labels(), grey.test.labels());
    }
}

#[test]
fn the_options_of_both_kinds_are_keys_of_the_table() {
    let table = serde_json::json!({
        "kind": "split-colour-glyphs", "tasks": 2, "classes_per_task": 3, "class_order": ["a", "b", "c", "d", "e", "f"],
        "rounds": 2, "contrast": [0.1, 0.4], "clutter": 0.5, "jitter": 0.25,
    });
    let read: Box<dyn StreamConfig> = serde_json::from_value(table.clone()).unwrap();
    let written = serde_json::to_value(&read).unwrap();
    table.as_object().unwrap().iter().for_each(|(key, value)| assert_eq!(&written[key], value, "{key}"));
    let stream = read.build(Seed::new(0)).unwrap();
    assert_eq!((stream.tasks(), stream.class_names()[26].as_str()), (4, "a"));
}

#[test]
fn each_difficulty_is_checked() {
    let default = SplitColourGlyphsConfig::default;
    let error = |config: SplitColourGlyphsConfig| config.build(Seed::new(0)).unwrap_err().to_string();
    for contrast in [[0.0, 0.2], [0.3, 0.2], [0.2, 0.6], [f64::NAN, 0.2]] {
        let error = error(SplitColourGlyphsConfig { contrast, ..default() });
        assert!(error.starts_with("`contrast` is [") && error.contains("the smaller one first"), "{error}");
    }
    assert!(error(SplitColourGlyphsConfig { clutter: 1.5, ..default() }).starts_with("`clutter` is 1.5; accepted: a"));
    assert!(error(SplitColourGlyphsConfig { jitter: -1.0, ..default() }).starts_with("`jitter` is -1; accepted: a"));
}
