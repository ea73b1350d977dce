//! Tests on small files in MATLAB's format, written byte by byte according to its documentation.

use std::fs;
use std::io::Write;

use alluvium_stream::conformance::check_disturbed;
use alluvium_stream::{Seed, StreamConfig};
use flate2::{Compression, write::ZlibEncoder};

use super::*;
use crate::SvhnConfig;

#[path = "../../../../../crates/stream/fuzz/replay.rs"]
mod replay;

/// The 128 bytes before the elements.
fn header() -> Vec<u8> {
    let mut header = b"MATLAB 5.0 MAT-file, Platform: GLNXA64, Created on: Mon Dec  5 21:09:26 2011".to_vec();
    header.resize(116, b' ');
    header.extend([0; 8]);
    header.extend([0, 1, b'I', b'M']);
    header
}

/// A data element: tag, data, padding.
fn element(kind: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = [kind.to_le_bytes(), (data.len() as u32).to_le_bytes()].concat();
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

/// A small data element: type, size and up to four bytes of data in eight bytes.
fn small(kind: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = [kind.to_le_bytes(), (data.len() as u16).to_le_bytes()].concat();
    bytes.extend(data);
    bytes.resize(8, 0);
    bytes
}

/// A numeric array of the given class, whose values are stored with the type `kind`.
fn array(name: &str, class: u8, dimensions: &[i32], kind: u32, values: &[u8]) -> Vec<u8> {
    let dimensions: Vec<_> = dimensions.iter().flat_map(|size| size.to_le_bytes()).collect();
    let flags = element(6, &[class, 0, 0, 0, 0, 0, 0, 0]);
    element(14, &[flags, element(5, &dimensions), small(1, name.as_bytes()), element(kind, values)].concat())
}

/// A compressed element; it is not padded.
fn compressed(inner: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(vec![], Compression::fast());
    encoder.write_all(inner).unwrap();
    let stream = encoder.finish().unwrap();
    [&15u32.to_le_bytes()[..], &(stream.len() as u32).to_le_bytes(), &stream].concat()
}

/// The value of a pixel.
fn value(image: usize, channel: usize, row: usize, column: usize) -> u8 {
    (7 * image + 50 * channel + 2 * row + column) as u8
}

/// X of `count` images; the first dimension (the row) varies fastest.
fn pixels(count: usize) -> Vec<u8> {
    let mut pixels = vec![];
    for image in 0..count {
        for channel in 0..3 {
            (0..32).for_each(|column| pixels.extend((0..32).map(|row| value(image, channel, row, column))));
        }
    }
    pixels
}

/// A file of images with these labels. `y` is of class double and stored as bytes, as MATLAB does.
fn file(labels: &[u8]) -> Vec<u8> {
    let count = labels.len() as i32;
    let images = array("X", 9, &[32, 32, 3, count], 2, &pixels(labels.len()));
    let labels = array("y", 6, &[count, 1], 2, labels);
    [header(), compressed(&images), compressed(&labels)].concat()
}

#[test]
fn disturbed_files_give_the_same_images_or_an_error() {
    let write = |folder: &Path| {
        fs::write(folder.join("train_32x32.mat"), file(&[1, 9, 10, 2, 3, 4, 5, 6, 7, 8])).unwrap();
        fs::write(folder.join("test_32x32.mat"), file(&[10, 2, 1, 3, 4, 5, 6, 7, 8, 9])).unwrap();
    };
    let verdict = check_disturbed(
        100,
        write,
        |folder| Box::new(SvhnConfig { directory: folder.to_owned(), ..Default::default() }),
        |disturbed| {
            let one = disturbed.one_of(&["train_32x32.mat", "test_32x32.mat"]);
            match disturbed.below(4) {
                0 => disturbed.truncate(one),
                1 => disturbed.drop_file(one),
                2 => disturbed.rename(one, "extra_32x32.mat"),
                // Nine labels for ten images, or the arrays in the other order.
                _ => {
                    let images = compressed(&array("X", 9, &[32, 32, 3, 10], 2, &pixels(10)));
                    let own: &[u8] = if one.starts_with("train") {
                        &[1, 9, 10, 2, 3, 4, 5, 6, 7, 8]
                    } else {
                        &[10, 2, 1, 3, 4, 5, 6, 7, 8, 9]
                    };
                    let count = disturbed.one_of(&[9, 10]);
                    let labels = array("y", 6, &[count as i32, 1], 2, &own[..count]);
                    disturbed.write(one, &[header(), compressed(&labels), images].concat(), "with y before X");
                }
            }
        },
    );
    assert!(verdict.same > 5 && verdict.refused > 60, "{verdict:?}");
}

#[test]
fn images_are_transposed_and_the_label_ten_is_the_digit_zero() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("train_32x32.mat"), file(&[1, 9, 10])).unwrap();
    fs::write(folder.path().join("test_32x32.mat"), file(&[10, 2])).unwrap();
    let data = read(folder.path()).unwrap();
    assert_eq!((data.class_names[0].as_str(), data.class_names.len(), data.input()), ("0", 10, [3, 32, 32].into()));
    assert_eq!((data.train.labels(), data.test.labels()), (&[1, 9, 0][..], &[0, 2][..]));
    let samples = data.train.read(&[2, 0]).unwrap();
    assert_eq!(samples.labels(), [0, 1]);
    for (index, image) in [(0, 2), (1, 0)] {
        for (channel, row, column) in [(0, 0, 0), (0, 0, 5), (0, 7, 0), (1, 31, 2), (2, 3, 31)] {
            let at = 1024 * channel + 32 * row + column;
            assert_eq!(samples.image(index)[at], value(image, channel, row, column), "{channel} {row} {column}");
        }
    }
    assert_eq!(paths(folder.path()).len(), 2);
}

#[test]
fn uncompressed_arrays_are_read_and_unknown_ones_skipped() {
    let images = array("X", 9, &[32, 32, 3, 1], 2, &pixels(1));
    let labels = array("y", 6, &[1, 1], 9, &3.0f64.to_le_bytes());
    let other = array("z", 9, &[1, 3], 2, &[1, 2, 3]);
    let digits = Digits::parse(&[header(), other, labels, images].concat()).unwrap();
    assert_eq!((digits.labels, digits.images.bytes().unwrap()[1]), (vec![3], value(0, 0, 1, 0)));
    let small =
        [element(6, &[9, 0, 0, 0, 0, 0, 0, 0]), element(5, &[1, 0, 0, 0, 1, 0, 0, 0]), small(1, b"y"), small(2, &[7])];
    let read = mat::read(&[header(), element(14, &small.concat())].concat(), &["y"]).unwrap();
    assert_eq!(read[0].numbers().unwrap(), [7.0]);
    for (kind, bytes) in [
        (1, vec![0xfe]),
        (3, (-2i16).to_le_bytes().to_vec()),
        (5, (-2i32).to_le_bytes().to_vec()),
        (7, (-2f32).to_le_bytes().to_vec()),
        (9, (-2f64).to_le_bytes().to_vec()),
    ] {
        let read = mat::read(&[header(), array("y", 6, &[1, 1], kind, &bytes)].concat(), &["y"]).unwrap();
        assert_eq!(read[0].numbers().unwrap(), [-2.0], "type {kind}");
    }
}

fn refused(bytes: &[u8]) -> String {
    Digits::parse(bytes).unwrap_err()
}

#[test]
fn files_that_are_wrong_are_refused() {
    assert!(refused(b"short").contains("shorter than the header"));
    assert!(refused(&[0; 200]).contains("not a MATLAB file of Level 5"));
    let mut big = header();
    big[124..].copy_from_slice(&[1, 0, b'M', b'I']);
    assert!(refused(&big).contains("big-endian"));
    assert!(refused(&header()).contains("does not hold the array X"));
    assert!(refused(&file(&[1, 11])).contains("y has the label 11 for image number 1; accepted: 1 to 10"));
    assert!(refused(&file(&[0])).contains("y has the label 0"));
    let with = |images: Vec<u8>, labels: Vec<u8>| refused(&[header(), images, labels].concat());
    let images = || array("X", 9, &[32, 32, 3, 2], 2, &pixels(2));
    let labels = || array("y", 6, &[2, 1], 2, &[1, 2]);
    assert!(with(images(), array("y", 6, &[1, 2], 2, &[1, 2])).contains("y has the shape [1, 2]; accepted: [2, 1]"));
    assert!(with(array("X", 9, &[32, 32, 6], 2, &pixels(2)), labels()).contains("accepted: [32, 32, 3, images]"));
    let shorts = array("X", 11, &[32, 32, 3, 2], 4, &[0; 2 * 2 * 3072]);
    assert!(with(shorts, labels()).contains("X is not of unsigned bytes"));
    let half = array("y", 6, &[2, 1], 7, &[1.5f32.to_le_bytes(), 1f32.to_le_bytes()].concat());
    assert!(with(images(), half).contains("y has the label 1.5"));
    assert!(with(images(), array("y", 4, &[2, 1], 2, &[1, 2])).contains("y is not an array of real numbers"));
    assert!(with(images(), array("y", 6, &[2, 1], 12, &[0; 16])).contains("numbers of the unknown type 12"));
}

#[test]
fn lying_sizes_and_truncation_are_refused() {
    let lies = array("X", 9, &[32, 32, 3, i32::MAX], 2, &pixels(1));
    assert!(refused(&[header(), lies].concat()).contains("states the shape"));
    let lies = array("X", 9, &[i32::MAX; 9], 2, &pixels(1));
    assert!(refused(&[header(), lies].concat()).contains("states the shape"));
    let negative = array("X", 9, &[-1, 32, 3, 1], 2, &pixels(1));
    assert!(refused(&[header(), negative].concat()).contains("negative size"));
    // An element that claims 4 GB, compressed and uncompressed.
    let mut claim = [14u32.to_le_bytes(), u32::MAX.to_le_bytes()].concat();
    claim.extend([0; 64]);
    assert!(refused(&[header(), claim.clone()].concat()).contains("cut short"));
    assert!(refused(&[header(), compressed(&claim)].concat()).contains("claims to have 4294967295 bytes"));
    claim[4..8].copy_from_slice(&1_000_000u32.to_le_bytes());
    assert!(refused(&[header(), compressed(&claim)].concat()).contains("shorter than it states"));
    let twice = [file(&[1]), compressed(&array("X", 9, &[32, 32, 3, 1], 2, &pixels(1)))].concat();
    assert!(refused(&twice).contains("holds two arrays X"));
    // Each of two elements is within the limit, but both together exceed it, regardless of their names.
    let element = array("z", 9, &[1, 1000], 2, &[0; 1000]);
    let both = [header(), compressed(&element), compressed(&element)].concat();
    assert!(mat::read_within(2 * element.len(), &both, &["X"]).unwrap().is_empty());
    let error = mat::read_within(2 * element.len() - 1, &both, &["X"]).unwrap_err();
    assert!(error.contains(&format!("claims to have {} bytes; accepted here: at most", element.len() - 8)), "{error}");
    let whole = file(&[1, 2]);
    for length in (128..whole.len()).step_by(7) {
        assert!(Digits::parse(&whole[..length]).is_err(), "cut at {length}");
    }
    let plain = [header(), array("y", 6, &[1, 1], 2, &[1])].concat();
    for length in 129..plain.len() - 8 {
        assert!(mat::read(&plain[..length], &["y"]).is_err(), "cut at {length}");
    }
}

#[test]
fn a_missing_file_is_named_with_where_to_get_it_and_the_stream_is_a_split() {
    let folder = tempfile::tempdir().unwrap();
    let all: Vec<_> = (1..=10).chain(1..=10).collect();
    fs::write(folder.path().join("train_32x32.mat"), file(&all)).unwrap();
    let config = SvhnConfig { directory: folder.path().to_owned(), ..Default::default() };
    let error = config.build(Seed::new(0)).unwrap_err().to_string();
    assert!(error.contains("test_32x32.mat: ") && error.contains("ufldl.stanford.edu"), "{error}");
    fs::write(folder.path().join("test_32x32.mat"), file(&all[..10])).unwrap();
    let stream = config.build(Seed::new(0)).unwrap();
    let task = stream.task(4).unwrap();
    assert_eq!((stream.tasks(), task.train.len(), task.test.len()), (5, 4, 2));
    let table = serde_json::json!({"kind": "svhn", "shift": "label-skew"});
    let read: Box<dyn StreamConfig> = serde_json::from_value(table).unwrap();
    assert_eq!(read.scenario(), alluvium_stream::Scenario::LabelSkew);
}

#[test]
fn files_of_the_corpus_that_are_cut_off_or_changed_do_not_panic() {
    let seeds = replay::seeds("svhn");
    assert_eq!(seeds.iter().map(|seed| Digits::parse(seed).is_ok()).collect::<Vec<_>>(), [true, false]);
    replay::each(&seeds, |bytes| {
        let Ok(digits) = Digits::parse(bytes) else { return };
        let indices: Vec<_> = (0..digits.labels().len().min(64)).collect();
        assert!(digits.read(&indices).unwrap().labels().iter().all(|label| *label < 10));
    });
}
