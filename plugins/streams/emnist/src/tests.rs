//! Tests on miniatures of the archive's files.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;

use alluvium_stream::conformance::{Change, check_disturbed};
use flate2::{Compression, write::GzEncoder};

use super::*;

/// The bytes of an IDX file of unsigned bytes, gzipped.
fn idx(shape: &[u32], values: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, shape.len() as u8];
    shape.iter().for_each(|size| bytes.extend(size.to_be_bytes()));
    bytes.extend(values);
    let mut packed = GzEncoder::new(vec![], Compression::fast());
    packed.write_all(&bytes).unwrap();
    packed.finish().unwrap()
}

/// Writes a data set with one training and one test image of each label, 3 wide and 2 high, stored column by column.
fn write_data(folder: &Path, name: &str, labels: std::ops::Range<u8>) {
    let count = labels.len() as u32;
    let images: Vec<u8> = labels.clone().flat_map(|label| [label, 100, 1, 101, 2, 102]).collect();
    let labels: Vec<u8> = labels.collect();
    for part in ["train", "test"] {
        let file = |of: &str| folder.join(format!("emnist-{name}-{part}-{of}-ubyte.gz"));
        fs::write(file("images-idx3"), idx(&[count, 3, 2], &images)).unwrap();
        fs::write(file("labels-idx1"), idx(&[count], &labels)).unwrap();
    }
}

fn config(folder: &Path, dataset: Dataset) -> EmnistConfig {
    EmnistConfig { directory: folder.to_owned(), dataset, tasks: 2, classes_per_task: 5, ..Default::default() }
}

#[test]
fn images_are_turned_back() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("gzip")).unwrap();
    write_data(&folder.path().join("gzip"), "digits", 0..10);
    let config = config(folder.path(), Dataset::Digits);
    let task = config.build(Seed::new(0)).unwrap().task(0).unwrap();
    assert_eq!((task.test.input(), task.test.len()), ([1, 2, 3].into(), 5));
    for (index, label) in task.test.labels().iter().enumerate() {
        assert_eq!(task.test.image(index), [*label as u8, 1, 2, 100, 101, 102]);
    }
    assert_eq!(config.files().len(), 4);
}

#[test]
fn each_data_set_has_its_classes() {
    let cases = [
        (Dataset::ByClass, 0..62, [('0', 0), ('A', 10), ('z', 61)]),
        (Dataset::ByMerge, 0..47, [('Z', 35), ('a', 36), ('t', 46)]),
        (Dataset::Balanced, 0..47, [('b', 37), ('d', 38), ('h', 42)]),
        // Labels count from 1, classes from 0.
        (Dataset::Letters, 1..27, [('A', 0), ('B', 1), ('Z', 25)]),
        (Dataset::Digits, 0..10, [('0', 0), ('4', 4), ('9', 9)]),
        (Dataset::Mnist, 0..10, [('0', 0), ('4', 4), ('9', 9)]),
    ];
    for (dataset, labels, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        write_data(folder.path(), dataset.name(), labels.clone());
        let stream = config(folder.path(), dataset).build(Seed::new(0)).unwrap();
        assert_eq!(stream.class_names().len(), labels.len(), "{dataset:?}");
        assert_eq!(stream.class_names().iter().collect::<BTreeSet<_>>().len(), labels.len(), "{dataset:?}");
        for (character, class) in expected {
            assert_eq!(stream.class_names()[class], character.to_string(), "{dataset:?}");
        }
        let order =
            EmnistConfig { class_order: Some(vec![expected[2].0.to_string()]), ..config(folder.path(), dataset) };
        let task =
            EmnistConfig { tasks: 1, classes_per_task: 1, ..order }.build(Seed::new(0)).unwrap().task(0).unwrap();
        assert_eq!(usize::from(task.train.image(0)[0] - labels.start), expected[2].1, "{dataset:?}");
    }
}

#[test]
fn files_that_are_missing_or_wrong_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), Dataset::Letters);
    let error = || config.build(Seed::new(0)).unwrap_err().to_string();
    let none = error();
    assert!(
        none.contains("emnist-letters-train-images-idx3-ubyte: does not exist") && none.contains("nist.gov"),
        "{none}"
    );
    write_data(folder.path(), "letters", 1..27);
    let with = |name: &str, bytes: Vec<u8>| {
        let path = folder.path().join(name);
        let right = fs::read(&path).unwrap();
        fs::write(&path, bytes).unwrap();
        let error = error();
        fs::write(&path, right).unwrap();
        assert!(error.contains(name) && !error.contains("nist.gov"), "{error}");
        error
    };
    let (images, labels) = ("emnist-letters-test-images-idx3-ubyte.gz", "emnist-letters-train-labels-idx1-ubyte.gz");
    let all: Vec<u8> = (1..27).collect();
    assert!(with(labels, idx(&[26], &[&[0], &all[1..]].concat())).contains("label number 0 is 0; accepted: 1 to 26"));
    assert!(
        with(labels, idx(&[26], &[&all[1..], &[27]].concat())).contains("label number 25 is 27; accepted: 1 to 26")
    );
    assert!(with(labels, idx(&[25], &all[1..])).contains("has the shape [25], but"));
    assert!(with(images, idx(&[26, 6], &[0; 156])).contains("accepted: [images, width, height]"));
    assert!(with(images, idx(&[26, 0, 2], &[])).contains("holds images of 0×2 pixels"));
    assert!(
        with(images, idx(&[26, 2, 3], &[0; 156])).contains("holds images of 1×3×2, but the training images are 1×2×3")
    );
    assert!(with(images, idx(&[26, 3, 2], &[0; 155])).contains("holds 155 values"));
    let right = fs::read(folder.path().join(images)).unwrap();
    assert!(with(images, right[..right.len() / 2].to_vec()).contains("damaged or cut short"));
}

/// The archive's list for letters: the label, and the codes of the capital and the small letter.
fn mapping() -> String {
    (1..27).map(|label| format!("{label} {} {}\n", 64 + label, 96 + label)).collect()
}

#[test]
fn the_archives_list_of_characters_must_agree() {
    let folder = tempfile::tempdir().unwrap();
    write_data(folder.path(), "letters", 1..27);
    let config = config(folder.path(), Dataset::Letters);
    let path = folder.path().join("emnist-letters-mapping.txt");
    fs::write(&path, format!("\u{feff}{}", mapping().replace('\n', "\r\n"))).unwrap();
    assert_eq!((config.build(Seed::new(0)).unwrap().class_names()[1].as_str(), config.files().len()), ("B", 5));
    for (wrong, expected) in [
        (mapping().replace("3 67 99", "3 67 98"), "line 3 gives the label 3 the characters [67, 98]"),
        (mapping().replace("26 90 122\n", ""), "does not have a line for the label 26"),
        (mapping().replace("2 66 98", "1 65 97"), "line 2 has the label 1, but an earlier line has it, too"),
        (mapping().replace("1 65 97", "0 65 97"), "line 1 has the label 0; accepted: 1 to 26"),
        (mapping().replace("1 65 97", "A"), "line 1 does not hold a label"),
    ] {
        fs::write(&path, wrong).unwrap();
        let error = config.build(Seed::new(0)).unwrap_err().to_string();
        assert!(error.contains("emnist-letters-mapping.txt: ") && error.contains(expected), "{error}");
    }
}

#[test]
fn disturbed_files_give_the_same_images_or_an_error() {
    let write = |folder: &Path| {
        write_data(folder, "letters", 1..27);
        fs::write(folder.join("emnist-letters-mapping.txt"), mapping()).unwrap();
    };
    let files = ["train-images-idx3", "train-labels-idx1", "test-images-idx3", "test-labels-idx1"]
        .map(|name| format!("emnist-letters-{name}-ubyte.gz"));
    let verdict = check_disturbed(
        150,
        write,
        |folder| Box::new(EmnistConfig { tasks: 2, classes_per_task: 13, ..config(folder, Dataset::Letters) }),
        |disturbed| {
            let (one, other) = (disturbed.one_of(&files), disturbed.one_of(&files));
            match disturbed.below(6) {
                0 => disturbed.change_lines("emnist-letters-mapping.txt", &Change::ALL),
                1 => disturbed.truncate(&one),
                2 => disturbed.drop_file(&one),
                3 if one.contains("images") != other.contains("images") => disturbed.copy(&one, &other),
                4 => disturbed.rename(&one, &one.replace("letters", "digits")),
                // Another file beside it, under the name without `.gz`.
                _ => {
                    let plain = one.replace(".gz", "");
                    disturbed.write(&plain, &idx(&[26], &[1; 26]), "of other labels");
                }
            }
        },
    );
    assert!(verdict.same > 5 && verdict.refused > 80, "{verdict:?}");
}

#[test]
fn the_options_are_keys_of_the_table() {
    let table = serde_json::json!({"kind": "emnist", "dataset": "byclass", "shift": "label-skew"});
    let read: Box<dyn StreamConfig> = serde_json::from_value(table.clone()).unwrap();
    assert_eq!(
        (read.scenario(), &serde_json::to_value(&read).unwrap()["dataset"]),
        (Scenario::LabelSkew, &table["dataset"])
    );
}
