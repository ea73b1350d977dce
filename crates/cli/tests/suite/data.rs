//! The notes of `check` on data that are valid but may surprise.

use std::fs;
use std::path::Path;

use image::{Rgb, RgbImage};

use crate::tiny::{TINY, alluvium, folder, succeeds, text};

/// Writes `count` pictures of a class.
fn write_class(folder: &Path, name: &str, count: u8) {
    let own = folder.join(name);
    fs::create_dir_all(&own).unwrap();
    for number in 0..count {
        RgbImage::from_pixel(8, 8, Rgb([number; 3])).save(own.join(format!("{number}.png"))).unwrap();
    }
}

/// The tiny comparison on class folders.
fn config(folder: &Path) {
    // Every task has a class with training and with test pictures.
    let stream = "kind = \"class-folders\"\ndirectory = \"data\"\ntasks = 2\nclasses_per_task = 2\n\
                  class_order = [\"ant\", \"cat\", \"bee\", \"dog\"]\n";
    let glyphs = "kind = \"split-glyphs\"\ntasks = 3\nclasses_per_task = 2\n";
    assert!(TINY.contains(glyphs));
    fs::write(folder.join("data.toml"), TINY.replace(glyphs, stream)).unwrap();
}

#[test]
fn check_names_the_classes_that_have_no_training_or_no_test_pictures() {
    let folder = folder();
    config(folder.path());
    let data = folder.path().join("data");
    for name in ["ant", "bee", "cat", "dog"] {
        write_class(&data, &format!("train/{name}"), 2);
        write_class(&data, &format!("test/{name}"), 1);
    }
    let right = succeeds(folder.path(), &["check", "data.toml"]);
    assert!(!right.contains("note"), "{right}");
    fs::remove_dir_all(data.join("test/cat")).unwrap();
    fs::remove_file(data.join("test/dog/0.png")).unwrap();
    write_class(&data, "train/eel", 0);
    let noted = succeeds(folder.path(), &["check", "data.toml"]);
    assert!(noted.contains("note: there are no training samples of the class \"eel\"\n"), "{noted}");
    let test = "note: there are no test samples of the classes \"cat\", \"dog\", \"eel\"\n";
    assert!(noted.ends_with(test), "{noted}");
    // A folder with another name than the two parts is refused, and not taken for a class.
    fs::rename(data.join("train"), data.join("training")).unwrap();
    let refused = alluvium(folder.path(), &["check", "data.toml"]);
    let error = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{error}");
    assert!(error.contains("is a part of the data set, but "), "{error}");
}
