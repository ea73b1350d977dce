//! Tests on files with the hub's layout, written by the parquet crate, and on one that pyarrow wrote
//! (`tests/fixtures/generate.py`).

use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use alluvium_stream::{DataPart, Samples, Task};
use image::{ImageFormat, Rgb, RgbImage};
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::*;

mod agreement;
#[path = "../../../../crates/stream/fuzz/replay.rs"]
mod replay;

/// As `datasets` writes a column of images and a column of labels.
const SCHEMA: &str = "message schema {
    optional group img { optional binary bytes; optional binary path (UTF8); }
    optional int64 fine_label;
}";

fn png(side: u32, colour: [u8; 3]) -> Vec<u8> {
    let mut bytes = Cursor::new(vec![]);
    RgbImage::from_pixel(side, side, Rgb(colour)).write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// A row: a picture, or none, and a label, or none.
type Row = (Option<Vec<u8>>, Option<i64>);

/// Writes a file with row groups of `rows_of_group` rows, compressed by Snappy.
fn write(path: &Path, rows: &[Row], rows_of_group: usize, names: Option<&[&str]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, file(SCHEMA, rows, rows_of_group, names, Compression::SNAPPY)).unwrap();
}

/// The bytes of a file of a schema of such columns.
fn file(schema: &str, rows: &[Row], rows_of_group: usize, names: Option<&[&str]>, compression: Compression) -> Vec<u8> {
    let description = names.map(|names| {
        let features =
            serde_json::json!({"img": {"_type": "Image"}, "fine_label": {"names": names, "_type": "ClassLabel"}});
        let description = serde_json::json!({"info": {"features": features}}).to_string();
        vec![KeyValue::new("huggingface".to_owned(), description)]
    });
    let properties =
        WriterProperties::builder().set_compression(compression).set_key_value_metadata(description).build();
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(vec![], schema, Arc::new(properties)).unwrap();
    for rows in rows.chunks(rows_of_group) {
        let mut group = writer.next_row_group().unwrap();
        let bytes: Vec<_> = rows.iter().filter_map(|(bytes, _)| bytes.clone()).map(ByteArray::from).collect();
        // Either both levels exist, or the picture's fields are empty.
        let levels: Vec<_> = rows.iter().map(|(bytes, _)| if bytes.is_some() { 2 } else { 1 }).collect();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&bytes, Some(&levels), None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&[], Some(&vec![1; rows.len()]), None).unwrap();
        column.close().unwrap();
        let labels: Vec<_> = rows.iter().filter_map(|(_, label)| *label).collect();
        let levels: Vec<_> = rows.iter().map(|(_, label)| i16::from(label.is_some())).collect();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&labels, Some(&levels), None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
    }
    writer.into_inner().unwrap()
}

/// Rows with these numbers. The label is the number modulo 4; the colour encodes both.
fn rows(numbers: std::ops::Range<usize>) -> Vec<Row> {
    let row = |number: usize| (Some(png(4, [number as u8, (number % 4) as u8, 9])), Some(number as i64 % 4));
    numbers.map(row).collect()
}

/// Ten training rows in two files, of two and one row groups, and four test rows.
fn write_data(folder: &Path, names: Option<&[&str]>) {
    write(&folder.join("data/train-00000-of-00002.parquet"), &rows(0..7), 4, names);
    write(&folder.join("data/train-00001-of-00002.parquet"), &rows(7..10), 4, names);
    write(&folder.join("data/test-00000-of-00001.parquet"), &rows(100..104), 4, names);
}

fn config(folder: &Path) -> ParquetConfig {
    ParquetConfig { directory: Some(folder.to_owned()), tasks: 2, ..Default::default() }
}

fn tasks(config: &ParquetConfig) -> Vec<Task> {
    let stream = config.build(Seed::new(0)).unwrap();
    (0..stream.tasks()).map(|index| stream.task(index).unwrap()).collect()
}

fn error(config: &ParquetConfig) -> String {
    match config.build(Seed::new(0)) {
        Err(error) => error.to_string(),
        Ok(stream) => (0..stream.tasks()).find_map(|index| stream.task(index).err()).unwrap().to_string(),
    }
}

const NAMES: [&str; 4] = ["apple", "baby", "bear", "bed"];

#[test]
fn every_row_is_a_sample_of_its_class_from_any_file_and_group() {
    let folder = tempfile::tempdir().unwrap();
    write_data(folder.path(), Some(&NAMES));
    let config = config(folder.path());
    assert_eq!(config.build(Seed::new(0)).unwrap().class_names(), NAMES);
    let tasks = tasks(&config);
    let mut seen = vec![];
    for task in &tasks {
        assert_eq!((task.train.input(), task.test.len()), ([3, 4, 4].into(), 2));
        for (index, label) in task.train.labels().iter().enumerate() {
            let image = task.train.image(index);
            assert_eq!((image[0] as usize % 4, image[16] as usize, image[32]), (*label, *label, 9));
            seen.push(image[0]);
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..10).collect::<Vec<_>>());
    assert_eq!(config.files().len(), 3);
    let small = self::tasks(&ParquetConfig { size: Some(2), colour: false, ..config });
    assert_eq!(small[0].train.input(), [1, 2, 2].into());
}

#[test]
fn without_a_description_classes_have_numbers_as_names() {
    let folder = tempfile::tempdir().unwrap();
    write_data(folder.path(), None);
    assert_eq!(config(folder.path()).build(Seed::new(0)).unwrap().class_names(), ["0", "1", "2", "3"]);
}

#[test]
fn errors_name_the_problem() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    assert!(error(&config).contains("does not hold a Parquet file of the part \"train\""));
    assert!(config.files().is_empty());
    write_data(folder.path(), Some(&NAMES));
    assert!(error(&ParquetConfig { test_part: "valid".to_owned(), ..config.clone() }).contains("part \"valid\""));
    let column = |column: &str| Some(column.to_owned());
    let none = error(&ParquetConfig { label_column: column("label"), ..config.clone() });
    assert!(
        none.contains("not have a column label that is a column of labels") && none.contains("img.bytes, img.path"),
        "{none}"
    );
    assert!(
        error(&ParquetConfig { image_column: column("fine_label"), ..config.clone() })
            .contains("not have a column fine_label")
    );
    let both = ParquetConfig { image_column: column("img"), label_column: column("fine_label"), ..config.clone() };
    assert_eq!(tasks(&both).len(), 2);

    let test = folder.path().join("data/test-00000-of-00001.parquet");
    let with = |row: Row, names: &[&str]| {
        let mut rows = rows(100..104);
        rows[2] = row;
        write(&test, &rows, 3, Some(names));
        let error = error(&config);
        assert!(error.contains("data/t"), "{error}");
        error
    };
    assert!(with((None, Some(2)), &NAMES).contains("the picture in row 2 is not in the file"));
    assert!(with((Some(b"text".to_vec()), Some(2)), &NAMES).contains("the picture in row 2 cannot be decoded"));
    assert!(with((Some(png(5, [0; 3])), Some(2)), &NAMES).contains("the picture in row 2 is 5×5 pixels"));
    assert!(with((Some(png(4, [0; 3])), None), &NAMES).contains("has rows without a label"));
    assert!(with((Some(png(4, [0; 3])), Some(-1)), &NAMES).contains("has the label -1; accepted: 0 to"));
    assert!(with((Some(png(4, [0; 3])), Some(4)), &NAMES).contains("names 4 classes, but has the label 4"));
}

/// The labels of the rows, as `generate.py` prints them.
const LABELS: [usize; 10] = [0, 1, 1, 0, 1, 2, 0, 1, 1, 0];

#[test]
fn a_file_of_pyarrow_is_read_as_pyarrow_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    for part in ["train", "test"] {
        let file = folder.path().join(format!("data/{part}-00000-of-00001.parquet"));
        fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/images.parquet"), file).unwrap();
    }
    let config = ParquetConfig { tasks: 1, classes_per_task: 3, ..config(folder.path()) };
    assert_eq!(config.build(Seed::new(0)).unwrap().class_names(), ["cat", "dog", "fox"]);
    let task = tasks(&config).remove(0);
    assert_eq!((task.train.input(), task.train.len(), task.test.len()), ([3, 4, 6].into(), 10, 10));
    let mut rows = vec![];
    for (index, label) in task.train.labels().iter().enumerate() {
        let image = task.train.image(index);
        let row = usize::from(image[0]) / 20;
        assert_eq!((*label, image[0], image[24], image[48]), (LABELS[row], 20 * row as u8, 0, 0), "first pixel");
        assert_eq!((image[23], image[47], image[71]), (20 * row as u8, 50, 150), "last pixel");
        rows.push(row);
    }
    rows.sort_unstable();
    assert_eq!(rows, (0..10).collect::<Vec<_>>());
}

/// Reads a whole file: its samples, and the names of their classes.
fn whole(path: &Path) -> Result<(Samples, Vec<String>), StreamError> {
    let table = || Table::open(&[path.to_owned()], ColumnNames { image: None, label: None });
    let (mut table, mut other) = (table()?, table()?);
    let names = classes::share(&mut table, &mut other)?;
    let shape = table.shape(None, 3, Orientation::Apply)?;
    let pictures = table.into_pictures(shape);
    let indices: Vec<_> = (0..pictures.labels().len().min(64)).rev().collect();
    Ok((pictures.read(&indices)?, names))
}

#[test]
fn damaged_bytes_are_errors_that_name_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.parquet");
    replay::each(&replay::seeds("parquet"), |bytes| {
        // Overwriting a file may force a write to disk each time; a new file does not.
        let _ = fs::remove_file(&path);
        fs::write(&path, bytes).unwrap();
        match whole(&path) {
            Ok((samples, names)) => assert!(samples.labels().iter().all(|label| *label < names.len())),
            Err(error) => assert!(error.to_string().contains("data.parquet"), "{error}"),
        }
    });
}

#[test]
fn at_most_the_stated_number_of_labels_is_read() {
    let folder = tempfile::tempdir().unwrap();
    write_data(folder.path(), Some(&NAMES));
    let config = config(folder.path());
    let path = folder.path().join("data/test-00000-of-00001.parquet");
    // Rows without a picture and with one label take hardly any space.
    write(&path, &vec![(None, Some(3)); 100_000], 100_000, Some(&NAMES));
    let bytes = fs::read(&path).unwrap();
    // The number of rows as Thrift writes it: the tag of a 64-bit field, and 200 000, which is 100 000 with its sign as the
    // lowest bit, seven bits a byte: 64 + 26·2⁷ + 12·2¹⁴. The file, its row group and each column state it.
    let stated = [0x16, 0xc0, 0x9a, 0x0c];
    let offsets: Vec<_> = (0..bytes.len() - 4).filter(|at| bytes[*at..*at + 4] == stated).collect();
    assert_eq!(offsets.len(), 5);
    // 50 000: 32 + 13·2⁷ + 6·2¹⁴. 524 288: 2⁶·2¹⁴.
    for (other, expected) in [
        ([0xa0, 0x8d, 0x06], "states 50000 rows, but the column fine_label has more (row group 0)"),
        ([0x80, 0x80, 0x40], "states 524288 rows, but the column fine_label has 100000 (row group 0)"),
    ] {
        let with = |offsets: &[usize]| {
            let mut bytes = bytes.clone();
            offsets.iter().for_each(|at| bytes[at + 1..at + 4].copy_from_slice(&other));
            fs::write(&path, bytes).unwrap();
            error(&config)
        };
        assert!(with(&offsets).contains(expected), "{}", with(&offsets));
        // If only one of them states another number, they contradict each other: the file, the pictures, the labels,
        // the row group. The column of the pictures' names, between them, is not read.
        for index in [0, 1, 3, 4] {
            let error = with(&[offsets[index]]);
            assert!(error.contains("rows, but "), "{error}");
        }
    }
}

#[test]
fn damaged_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    write_data(folder.path(), Some(&NAMES));
    let config = config(folder.path());
    let path = folder.path().join("data/test-00000-of-00001.parquet");
    let whole = fs::read(&path).unwrap();
    for length in (0..whole.len()).step_by(97) {
        fs::write(&path, &whole[..length]).unwrap();
        let error = error(&config);
        assert!(error.contains("damaged, or not a readable Parquet file"), "cut at {length}: {error}");
    }
}

#[cfg(not(feature = "hub"))]
#[test]
fn a_repository_needs_a_build_that_can_fetch() {
    let config = ParquetConfig { repository: Some("uoft-cs/cifar100".to_owned()), ..Default::default() };
    let error = error(&config);
    assert!(error.contains("`repository` = \"uoft-cs/cifar100\"") && error.contains("the feature `hub`"), "{error}");
}

#[test]
fn options_of_one_source_are_refused_with_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let repository = Some("someone/pictures".to_owned());
    let error = self::error(&ParquetConfig { repository, ..config(folder.path()) });
    assert!(
        error.starts_with("`directory` = ") && error.contains("beside `repository` = \"someone/pictures\""),
        "{error}"
    );
    let error = self::error(&ParquetConfig { revision: Some("v2".to_owned()), ..config(folder.path()) });
    assert!(error.starts_with("`revision` = \"v2\" without `repository`; accepted: "), "{error}");
    let error = self::error(&ParquetConfig::default());
    assert!(error.starts_with("parquet: "), "{error}");
}

#[test]
fn the_options_are_keys_of_the_table() {
    let table = serde_json::json!({"kind": "parquet", "shift": "label-skew", "train_part": "training", "size": 32});
    let read: Box<dyn StreamConfig> = serde_json::from_value(table).unwrap();
    assert_eq!(read.scenario(), Scenario::LabelSkew);
}
