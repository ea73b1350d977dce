//! Tests of the stream on small files in all its formats, whole and damaged.

use std::collections::HashMap;
use std::fs;
use std::io::{Cursor, Write};

use alluvium_stream::ValueType;
use alluvium_stream::conformance::check_disturbed;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::*;

/// The bytes of a `.npy` file, written by hand: the header as numpy pads it, and the values.
fn npy(described: &str, fortran: bool, shape: &str, values: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let mut text = format!("{{'descr': '{described}', 'fortran_order': {order}, 'shape': {shape}, }}");
    while (10 + text.len() + 1) % 64 != 0 {
        text.push(' ');
    }
    text.push('\n');
    [&b"\x93NUMPY\x01\x00"[..], &(text.len() as u16).to_le_bytes(), text.as_bytes(), values].concat()
}

/// Inputs of 2×3 numbers: ten times the sample's number, plus the value's index.
fn input_bytes(samples: usize) -> Vec<u8> {
    let value = |sample: usize, index: usize| (10 * sample + index) as f32;
    (0..samples).flat_map(|sample| (0..6).flat_map(move |index| value(sample, index).to_le_bytes())).collect()
}

/// The labels 5, 7, 5, 7, …, and domains of four samples each.
fn label_bytes(samples: usize, domains: bool) -> Vec<u8> {
    let value = |sample: usize| if domains { sample / 4 } else { 5 + 2 * (sample % 2) };
    (0..samples).flat_map(|sample| (value(sample) as i64).to_le_bytes()).collect()
}

fn arrays(samples: usize) -> Vec<(&'static str, Vec<u8>)> {
    let shape = format!("({samples},)");
    vec![
        ("inputs", npy("<f4", false, &format!("({samples}, 2, 3)"), &input_bytes(samples))),
        ("labels", npy("<i8", false, &shape, &label_bytes(samples, false))),
        ("domains", npy("<i8", false, &shape, &label_bytes(samples, true))),
    ]
}

fn npz(arrays: &[(&str, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(vec![]));
    for (name, bytes) in arrays {
        let options = SimpleFileOptions::default().compression_method(method);
        writer.start_file(format!("{name}.npy"), options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn of_safetensors(samples: usize) -> Vec<u8> {
    let (inputs, labels, domains) = (input_bytes(samples), label_bytes(samples, false), label_bytes(samples, true));
    let view = |dtype, shape: Vec<usize>, bytes| TensorView::new(dtype, shape, bytes).unwrap();
    let tensors = HashMap::from([
        ("inputs", view(Dtype::F32, vec![samples, 2, 3], &inputs)),
        ("labels", view(Dtype::I64, vec![samples, 1], &labels)),
        ("domains", view(Dtype::I64, vec![samples], &domains)),
    ]);
    safetensors::serialize(tensors, None).unwrap()
}

/// Writes the same samples in all formats, and returns the configuration of each.
fn formats(folder: &Path) -> Vec<ArraysConfig> {
    let parts = |ending: &str| {
        let path = |part: &str| folder.join(format!("{part}{ending}"));
        ArraysConfig { train: path("train"), test: Some(path("test")), domains: Some("domains".to_owned()), ..config() }
    };
    let each = |config: &ArraysConfig, write: &dyn Fn(&Path, usize)| {
        write(&config.train, 12);
        write(config.test.as_ref().unwrap(), 8);
    };
    let (stored, deflated, flat, apart) = (parts("-stored.npz"), parts(".npz"), parts(".safetensors"), parts(""));
    each(&stored, &|path, samples| fs::write(path, npz(&arrays(samples), CompressionMethod::Stored)).unwrap());
    each(&deflated, &|path, samples| fs::write(path, npz(&arrays(samples), CompressionMethod::Deflated)).unwrap());
    each(&flat, &|path, samples| fs::write(path, of_safetensors(samples)).unwrap());
    each(&apart, &|path, samples| {
        fs::create_dir_all(path).unwrap();
        arrays(samples).iter().for_each(|(name, bytes)| fs::write(path.join(format!("{name}.npy")), bytes).unwrap());
    });
    vec![stored, deflated, flat, apart]
}

fn config() -> ArraysConfig {
    ArraysConfig {
        data: DataSplit { tasks: 2, classes_per_task: 1, class_order: Some(names()), ..DataSplit::default() },
        ..ArraysConfig::default()
    }
}

fn names() -> Vec<String> {
    vec!["7".to_owned(), "5".to_owned()]
}

#[test]
fn every_format_gives_the_same_samples() {
    let folder = tempfile::tempdir().unwrap();
    for config in formats(folder.path()) {
        let stream = config.build(Seed::new(0)).unwrap();
        let shown = config.train.display();
        assert_eq!((stream.input(), stream.value_type()), ([2, 3].into(), ValueType::Numbers), "{shown}");
        assert_eq!(stream.class_names(), ["5", "7"]);
        // The first task has the class 7: samples 1, 3, …
        let task = stream.task(0).unwrap();
        assert_eq!((task.train.len(), task.test.len(), task.train.labels()[0]), (6, 4, 1), "{shown}");
        assert_eq!(task.train.numbers(1), [30.0, 31.0, 32.0, 33.0, 34.0, 35.0], "{shown}");
        assert_eq!(task.test.numbers(1)[0], 30.0);
        assert!(!config.files().is_empty() && config.files().iter().all(|file| file.is_file()));
    }
}

#[test]
fn samples_are_split_by_every_shift() {
    let folder = tempfile::tempdir().unwrap();
    let config = formats(folder.path()).remove(0);
    for (shift, classes_per_task) in [("class", 1), ("domain", 2), ("class-and-domain", 1), ("label-skew", 2)] {
        let shift = serde_json::from_value(serde_json::json!(shift)).unwrap();
        let data = DataSplit { shift, classes_per_task, ..config.data.clone() };
        for test in [config.test.clone(), None] {
            let config = ArraysConfig { data: data.clone(), test, ..config.clone() };
            let stream = config.build(Seed::new(0)).unwrap_or_else(|error| panic!("{shift:?}: {error}"));
            assert_eq!(stream.tasks(), 2);
            assert!((0..2).all(|index| !stream.task(index).unwrap().train.is_empty()));
        }
    }
}

#[test]
fn bytes_are_pixels_and_rows_may_be_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let train = folder.path().join("bytes.npz");
    let inputs = npy("|u1", false, "(4, 2, 2)", &(0..16).map(|value| 17 * value).collect::<Vec<u8>>());
    let labels = npy("|u1", false, "(4,)", &[0, 1, 0, 1]);
    fs::write(&train, npz(&[("x", inputs), ("y", labels)], CompressionMethod::Stored)).unwrap();
    let of = |name: &str| Some(name.to_owned());
    let config = ArraysConfig {
        train,
        inputs: "x".to_owned(),
        labels: "y".to_owned(),
        test_inputs: of("x"),
        test_labels: of("y"),
        shape: Some(vec![1, 2, 2]),
        class_names: Some(vec!["cat".to_owned(), "dog".to_owned()]),
        data: DataSplit { tasks: 1, classes_per_task: 2, ..DataSplit::default() },
        ..ArraysConfig::default()
    };
    let stream = config.build(Seed::new(0)).unwrap();
    assert_eq!((stream.input(), stream.value_type()), ([1, 2, 2].into(), ValueType::default()));
    assert_eq!(
        (stream.class_names(), stream.task(0).unwrap().train.image(1)),
        (&config.class_names.clone().unwrap()[..], &[68, 85, 102, 119][..])
    );
    let wrong = ArraysConfig { shape: Some(vec![5]), ..config };
    let error = wrong.build(Seed::new(0)).unwrap_err().to_string();
    assert!(error.contains("\"x\" has rows of 2×2, 4 values; accepted: inputs of 5"), "{error}");
}

/// The error of a folder in which one array has other bytes.
fn error_with(name: &str, bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    for (own, bytes) in arrays(12) {
        fs::write(folder.path().join(format!("{own}.npy")), bytes).unwrap();
    }
    fs::write(folder.path().join(format!("{name}.npy")), bytes).unwrap();
    let config = ArraysConfig { train: folder.path().to_owned(), domains: Some("domains".to_owned()), ..config() };
    let found = config.build(Seed::new(0)).and_then(|stream| (0..2).try_for_each(|task| stream.task(task).map(|_| ())));
    let error = found.unwrap_err().to_string();
    assert!(error.contains(&format!("{name}.npy: ")), "{error}");
    error
}

#[test]
fn arrays_that_are_wrong_are_named_with_what_is_accepted() {
    let numbers = |value: f32| [&value.to_le_bytes()[..], &input_bytes(12)[4..]].concat();
    for (name, bytes, expected) in [
        ("inputs", npy("<f4", false, "(12, 2, 3)", &numbers(f32::NAN)), "\"inputs\" has NaN in row"),
        ("inputs", npy("<f4", true, "(12, 2, 3)", &input_bytes(12)), "Fortran order; accepted: C order"),
        ("inputs", npy("<f4", false, "(11, 2, 3)", &input_bytes(11)), "has 11 rows, but the array \"labels\""),
        ("inputs", npy("<f4", false, "(12, 2, 3)", &input_bytes(11)), "is damaged: its header states 288 bytes"),
        ("inputs", npy("<f4", false, "(4611686018427387904, 4)", &[]), "impossible shape"),
        ("inputs", npy("<c8", false, "(12,)", &[0; 96]), "values of type <c8; accepted: floats"),
        ("inputs", npy("<f4", false, "()", &[0; 4]), "is a single number"),
        ("inputs", b"PK\x03\x04 no array".to_vec(), "is not a .npy file"),
        ("labels", npy("<f8", false, "(12,)", &[0; 96]), "\"labels\" has values of type float64; accepted: whole"),
        ("labels", npy("<i8", false, "(12, 2)", &[0; 192]), "shape [12, 2]; accepted: one label for each row, [12]"),
        ("labels", npy("|i1", false, "(12,)", &[255; 12]), "has the label -1 in row 0; accepted: 0 or more"),
        ("domains", npy("|u1", false, "(3,)", &[0; 3]), "has 3 rows, but there are 12 inputs"),
    ] {
        let error = error_with(name, &bytes);
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn missing_arrays_and_labels_out_of_range_are_named() {
    let folder = tempfile::tempdir().unwrap();
    for own in formats(folder.path()) {
        let error = |config: ArraysConfig| config.build(Seed::new(0)).unwrap_err().to_string();
        let missing = error(ArraysConfig { inputs: "x_train".to_owned(), ..own.clone() });
        assert!(missing.contains("x_train") && missing.contains(&*own.train.to_string_lossy()), "{missing}");
        if own.train.is_file() {
            assert!(missing.contains("accepted: one of domains, inputs, labels"), "{missing}");
        }
        let range = error(ArraysConfig { class_names: Some(vec!["a".to_owned(); 6]), ..own.clone() });
        assert!(range.contains("\"labels\" has the label 7 in row 1; accepted: 0 to 5"), "{range}");
    }
    let plain = folder.path().join("one.npy");
    fs::write(&plain, &arrays(2)[0].1).unwrap();
    let error = ArraysConfig { train: plain, ..config() }.build(Seed::new(0)).unwrap_err().to_string();
    assert!(error.contains("one.npy: is a single array; accepted: a file .npz"), "{error}");
}

#[test]
fn disturbed_files_give_the_same_samples_or_an_error() {
    for format in 0..4 {
        let write = |folder: &Path| drop(formats(folder));
        let own = |folder: &Path| formats_of(folder).remove(format);
        let files: Vec<_> = match format {
            0 => vec!["train-stored.npz", "test-stored.npz"],
            1 => vec!["train.npz", "test.npz"],
            2 => vec!["train.safetensors", "test.safetensors"],
            _ => vec!["train/inputs.npy", "train/labels.npy", "test/inputs.npy", "test/labels.npy"],
        };
        let verdict = check_disturbed(
            40,
            write,
            |folder| Box::new(own(folder)),
            |disturbed| {
                let name = disturbed.one_of(&files);
                match disturbed.below(3) {
                    0 => disturbed.drop_file(name),
                    1 => disturbed.truncate(name),
                    _ => disturbed.write(name, b"", "empty"),
                }
            },
        );
        assert_eq!((verdict.same, verdict.refused), (0, 40));
    }
    // An archive has checksums: a changed byte is found, or lies where nothing is read.
    for format in 0..2 {
        let name = ["train-stored.npz", "train.npz"][format];
        let config = |folder: &Path| -> Box<dyn StreamConfig> { Box::new(formats_of(folder).remove(format)) };
        check_disturbed(
            60,
            |folder| drop(formats(folder)),
            config,
            |disturbed| {
                let folder = tempfile::tempdir().unwrap();
                let mut bytes = fs::read(&formats(folder.path())[format].train).unwrap();
                let at = disturbed.below(bytes.len());
                bytes[at] ^= 1 << disturbed.below(8);
                disturbed.write(name, &bytes, &format!("with a changed byte at {at}"));
            },
        );
    }
}

/// The configurations of [`formats`], without writing.
fn formats_of(folder: &Path) -> Vec<ArraysConfig> {
    let of = |ending: &str| {
        let path = |part: &str| folder.join(format!("{part}{ending}"));
        ArraysConfig { train: path("train"), test: Some(path("test")), domains: Some("domains".to_owned()), ..config() }
    };
    ["-stored.npz", ".npz", ".safetensors", ""].map(of).to_vec()
}
