//! The streams of the built-in recordings.

use std::collections::BTreeSet;

use alluvium_stream::{StreamConfig, Task};

use super::*;

fn tasks(config: &AccentsConfig, seed: u64) -> Vec<Task> {
    let stream = config.build(Seed::new(seed)).unwrap();
    (0..stream.tasks()).map(|index| stream.task(index).unwrap()).collect()
}

fn refused(config: AccentsConfig) -> String {
    config.build(Seed::new(0)).unwrap_err().to_string()
}

#[test]
fn every_device_has_an_accent_and_all_words() {
    let tasks = tasks(&AccentsConfig::default(), 1);
    let names: BTreeSet<_> = tasks.iter().map(|task| task.name.as_str()).collect();
    assert_eq!((tasks.len(), names.len()), (8, 8));
    for task in &tasks {
        assert_eq!(task.head, tasks[0].head);
        // Twenty words in ten voices for training and six for testing.
        assert_eq!((task.train.len(), task.test.len()), (200, 120), "{}", task.name);
        assert_eq!(task.train.input(), [1, 32, 51].into());
    }
}

#[test]
fn all_shifts_conform() {
    for (shift, words) in [(Shift::Class, 2), (Shift::Domain, 20), (Shift::ClassAndDomain, 2)] {
        alluvium_stream::conformance::check_stream(&AccentsConfig {
            shift,
            classes_per_task: words,
            ..Default::default()
        });
    }
}

#[test]
fn loud_parts_of_spectrograms_are_in_the_range_of_inputs() {
    let task = tasks(&AccentsConfig { train_samples_per_class: Some(1), ..Default::default() }, 0).remove(0);
    for index in 0..task.train.len() {
        let most = task.train.numbers(index).iter().copied().fold(f32::MIN, f32::max);
        let least = task.train.numbers(index).iter().copied().fold(f32::MAX, f32::min);
        assert!((-1.001..0.0).contains(&least) && (0.3..1.7).contains(&most), "{least} to {most}");
    }
}

#[test]
fn an_accent_that_is_left_out_is_a_test_set_of_its_own() {
    let config = AccentsConfig { tasks: 7, left_out: vec!["en-029".to_owned()], ..Default::default() };
    assert!(tasks(&config, 2).iter().all(|task| task.name != "en-029"));
    let further = config.build(Seed::new(2)).unwrap().further_tests().unwrap();
    assert_eq!((further[0].name.as_str(), further[0].test.len()), ("unseen en-029", 120));
    assert!(refused(AccentsConfig { tasks: 8, ..config.clone() }).contains("there are 7 accents"));
    let order = Some(vec!["en-029".to_owned(), "en-gb".to_owned()]);
    let both = refused(AccentsConfig { tasks: 2, accent_order: order, ..config });
    assert!(both.contains("which `left_out` names"), "{both}");
}

#[test]
fn new_words_are_on_one_device_alone() {
    let config = AccentsConfig {
        tasks: 4,
        accent_order: Some(["en-gb", "en-us", "en-029", "en-gb-scotland"].map(String::from).into()),
        new_words: ["left".to_owned(), "right".to_owned()].into(),
        new_words_device: 3,
        ..Default::default()
    };
    let stream = config.build(Seed::new(0)).unwrap();
    let word = |name: &str| stream.class_names().iter().position(|other| other == name).unwrap();
    let new = [word("left"), word("right")];
    for task in tasks(&config, 0) {
        for part in [&task.train, &task.test] {
            let has = part.labels().iter().any(|label| new.contains(label));
            assert_eq!(has, task.index == 2, "{}", task.name);
        }
        assert_eq!(task.head.classes.len(), 20);
    }
    let further = stream.further_tests().unwrap();
    // Two words in six voices and four accents.
    assert_eq!((further[0].name.as_str(), further[0].test.len()), ("new words", 48));
    assert!(further[0].test.labels().iter().all(|label| new.contains(label)));

    let few =
        AccentsConfig { classes_per_task: 2, class_order: Some(["up".into(), "down".into()].into()), ..config.clone() };
    assert!(refused(few).contains("\"left\", which is not one of the words of the stream"));
    assert!(refused(AccentsConfig { new_words_device: 5, ..config.clone() }).contains("the stream has 4 devices"));
    assert!(
        refused(AccentsConfig { shift: Shift::Class, classes_per_task: 5, ..config.clone() }).contains("`new_words`")
    );
    let unknown = refused(AccentsConfig { new_words: vec!["lift".to_owned()], ..config.clone() });
    assert!(unknown.contains("names \"lift\"") && unknown.contains("left, nine"), "{unknown}");
    let twice = refused(AccentsConfig { left_out: ["en-gb-x-rp".into(), "en-gb-x-rp".into()].into(), ..config });
    assert!(twice.contains("twice"), "{twice}");
}

#[test]
fn samples_can_be_heard() {
    let stream = AccentsConfig::default().build(Seed::new(0)).unwrap();
    let clip = stream.sound(1, 5).unwrap();
    assert_eq!((clip.media_type, &clip.bytes[..4]), ("audio/flac", &b"fLaC"[..]));
    assert_eq!(stream.sound(1, 200), None);
    assert!(stream.notes()[0].contains("synthetic"));
}

#[test]
fn options_of_spectrograms_are_checked() {
    let spectrogram = SpectrogramOptions { bands: 200, ..Default::default() };
    let error = refused(AccentsConfig { spectrogram, ..Default::default() });
    assert!(error.contains("bands"), "{error}");
    let narrow = SpectrogramOptions { bands: 16, hop: 50.0, ..Default::default() };
    let stream = AccentsConfig { spectrogram: narrow, ..Default::default() }.build(Seed::new(0)).unwrap();
    assert_eq!(stream.input(), [1, 16, 21].into());
}
