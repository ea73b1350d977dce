//! Tests on folders of tiny pictures.

use std::fs;
use std::path::Path;

use alluvium_stream::Task;
use alluvium_stream::conformance::check_disturbed;
use image::{Rgb, RgbImage};

use super::*;

/// Writes `count` pictures of a class: 6×4 pixels of one colour, which encodes the class and the picture's number.
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
    let plane = samples.input().sizes()[1..].iter().product::<usize>();
    (0..samples.len()).map(|index| samples.image(index)[plane]).collect()
}

#[test]
fn training_and_test_folders_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    for (class, name) in ["bee", "ant", "cat"].into_iter().enumerate() {
        write_class(&folder.path().join("train").join(name), class as u8, 4);
        write_class(&folder.path().join("val").join(name), class as u8, 2);
    }
    // Folders within a class belong to it; names that begin with a dot do not.
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
fn a_fraction_of_each_class_is_held_out_without_a_test_folder() {
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
fn errors_name_the_problem() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    assert!(error(&ClassFoldersConfig { directory: folder.path().join("none"), ..config.clone() }).contains("none: "));
    assert!(error(&config).contains("does not hold folders; accepted: a folder for each class"));
    fs::create_dir(folder.path().join("a")).unwrap();
    assert!(error(&config).contains("does not hold a picture"));
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
fn a_folder_that_may_be_a_part_is_not_mistaken_for_a_class() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write_class(&at("Train/a"), 0, 2);
    write_class(&at("test/a"), 0, 2);
    let config = ClassFoldersConfig { tasks: 1, ..config(folder.path()) };
    let called = error(&config);
    assert!(
        called.contains("Train: is a part of the data set, but ") && called.contains("accepted: train"),
        "{called}"
    );
    fs::rename(at("Train"), at("other")).unwrap();
    assert!(error(&config).contains("test: is a part of the data set"));
    // It directly holds pictures, so it is a class.
    fs::remove_dir_all(at("test")).unwrap();
    write_class(&at("test"), 0, 2);
    assert_eq!(config.build(Seed::new(0)).unwrap().class_names(), ["other", "test"]);
    fs::rename(at("other"), at("train")).unwrap();
    write_class(&at("validation/a"), 0, 1);
    write_class(&at("val/a"), 0, 1);
    fs::remove_dir_all(at("test")).unwrap();
    assert!(error(&config).contains("holds the folders val and validation, but none called test"));
    write_class(&at("test/a"), 0, 1);
    assert_eq!(tasks(&config, 0).len(), 1);
}

#[test]
fn classes_without_pictures_are_named() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["ant", "bee", "cat"] {
        write_class(&folder.path().join("train").join(name), 0, u8::from(name != "bee"));
        write_class(&folder.path().join("test").join(name), 0, u8::from(name != "cat"));
    }
    fs::create_dir_all(folder.path().join("train/dog")).unwrap();
    let config = ClassFoldersConfig { tasks: 1, classes_per_task: 4, ..config(folder.path()) };
    let notes = config.build(Seed::new(0)).unwrap().notes();
    assert_eq!(
        notes,
        [
            "there are no training samples of the classes \"bee\", \"dog\"",
            "there are no test samples of the classes \"cat\", \"dog\""
        ]
    );
    write_class(&folder.path().join("train/bee"), 0, 1);
    write_class(&folder.path().join("test/cat"), 0, 1);
    fs::remove_dir_all(folder.path().join("train/dog")).unwrap();
    assert!(config_of(&config, 3).build(Seed::new(0)).unwrap().notes().is_empty());
}

fn config_of(config: &ClassFoldersConfig, classes_per_task: usize) -> ClassFoldersConfig {
    ClassFoldersConfig { classes_per_task, ..config.clone() }
}

/// The bytes of a JPEG of 64×48 pixels, each another shade.
fn jpeg() -> Vec<u8> {
    let mut bytes = vec![];
    let picture = RgbImage::from_fn(64, 48, |x, y| Rgb([4 * x as u8, 5 * y as u8, (x * y) as u8]));
    picture.write_with_encoder(image::codecs::jpeg::JpegEncoder::new(&mut bytes)).unwrap();
    bytes
}

#[test]
fn a_jpeg_that_is_cut_short_is_refused_as_a_png_is() {
    let folder = tempfile::tempdir().unwrap();
    let class = folder.path().join("train/a");
    write_class(&folder.path().join("test/a"), 0, 1);
    fs::create_dir_all(&class).unwrap();
    let config = ClassFoldersConfig { tasks: 1, size: Some(4), ..config(folder.path()) };
    let whole = jpeg();
    fs::write(class.join("whole.jpg"), &whole).unwrap();
    assert_eq!(tasks(&config, 0)[0].train.len(), 1);
    // The first half; all but the end marker; all but the last byte.
    for length in [whole.len() / 2, whole.len() - 2, whole.len() - 1] {
        fs::write(class.join("truncated.jpg"), &whole[..length]).unwrap();
        let error = error(&config);
        assert!(error.contains("truncated.jpg: cannot be decoded: it is cut short"), "{error}");
    }
    fs::write(class.join("truncated.jpg"), [&whole[..], b"more"].concat()).unwrap();
    assert_eq!(tasks(&config, 0)[0].train.len(), 2);
}

/// A JPEG with an EXIF segment after its start: the orientation 6, which turns it clockwise.
fn turned_jpeg() -> Vec<u8> {
    let whole = jpeg();
    let exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let length = (exif.len() as u16 + 2).to_be_bytes();
    [&whole[..2], &[0xff, 0xe1], &length, exif, &whole[2..]].concat()
}

#[test]
fn pictures_are_turned_on_request_and_not_by_default() {
    let folder = tempfile::tempdir().unwrap();
    for part in ["train/a", "test/a"] {
        fs::create_dir_all(folder.path().join(part)).unwrap();
        fs::write(folder.path().join(part).join("photo.jpg"), turned_jpeg()).unwrap();
    }
    let stored = ClassFoldersConfig { tasks: 1, ..config(folder.path()) };
    let applied = ClassFoldersConfig { orientation: Orientation::Apply, ..stored.clone() };
    let input = |config: &ClassFoldersConfig| tasks(config, 0)[0].train.input();
    assert_eq!((input(&stored), input(&applied)), ([3, 48, 64].into(), [3, 64, 48].into()));
    // After a clockwise turn, a row from the left was a column from below.
    let (stored, applied) = (tasks(&stored, 0), tasks(&applied, 0));
    let (stored, applied) = (stored[0].train.image(0), applied[0].train.image(0));
    let column: Vec<_> = (0..48).rev().map(|row| stored[row * 64 + 5]).collect();
    assert_eq!(applied[5 * 48..6 * 48], column);
}

#[test]
fn disturbed_folders_give_the_same_pictures_or_an_error() {
    let write = |folder: &Path| {
        for (class, name) in ["ant", "bee", "cat"].into_iter().enumerate() {
            write_class(&folder.join("train").join(name), class as u8, 3);
            write_class(&folder.join("test").join(name), class as u8, 2);
        }
    };
    let verdict = check_disturbed(
        100,
        write,
        |folder| Box::new(config(folder)),
        |disturbed| {
            let name = disturbed.one_of(&["ant", "bee", "cat"]);
            let part = disturbed.one_of(&["train", "test"]);
            match disturbed.below(6) {
                0 | 1 => disturbed.truncate(&format!("{part}/{name}/01.png")),
                2 => disturbed.rename(&format!("{part}/{name}"), &format!("{part}/wasp")),
                3 => disturbed.rename(&format!("train/{name}"), &format!("train/.{name}")),
                4 => disturbed.rename(part, &format!("{part}ing")),
                // The part under another accepted name, and a picture under another name.
                _ => {
                    disturbed.rename("test", "validation");
                    disturbed.rename(&format!("train/{name}/01.png"), &format!("train/{name}/99.png"));
                }
            }
        },
    );
    assert!(verdict.same > 10 && verdict.refused > 50, "{verdict:?}");
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
