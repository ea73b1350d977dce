//! Tests on folders of tiny pictures.

use std::fs;
use std::path::Path;

use alluvium_stream::Task;
use image::{Rgb, RgbImage};

use super::*;

/// Writes so many pictures of a class: 6×4 pixels, all of one colour, which says the class and the picture's number.
fn write_class(folder: &Path, class: u8, count: u8) {
    fs::create_dir_all(folder).unwrap();
    for number in 0..count {
        let picture = RgbImage::from_pixel(6, 4, Rgb([class, number, 255]));
        picture.save(folder.join(format!("{number:02}.png"))).unwrap();
    }
}

fn config(folder: &Path) -> ClassFoldersConfig {
    ClassFoldersConfig { directory: folder.to_owned(), tasks: 3, classes_per_task: 1, ..Default::default() }
}

fn tasks(config: &ClassFoldersConfig, seed: u64) -> Vec<Task> {
    let stream = config.build(Seed::new(seed)).unwrap();
    (0..stream.tasks()).map(|index| stream.task(index).unwrap()).collect()
}

fn error(config: &ClassFoldersConfig) -> String {
    match config.build(Seed::new(0)) {
        Err(error) => error.to_string(),
        Ok(stream) => (0..stream.tasks()).find_map(|index| stream.task(index).err()).unwrap().to_string(),
    }
}

/// The green of each sample's first pixel: the picture's number.
fn numbers(samples: &alluvium_stream::Samples) -> Vec<u8> {
    (0..samples.len()).map(|place| samples.image(place)[samples.input().height * samples.input().width]).collect()
}

#[test]
fn training_and_test_folders_are_taken_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    for (class, name) in ["bee", "ant", "cat"].into_iter().enumerate() {
        write_class(&folder.path().join("train").join(name), class as u8, 4);
        write_class(&folder.path().join("val").join(name), class as u8, 2);
    }
    // Folders within a class belong to it, and what begins with a dot does not.
    write_class(&folder.path().join("train/ant/more"), 1, 1);
    write_class(&folder.path().join("train/.cache"), 9, 1);
    let config = config(folder.path());
    assert_eq!(config.build(Seed::new(0)).unwrap().class_names(), ["ant", "bee", "cat"]);
    for task in tasks(&config, 0) {
        let class = task.head.classes[0];
        assert_eq!((task.train.len(), task.test.len()), (if class == 0 { 5 } else { 4 }, 2));
        assert_eq!(task.train.input(), [3, 4, 6].into());
        // In the order of the names, `ant` was written as class 1 and `bee` as class 0.
        assert_eq!(usize::from(task.test.image(0)[0]), [1, 0, 2][class]);
    }
    assert_eq!(config.files().len(), 13 + 6);
    let small = ClassFoldersConfig { size: Some(2), colour: false, ..config.clone() };
    // 0.299·2 + 0.587·0 + 0.114·255 = 29.7 for the first picture of `cat`.
    let cat = tasks(&small, 0).into_iter().find(|task| task.head.classes == [2]).unwrap();
    assert_eq!((cat.test.input(), cat.test.image(0)), ([1, 2, 2].into(), &[30; 4][..]));
}

#[test]
fn a_part_of_each_class_is_held_out_where_nothing_is_for_testing() {
    let folder = tempfile::tempdir().unwrap();
    // 0.2·10 = 2; 0.2·3 = 0.6, rounded 1; 0.2·2 = 0.4, at least 1.
    let counts = [(10, 2), (3, 1), (2, 1)];
    for (class, (count, _)) in counts.iter().enumerate() {
        write_class(&folder.path().join(format!("class-{class}")), class as u8, *count);
    }
    let config = config(folder.path());
    let held_out = |seed| -> Vec<Vec<u8>> {
        let mut tasks = tasks(&config, seed);
        tasks.sort_by_key(|task| task.head.classes[0]);
        for (task, (count, test)) in tasks.iter().zip(counts) {
            assert_eq!((task.train.len(), task.test.len()), (usize::from(count) - test, test));
            let mut all = [numbers(&task.train), numbers(&task.test)].concat();
            all.sort_unstable();
            assert_eq!(all, (0..count).collect::<Vec<_>>(), "every picture is in one part");
        }
        tasks.iter().map(|task| numbers(&task.test)).collect()
    };
    assert_eq!(held_out(5), held_out(5));
    assert!((0..20).any(|seed| held_out(seed) != held_out(5)), "the seed draws them");
    assert_eq!(config.files().len(), 15);
}

#[test]
fn what_is_wrong_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    assert!(error(&ClassFoldersConfig { directory: folder.path().join("none"), ..config.clone() }).contains("none: "));
    assert!(error(&config).contains("holds no folder; accepted: a folder for each class"));
    fs::create_dir(folder.path().join("a")).unwrap();
    assert!(error(&config).contains("holds no picture"));
    for (class, name) in ["a", "b", "c"].into_iter().enumerate() {
        write_class(&folder.path().join(name), class as u8, 3);
    }
    assert!(error(&ClassFoldersConfig { held_out: f64::NAN, ..config.clone() }).contains("`held_out` = NaN"));
    assert!(
        error(&ClassFoldersConfig { classes_per_task: 2, ..config.clone() }).contains("6 classes, but the data have 3")
    );
    RgbImage::new(7, 4).save(folder.path().join("b/01.png")).unwrap();
    assert!(error(&config).contains("01.png: is 7×4 pixels (width × height); accepted: 6×4"));
    assert_eq!(tasks(&ClassFoldersConfig { size: Some(3), ..config.clone() }, 0)[0].train.input(), [3, 3, 3].into());
    fs::write(folder.path().join("b/01.png"), "text").unwrap();
    assert!(error(&config).contains("01.png: cannot be decoded"));

    let divided = tempfile::tempdir().unwrap();
    write_class(&divided.path().join("train/a"), 0, 1);
    let config = ClassFoldersConfig { directory: divided.path().to_owned(), tasks: 1, ..config };
    assert!(error(&config).contains("none for testing; accepted: one of test, val, valid, validation"));
    write_class(&divided.path().join("test/b"), 0, 1);
    assert!(error(&config).contains("holds the folder \"b\", but train has none of this name"));
    fs::rename(divided.path().join("test/b"), divided.path().join("test/a")).unwrap();
    assert_eq!(tasks(&config, 0).len(), 1);
}

#[test]
fn a_class_of_one_picture_has_none_to_spare() {
    let folder = tempfile::tempdir().unwrap();
    write_class(&folder.path().join("a"), 0, 1);
    let error = error(&ClassFoldersConfig { tasks: 1, ..config(folder.path()) });
    assert!(error.contains("the task \"a\" has no test samples"), "{error}");
}

#[test]
fn the_options_are_keys_of_the_table() {
    let table = serde_json::json!({"kind": "class-folders", "shift": "label-skew", "size": 32, "colour": false});
    let read: Box<dyn StreamConfig> = serde_json::from_value(table).unwrap();
    assert_eq!(read.scenario(), Scenario::LabelSkew);
}
