//! Tests on miniatures of both versions of both archives, written byte by byte according to the data sets' web page.

use std::fs;

use alluvium_stream::conformance::{Change, check_disturbed};
use alluvium_stream::{DataPart, Scenario, Seed, StreamConfig};
use serde_json::json;

use super::*;
use crate::cifar100::Labels;
use crate::pickle::tests as pickled;
use crate::{IMAGE_BYTES, cifar10};

#[path = "../../../../../crates/stream/fuzz/replay.rs"]
mod replay;

const CIFAR_10: Archive = cifar10::ARCHIVE;

/// The pixels of an image. Each byte follows from the image's number and the byte's index.
fn pixels(number: usize) -> Vec<u8> {
    (0..IMAGE_BYTES).map(|index| (number * 7 + index) as u8).collect()
}

/// The numbers of the images in a file, and the labels of each: one for CIFAR-10, a coarse and a fine one for
/// CIFAR-100.
type BatchSlice = (std::ops::Range<usize>, fn(usize) -> Vec<u8>);

fn one_label(number: usize) -> Vec<u8> {
    vec![(number % 10) as u8]
}

fn two_labels(number: usize) -> Vec<u8> {
    vec![(number % 100 / 5) as u8, (number % 100) as u8]
}

fn binary_file((numbers, labels): BatchSlice) -> Vec<u8> {
    numbers.flat_map(|number| [labels(number), pixels(number)].concat()).collect()
}

fn python_file((numbers, labels): BatchSlice) -> Vec<u8> {
    let labels: Vec<_> = numbers.clone().map(labels).collect();
    let of = |index: usize| pickled::numbers(&labels.iter().map(|labels| labels[index]).collect::<Vec<_>>());
    let data = pickled::array(numbers.len() as u16, &numbers.clone().flat_map(pixels).collect::<Vec<_>>());
    // Training files have four images each, from 0 on, and the test file begins at 100.
    let batch = match numbers.start {
        100 => pickled::text(b"testing batch 1 of 1"),
        first => pickled::text(format!("training batch {} of 5", first / 4 + 1).as_bytes()),
    };
    match labels[0].len() {
        1 => pickled::dict(&[("batch_label", batch), ("labels", of(0)), ("data", data)]),
        _ => pickled::dict(&[("data", data), ("coarse_labels", of(0)), ("fine_labels", of(1))]),
    }
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("class_{number}")).collect()
}

/// Writes CIFAR-10 with four images in each training file, and ten test images.
fn write_cifar_10(folder: &Path, binary: bool) {
    let (files, file): (_, fn(BatchSlice) -> Vec<u8>) =
        if binary { (CIFAR_10.binary, binary_file) } else { (CIFAR_10.python, python_file) };
    for (number, name) in files.train.iter().enumerate() {
        fs::write(folder.join(name), file((4 * number..4 * number + 4, one_label))).unwrap();
    }
    fs::write(folder.join(files.test), file((100..110, one_label))).unwrap();
    let names = names(10);
    let listed = names.iter().map(String::as_str).collect::<Vec<_>>();
    let text = if binary {
        (names.join("\n") + "\n\n").into_bytes()
    } else {
        pickled::dict(&[("num_vis", vec![b'M', 0, 12]), ("label_names", pickled::texts(&listed))])
    };
    fs::write(folder.join(files.names), text).unwrap();
}

/// Writes CIFAR-100 with 100 training and 100 test images.
fn write_cifar_100(folder: &Path, binary: bool) {
    let Archive { binary: plain, python, .. } = Labels::Fine.archive();
    let (fine, coarse) = (names(100), (0..20).map(|number| format!("super_{number}")).collect::<Vec<_>>());
    if binary {
        fs::write(folder.join(plain.train[0]), binary_file((0..100, two_labels))).unwrap();
        fs::write(folder.join(plain.test), binary_file((200..300, two_labels))).unwrap();
        fs::write(folder.join("fine_label_names.txt"), fine.join("\n")).unwrap();
        fs::write(folder.join("coarse_label_names.txt"), coarse.join("\n")).unwrap();
        return;
    }
    let list = |names: &[String]| pickled::texts(&names.iter().map(String::as_str).collect::<Vec<_>>());
    fs::write(folder.join(python.train[0]), python_file((0..100, two_labels))).unwrap();
    fs::write(folder.join(python.test), python_file((200..300, two_labels))).unwrap();
    let meta = pickled::dict(&[("fine_label_names", list(&fine)), ("coarse_label_names", list(&coarse))]);
    fs::write(folder.join(python.names), meta).unwrap();
}

fn all(images: &dyn DataPart) -> Samples {
    images.read(&(0..images.labels().len()).collect::<Vec<_>>()).unwrap()
}

#[test]
fn both_versions_of_cifar_10_are_read_file_after_file() {
    for binary in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        write_cifar_10(folder.path(), binary);
        let data = CIFAR_10.read(folder.path()).unwrap();
        assert_eq!((data.class_names, data.train.input()), (names(10), [3, 32, 32].into()));
        let (train, test) = (all(&*data.train), all(&*data.test));
        assert_eq!((train.len(), test.len()), (20, 10));
        assert!((0..20).all(|number| train.image(number) == pixels(number) && train.labels()[number] == number % 10));
        assert!((0..10).all(|number| test.image(number) == pixels(100 + number) && test.labels()[number] == number));
        assert_eq!(CIFAR_10.paths(folder.path()).len(), 7);
    }
}

#[test]
fn both_labels_of_both_versions_of_cifar_100_are_read() {
    for binary in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join(if binary { "cifar-100-binary" } else { "cifar-100-python" });
        fs::create_dir(&inner).unwrap();
        write_cifar_100(&inner, binary);
        // The folder of the archive, or the folder that it was unpacked into.
        for folder in [folder.path(), &inner] {
            let fine = Labels::Fine.archive().read(folder).unwrap();
            let coarse = Labels::Coarse.archive().read(folder).unwrap();
            assert_eq!((fine.class_names.len(), coarse.class_names[19].as_str()), (100, "super_19"));
            assert_eq!((fine.train.labels()[37], coarse.train.labels()[37]), (37, 7));
            assert_eq!(all(&*coarse.test).image(3), pixels(203));
        }
        assert_eq!(Labels::Fine.archive().paths(folder.path()).len(), 3);
    }
}

#[test]
fn a_missing_file_is_named_with_where_to_get_it() {
    let folder = tempfile::tempdir().unwrap();
    let error = |archive: Archive| archive.read(folder.path()).unwrap_err().to_string();
    let none = error(CIFAR_10);
    assert!(none.contains("holds neither data_batch_1.bin") && none.contains("kriz/cifar.html"), "{none}");
    assert!(CIFAR_10.paths(folder.path()).is_empty());
    write_cifar_10(folder.path(), false);
    fs::remove_file(folder.path().join("data_batch_4")).unwrap();
    let one = error(CIFAR_10);
    assert!(one.contains("data_batch_4: ") && one.contains("cifar-10-batches-py"), "{one}");
    assert_eq!(CIFAR_10.paths(folder.path()).len(), 6);
    assert!(error(Labels::Fine.archive()).contains("train.bin"));
}

/// The error after one file of a valid archive was replaced. It names the file, but not where to get it.
fn error_with(binary: bool, name: &str, bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    write_cifar_10(folder.path(), binary);
    fs::write(folder.path().join(name), bytes).unwrap();
    let error = CIFAR_10.read(folder.path()).unwrap_err().to_string();
    assert!(error.contains(&*folder.path().join(name).to_string_lossy()) && !error.contains("kriz"), "{error}");
    error
}

#[test]
fn damaged_binary_files_are_refused() {
    let whole = binary_file((0..4, one_label));
    for length in [0, 1, 3072, whole.len() - 1] {
        let error = error_with(true, "data_batch_3.bin", &whole[..length]);
        assert!(error.contains("accepted: records of 3073 bytes each"), "{error}");
    }
    let mut wrong = whole.clone();
    wrong[3073] = 10;
    let error = error_with(true, "test_batch.bin", &wrong);
    assert!(error.contains("label 10 of image number 1 is out of range; accepted: 0 to 9"), "{error}");
    let error = error_with(true, "batches.meta.txt", b"cat\ndog\n");
    assert!(error.contains("names 2 classes; CIFAR-10 has 10"), "{error}");
    assert!(error_with(true, "batches.meta.txt", &[0xff, 0xfe]).contains("accepted: text in UTF-8"));
    let twice = names(10).join("\n").replace("class_7", "class_2");
    assert!(error_with(true, "batches.meta.txt", twice.as_bytes()).contains("names the class \"class_2\" twice"));
    let fewer = binary_file((8..11, one_label));
    assert!(error_with(true, "data_batch_3.bin", &fewer).contains("holds 3 images, but data_batch_1.bin holds 4"));
    let same = error_with(true, "data_batch_4.bin", &binary_file((4..8, one_label)));
    assert!(same.contains("holds the same images as data_batch_2.bin"), "{same}");
}

#[test]
fn a_pickle_must_match_its_batch() {
    let second = python_file((4..8, one_label));
    let error = error_with(false, "data_batch_4", &second);
    assert!(error.contains("is the \"training batch 2 of 5\"; its name says \"training batch 4 of 5\""), "{error}");
    assert!(error_with(false, "test_batch", &second).contains("its name says \"testing batch 1 of 1\""));
    let data = pickled::array(4, &(4..8).flat_map(pixels).collect::<Vec<_>>());
    let labels = pickled::numbers(&[4, 5, 6, 7]);
    let files = pickled::texts(&["a.png", "b.png", "c.png"]);
    let fewer = pickled::dict(&[("labels", labels), ("data", data), ("filenames", files)]);
    assert!(error_with(false, "data_batch_2", &fewer).contains("`filenames` has 3 entries, but `data` has 4 images"));
    let meta = |count: u8| {
        let names = names(10);
        let names = pickled::texts(&names.iter().map(String::as_str).collect::<Vec<_>>());
        pickled::dict(&[("num_cases_per_batch", vec![b'K', count]), ("label_names", names)])
    };
    let folder = tempfile::tempdir().unwrap();
    write_cifar_10(folder.path(), false);
    let read = |count| {
        fs::write(folder.path().join("batches.meta"), meta(count)).unwrap();
        CIFAR_10.read(folder.path()).map(|_| ()).map_err(|error| error.to_string())
    };
    let error = read(5).unwrap_err();
    assert!(error.contains("data_batch_1: holds 4 images, but the file of the names states 5"), "{error}");
    // The training files have this number; the test file has ten.
    let error = read(4).unwrap_err();
    assert!(error.contains("test_batch: holds 10 images, but the file of the names states 4"), "{error}");
    let name = pickled::dict(&[("label_names", [&b"]("[..], &pickled::text(&[0xe4]), b"e"].concat())]);
    fs::write(folder.path().join("batches.meta"), name).unwrap();
    let error = CIFAR_10.read(folder.path()).unwrap_err().to_string();
    assert!(error.contains("batches.meta: `label_names` holds a name that is not text in UTF-8"), "{error}");
}

#[test]
fn disturbed_files_give_the_same_images_or_an_error() {
    for binary in [true, false] {
        let Files { train, test, names, .. } = if binary { CIFAR_10.binary } else { CIFAR_10.python };
        let verdict = check_disturbed(
            100,
            |folder| write_cifar_10(folder, binary),
            |folder| Box::new(cifar10::SplitCifar10Config { directory: folder.to_owned(), ..Default::default() }),
            |disturbed| {
                let (one, other) = (disturbed.one_of(train), disturbed.one_of(train));
                match disturbed.below(7) {
                    0 => disturbed.truncate(one),
                    1 => disturbed.drop_file(one),
                    2 if one != other => disturbed.copy(one, other),
                    // A file of the Python version contains its own name. In the binary version, the order of files
                    // does not matter.
                    3 if one != other => disturbed.swap(one, other),
                    4 => disturbed.copy(one, test),
                    5 => disturbed.rename(one, "data_batch_6"),
                    // No other file repeats the names of the classes.
                    6 if binary => disturbed.change_lines(names, &[Change::Drop, Change::Double, Change::Windows]),
                    _ => disturbed.truncate(test),
                }
            },
        );
        assert!(verdict.refused > 60, "{verdict:?}");
    }
}

#[test]
fn damaged_pickles_are_refused() {
    let part: BatchSlice = (0..4, one_label);
    let whole = python_file(part);
    let error = error_with(false, "data_batch_2", &whole[..whole.len() / 2]);
    assert!(error.contains("ends in the middle of an instruction"), "{error}");
    let pixels = pickled::array(4, &[0; 4 * IMAGE_BYTES]);
    let case = |labels: &[u8]| pickled::dict(&[("data", pixels.clone()), ("labels", pickled::numbers(labels))]);
    let error = error_with(false, "test_batch", &case(&[1, 2, 3]));
    assert!(error.contains("`labels` has 3 labels, but `data` has 4 images"), "{error}");
    let error = error_with(false, "test_batch", &case(&[1, 2, 3, 10]));
    assert!(error.contains("`labels` has the label 10; accepted: 0 to 9"), "{error}");
    let texts = pickled::dict(&[("data", pixels.clone()), ("labels", pickled::texts(&["a"; 4]))]);
    assert!(error_with(false, "test_batch", &texts).contains("`labels` holds a text, not whole numbers"));
    let list = pickled::dict(&[("data", pickled::numbers(&[1])), ("labels", pickled::numbers(&[1]))]);
    assert!(error_with(false, "test_batch", &list).contains("`data` is not a numpy array"));
    let error = error_with(false, "batches.meta", &pickled::dict(&[("other", pickled::numbers(&[]))]));
    assert!(error.contains("without the key `label_names`"), "{error}");
}

#[test]
fn the_streams_are_splits_of_these_data() {
    let folder = tempfile::tempdir().unwrap();
    write_cifar_100(folder.path(), true);
    let mut table = json!({
        "kind": "split-cifar-100", "directory": folder.path(), "labels": "coarse", "tasks": 4, "classes_per_task": 5,
        "train_samples_per_class": 3, "first_classes": 2,
    });
    let read = |table: &serde_json::Value| serde_json::from_value::<Box<dyn StreamConfig>>(table.clone()).unwrap();
    let config = read(&table);
    assert_eq!((config.scenario(), config.files().len()), (Scenario::ClassShift, 3));
    let stream = config.build(Seed::new(0)).unwrap();
    let sizes: Vec<_> = (0..4).map(|index| stream.task(index).unwrap()).map(|task| task.train.len()).collect();
    assert_eq!(sizes, [6, 15, 15, 15], "three of each class");
    table["shift"] = "label-skew".into();
    table.as_object_mut().unwrap().remove("first_classes");
    let config = read(&table);
    let task = config.build(Seed::new(0)).unwrap().task(3).unwrap();
    assert_eq!((config.scenario(), task.head.classes.len()), (Scenario::LabelSkew, 5));
    write_cifar_10(folder.path(), true);
    let ten = read(&json!({"kind": "split-cifar-10", "directory": folder.path(), "tasks": 6}));
    let error = ten.build(Seed::new(0)).unwrap_err().to_string();
    assert!(error.contains("12 classes, but the data have 10"), "{error}");
    let ten = read(&json!({"kind": "split-cifar-10", "directory": folder.path()}));
    // Two training images and one test image of each class, and two classes per device.
    let task = ten.build(Seed::new(0)).unwrap().task(4).unwrap();
    assert_eq!((task.train.len(), task.test.len(), ten.files().len()), (4, 2, 7));
}

#[test]
fn files_of_the_corpus_that_are_cut_off_or_changed_do_not_panic() {
    let labelling = Labels::Fine.archive().labelling;
    let read = |bytes: &[u8], add: fn(&[u8], &Labelling, &mut Samples) -> Result<(), String>| {
        let mut samples = Samples::new(INPUT.into());
        let added = add(bytes, &labelling, &mut samples);
        assert!(samples.labels().iter().all(|label| *label < 100));
        added.map(|()| samples)
    };
    let seeds = replay::seeds("cifar-binary");
    assert_eq!(read(&seeds[0], binary::add).unwrap().labels(), [37]);
    replay::each(&seeds, |bytes| _ = read(bytes, binary::add));

    let seeds = replay::seeds("cifar-pickle");
    let names = |bytes: &[u8]| python::names_of(bytes, labelling.names_key);
    assert_eq!(names(&seeds[0]).unwrap(), ["apple", "bear"]);
    let add = |bytes: &[u8], labelling: &Labelling, samples: &mut Samples| python::add(bytes, labelling, None, samples);
    assert_eq!(read(&seeds[1], add).unwrap().labels(), [37]);
    replay::each(&seeds, |bytes| {
        let _ = (read(bytes, add), names(bytes));
    });
}
