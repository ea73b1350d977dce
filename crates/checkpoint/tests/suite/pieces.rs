//! Reading and writing tensors in pieces gives the same as reading and writing them whole.

use std::fs;
use std::io::{Cursor, Read as _, Write as _};
use std::ops::Range;
use std::path::Path;

use alluvium_checkpoint::{Checkpoint, Dtype, TensorInfo, Values, WriteOptions, Writer};

use crate::by_hand::{Entry, flat, zip_of};

/// Seventeen tensors by `torch.save`, of all types; some are views of a storage in another order.
fn mixed() -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mixed.pt")).unwrap()
}

/// The same archive with each entry changed.
fn repacked(change: impl Fn(&mut Entry)) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(Cursor::new(mixed())).unwrap();
    let mut entries = vec![];
    for index in 0..archive.len() {
        let mut found = archive.by_index(index).unwrap();
        let (name, mut bytes) = (found.name().unwrap().into_owned(), vec![]);
        found.read_to_end(&mut bytes).unwrap();
        let mut entry = Entry::stored(&name, &bytes);
        change(&mut entry);
        entries.push(entry);
    }
    zip_of(&entries)
}

fn open(bytes: Vec<u8>) -> Checkpoint {
    Checkpoint::from_reader(Cursor::new(bytes)).unwrap()
}

fn slice(values: &Values, range: Range<usize>) -> Values {
    match values {
        Values::Floats(values) => Values::Floats(values[range].to_vec()),
        Values::Doubles(values) => Values::Doubles(values[range].to_vec()),
        Values::Integers(values) => Values::Integers(values[range].to_vec()),
    }
}

/// Writes a model in pieces of `size` values.
fn write_in_pieces(checkpoint: &Checkpoint, path: &Path, size: usize) {
    let mut writer = Writer::create(path, checkpoint.tensors().cloned().collect(), &WriteOptions::default()).unwrap();
    while let Some(next) = writer.peek().cloned() {
        let whole = checkpoint.read(&next.name).unwrap().values;
        for start in (0..whole.len().max(1)).step_by(size) {
            writer.write_part(&next.name, &slice(&whole, start..whole.len().min(start + size))).unwrap();
        }
    }
    writer.finish().unwrap();
}

#[test]
fn pieces_are_parts_of_the_whole_in_every_kind_of_file() {
    let folder = tempfile::tempdir().unwrap();
    let safetensors = folder.path().join("model.safetensors");
    write_in_pieces(&open(mixed()), &safetensors, 2);
    let deflated = repacked(|entry| {
        let mut encoder = flate2::write::DeflateEncoder::new(vec![], flate2::Compression::default());
        encoder.write_all(&entry.bytes).unwrap();
        (entry.bytes, entry.method) = (encoder.finish().unwrap(), 8);
    });
    let files = [open(mixed()), open(deflated), Checkpoint::open(&safetensors).unwrap()];
    let whole = open(mixed());
    // The third file is left out, because its 64-bit floats were rounded to 32 bits.
    assert_eq!(files[1].digest().unwrap(), whole.digest().unwrap());
    for checkpoint in &files {
        let mut pieces = 0;
        for info in whole.tensors() {
            let values = whole.read(&info.name).unwrap().values;
            for start in 0..=values.len() {
                for end in start..=values.len() {
                    let piece = checkpoint.read_range(&info.name, start..end).unwrap();
                    assert_eq!(piece, slice(&values, start..end), "{}[{start}..{end}]", info.name);
                    pieces += 1;
                }
            }
        }
        // n values have (n + 1)(n + 2) / 2 ranges; the tensors have 6, 6, 2, 4, 4, 3, 2, 3, 3, 2, 0, 8, 1, 2, 2, 2 and 3.
        assert_eq!(pieces, 211);
    }
}

#[test]
fn bytes_are_taken_over_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let checkpoint = open(mixed());
    let mut writer = Writer::create(&path, checkpoint.tensors().cloned().collect(), &WriteOptions::default()).unwrap();
    let error = writer.write_bytes("brain", &[0; 3]).unwrap_err().to_string();
    assert!(error.contains("`brain` was given 3 bytes; accepted: a multiple of 2"), "{error}");
    while let Some(next) = writer.peek().cloned() {
        let (all, middle) = (next.elements(), next.elements() / 2);
        for piece in [0..middle, middle..all] {
            // A tensor with one value or none is complete after its first piece.
            if writer.peek().is_some_and(|still| still.name == next.name) {
                writer.write_bytes(&next.name, &checkpoint.read_bytes(&next.name, piece, true).unwrap()).unwrap();
            }
        }
    }
    writer.finish().unwrap();
    // The digest covers all bits, including those of F64 that 32 bits cannot hold.
    let copied = Checkpoint::open(&path).unwrap();
    assert_eq!(copied.digest().unwrap(), checkpoint.digest().unwrap());
    // generate.py: 0.1 and 1e-300.
    let doubles = [0.1_f64, 1e-300].map(f64::to_le_bytes).concat();
    assert_eq!(copied.read_bytes("double", 0..2, true).unwrap(), doubles);
}

#[test]
fn bytes_of_what_is_not_finite_are_refused() {
    let header = r#"{"w":{"dtype":"F64","shape":[2],"data_offsets":[0,16]}}"#;
    let bytes = [1e300, f64::INFINITY].map(f64::to_le_bytes).concat();
    let checkpoint = open(flat(header, &bytes));
    assert_eq!(checkpoint.read_bytes("w", 0..1, true).unwrap(), bytes[..8]);
    let error = checkpoint.read_bytes("w", 1..2, true).unwrap_err().to_string();
    assert!(error.contains("`w` holds a value that is not finite (inf at index 1)"), "{error}");
    assert_eq!(checkpoint.read_finite_range("w", 0..1).unwrap(), Values::Doubles(vec![1e300]));
    assert!(checkpoint.read_finite("w").unwrap_err().to_string().contains("(inf at index 1)"));
    assert_eq!(checkpoint.read_bytes("w", 0..2, false).unwrap(), bytes);
}

#[test]
fn a_range_outside_of_the_tensor_is_refused() {
    let checkpoint = open(mixed());
    let (backwards, far) = (Range { start: 2, end: 1 }, usize::MAX - 1..usize::MAX);
    for (range, shown) in [(0..7, "0..7"), (6..8, "6..8"), (backwards, "2..1"), (far, "18446744073709551614")] {
        let error = checkpoint.read_range("contiguous", range).unwrap_err().to_string();
        assert!(error.contains("`contiguous` has 6 values, but those of") && error.contains(shown), "{error}");
    }
    assert!(checkpoint.read_range("nobody", 0..0).unwrap_err().to_string().contains("`nobody` is missing"));
}

#[test]
fn what_is_wrong_is_named_by_its_place_in_the_whole_tensor() {
    let header = r#"{"t":{"dtype":"BOOL","shape":[4],"data_offsets":[0,4]},"w":{"dtype":"BF16","shape":[3],"data_offsets":[4,10]}}"#;
    let checkpoint = open(flat(header, &[0, 1, 1, 7, 0x80, 0x3f, 0x80, 0x3f, 0x80, 0xff]));
    assert_eq!(checkpoint.read_range("t", 0..3).unwrap(), Values::Integers(vec![0, 1, 1]));
    let error = checkpoint.read_range("t", 2..4).unwrap_err().to_string();
    assert!(error.contains("`t` holds the byte 7 at index 3"), "{error}");
    assert_eq!(checkpoint.read_finite_range("w", 0..2).unwrap(), Values::Floats(vec![1.0, 1.0]));
    let error = checkpoint.read_finite_range("w", 1..3).unwrap_err().to_string();
    assert!(error.contains("`w` holds a value that is not finite (-inf at index 2)"), "{error}");
}

#[test]
fn a_piece_of_what_is_damaged_is_not_handed_out() {
    let damaged = open(repacked(|entry| {
        if entry.name.contains("/data/") {
            entry.checksum ^= 1;
        }
    }));
    for name in ["contiguous", "transposed"] {
        let error = damaged.read_range(name, 0..1).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("hecksum"), "{error}");
    }
}

#[test]
fn parts_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let info = |name: &str, size| TensorInfo { name: name.to_owned(), dtype: Dtype::U8, shape: vec![size] };
    let create = || Writer::create(&path, vec![info("a", 3), info("b", 1)], &WriteOptions::default()).unwrap();
    let some = |values: &[i64]| Values::Integers(values.to_vec());

    let mut writer = create();
    writer.write_part("a", &some(&[1, 2])).unwrap();
    assert_eq!(writer.peek().unwrap().name, "a");
    let error = writer.write_part("b", &some(&[1])).unwrap_err().to_string();
    assert!(error.contains("`b` was given, but `a` is next"), "{error}");
    let error = writer.write_part("a", &some(&[1, 2])).unwrap_err().to_string();
    assert!(error.contains("`a` was declared with the shape [3], but has 4 values"), "{error}");
    let error = writer.finish().unwrap_err().to_string();
    assert!(error.contains("`a` was declared with the shape [3], but has 2 values"), "{error}");

    let mut writer = create();
    writer.write_part("a", &some(&[1, 2])).unwrap();
    let error = writer.write_part("a", &some(&[256])).unwrap_err().to_string();
    assert!(error.contains("`a` has the value 256 at index 2"), "{error}");
    assert!(writer.finish().is_err(), "a part of it may be written");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

    let mut writer = create();
    for part in [&[1, 2][..], &[], &[3]] {
        writer.write_part("a", &some(part)).unwrap();
    }
    writer.write("b", &some(&[4])).unwrap();
    writer.finish().unwrap();
    assert_eq!(Checkpoint::open(&path).unwrap().read("a").unwrap().values, some(&[1, 2, 3]));
}
