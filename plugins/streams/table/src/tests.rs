//! Tests of the stream on small tables, whole and damaged.

use std::fs;
use std::path::Path;
use std::sync::Arc as Shared;

use alluvium_stream::ValueType;
use alluvium_stream::conformance::{Change, check_disturbed};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::*;

/// Two classes in two places. The numbers of the class `a` are 1, 3, 1, 3; those of `b` are 10, 20, 10, 20.
const TRAIN: &str = "\
size,colour,place,label,note
1,red,north,a,x
3,blue,north,a,
1,red,south,a,y
3,red,south,a,z
10,green,north,b,
20,red,north,b,
10,green,south,b,
20,red,south,b,
";
const TEST: &str = "\
size,colour,place,label,note
5,violet,north,a,
30,red,south,b,
";

fn config(folder: &Path) -> TableConfig {
    TableConfig {
        train: folder.join("train.csv"),
        test: Some(folder.join("test.csv")),
        domain_column: Some("place".to_owned()),
        categorical_columns: vec!["colour".to_owned()],
        ignored_columns: vec!["note".to_owned()],
        data: DataSplit {
            tasks: 2,
            classes_per_task: 1,
            class_order: Some(vec!["a".to_owned(), "b".to_owned()]),
            ..DataSplit::default()
        },
        ..TableConfig::default()
    }
}

fn written() -> (tempfile::TempDir, TableConfig) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("train.csv"), TRAIN).unwrap();
    fs::write(folder.path().join("test.csv"), TEST).unwrap();
    let config = config(folder.path());
    (folder, config)
}

#[test]
fn each_device_standardises_by_its_own_training_samples() {
    let (_folder, config) = written();
    let stream = config.build(Seed::new(0)).unwrap();
    // The size, and blue, green and red.
    assert_eq!((stream.input(), stream.value_type()), ([4].into(), ValueType::Numbers));
    assert_eq!(stream.class_names(), ["a", "b"]);
    let inputs = |samples: &Samples| (0..samples.len()).map(|row| samples.numbers(row).to_vec()).collect::<Vec<_>>();
    // Mean 2 and deviation 1, so 1 and 3 become −1 and 1, and 5 becomes 3. Violet is not in the training part.
    let first = stream.task(0).unwrap();
    let [red, blue] = [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]];
    let row = |size: f32, colour: [f32; 3]| [&[size], &colour[..]].concat();
    assert_eq!(inputs(&first.train), [row(-1.0, red), row(1.0, blue), row(-1.0, red), row(1.0, red)]);
    assert_eq!(inputs(&first.test), [row(3.0, [0.0; 3])]);
    // Mean 15 and deviation 5: 30 becomes 3.
    let second = stream.task(1).unwrap();
    assert_eq!(inputs(&second.test), [row(3.0, red)]);
    assert_eq!(second.train.numbers(0), row(-1.0, [0.0, 1.0, 0.0]));
    let note = "no training row has the categories \"violet\" of the column \"colour\"; they become zeros";
    assert_eq!(stream.notes(), [note]);
}

#[test]
fn without_standardisation_numbers_stay_and_constants_are_only_shifted() {
    let (folder, config) = written();
    let plain = TableConfig { standardise: false, ..config.clone() }.build(Seed::new(0)).unwrap();
    assert_eq!(plain.task(0).unwrap().test.numbers(0)[0], 5.0);
    fs::write(folder.path().join("train.csv"), TRAIN.replace("3,", "1,")).unwrap();
    let constant = config.build(Seed::new(0)).unwrap().task(0).unwrap();
    assert_eq!((constant.train.numbers(0)[0], constant.test.numbers(0)[0]), (0.0, 4.0));
}

#[test]
fn rows_are_split_by_every_shift_with_and_without_test_rows() {
    let (_folder, config) = written();
    for (shift, classes_per_task) in [("class", 1), ("domain", 2), ("class-and-domain", 1), ("label-skew", 2)] {
        let shift = serde_json::from_value(serde_json::json!(shift)).unwrap();
        let data = DataSplit { shift, classes_per_task, tasks: 1, ..config.data.clone() };
        for test in [config.test.clone(), None] {
            let stream = TableConfig { data: data.clone(), test, ..config.clone() }.build(Seed::new(0));
            let task = stream.unwrap_or_else(|error| panic!("{shift:?}: {error}")).task(0).unwrap();
            assert!(!task.train.is_empty() && !task.test.is_empty(), "{shift:?}");
        }
    }
    // Categories are those of the rows that are not held out.
    let stream = TableConfig { test: None, ..config }.build(Seed::new(0)).unwrap();
    assert!((3..=4).contains(&stream.input().values()), "{}", stream.input());
}

#[test]
fn parquet_holds_the_same_table() {
    let (folder, config) = written();
    let expected = config.build(Seed::new(0)).unwrap();
    let path = folder.path().join("train.parquet");
    let schema = "message table { required double size; optional binary colour (UTF8); required int64 place; \
                  required binary label (UTF8); }";
    let schema = Shared::new(parse_message_type(schema).unwrap());
    let properties = Shared::new(WriterProperties::default());
    let mut writer = SerializedFileWriter::new(fs::File::create(&path).unwrap(), schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let texts = |texts: [&str; 8]| texts.map(ByteArray::from).to_vec();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<DoubleType>().write_batch(&[1.0, 3.0, 1.0, 3.0, 10.0, 20.0, 10.0, 20.0], None, None).unwrap();
    column.close().unwrap();
    let colours = texts(["red", "blue", "red", "red", "green", "red", "green", "red"]);
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&colours, Some(&[1; 8]), None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int64Type>().write_batch(&[0, 0, 1, 1, 0, 0, 1, 1], None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&texts(["a", "a", "a", "a", "b", "b", "b", "b"]), None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    let config = TableConfig { train: path.clone(), ignored_columns: vec![], test: None, ..config };
    let stream = config.build(Seed::new(0)).unwrap();
    assert_eq!((stream.input(), stream.class_names()), (expected.input(), expected.class_names()));
    let whole = fs::read(&path).unwrap();
    for length in [4, 50, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        let error = config.build(Seed::new(0)).unwrap_err().to_string();
        assert!(error.contains("train.parquet: is a damaged Parquet file"), "{error}");
    }
}

/// The error of a training file with this text, under changed options.
fn error(text: &str, change: impl Fn(TableConfig) -> TableConfig) -> String {
    let (folder, config) = written();
    fs::write(folder.path().join("train.csv"), text).unwrap();
    let error = change(config).build(Seed::new(0)).unwrap_err().to_string();
    assert!(error.contains("train.csv: "), "{error}");
    error
}

#[test]
fn tables_that_are_wrong_name_line_and_column() {
    let same = |config| config;
    for (text, expected) in [
        (TRAIN.replace("20,red", "?,red"), "line 7, column \"size\": \"?\" is not a number; accepted: a finite number"),
        (TRAIN.replace("20,red", "?,red").replace('\n', "\r\n"), "line 7, column \"size\": \"?\" is not a number"),
        (TRAIN.replace("1,red,north", ",red,north"), "line 2, column \"size\": is empty"),
        (TRAIN.replace("1,red,north", "inf,red,north"), "line 2, column \"size\": is inf"),
        (TRAIN.replace("north,a,x", "north,,x"), "line 2, column \"label\": has no label"),
        (TRAIN.replace("1,red,north,a,x", "1,red,north"), "found record with 3 fields"),
        (TRAIN.replace("size,", "label,"), "has two columns called \"label\", the second is number 4"),
        (
            TRAIN.replace("colour,", "color,"),
            "does not have the column \"colour\" of `categorical_columns`; accepted: one of size, color",
        ),
        ("size,colour,place,label,note\n".to_owned(), "does not have rows"),
    ] {
        let error = error(&text, same);
        assert!(error.contains(expected), "{error}");
    }
    let none = error(TRAIN, |config| TableConfig {
        ignored_columns: vec!["note".to_owned(), "size".to_owned(), "colour".to_owned()],
        categorical_columns: vec![],
        ..config
    });
    assert!(none.contains("has no column that is left for inputs"), "{none}");
    let missing = error(TRAIN, |config| TableConfig { label_column: "target".to_owned(), ..config });
    assert!(
        missing.contains("does not have the column \"target\" of `label_column`; accepted: one of size, colour"),
        "{missing}"
    );
}

#[test]
fn a_test_file_with_other_columns_and_a_wrong_delimiter_are_refused() {
    let (folder, config) = written();
    let wide = TableConfig { delimiter: "::".to_owned(), ..config.clone() };
    assert!(wide.build(Seed::new(0)).unwrap_err().to_string().contains("`delimiter` = \"::\"; accepted: one ASCII"));
    let text = TEST.replace("size", "length");
    fs::write(folder.path().join("test.csv"), text).unwrap();
    let error = config.build(Seed::new(0)).unwrap_err().to_string();
    assert!(error.contains("test.csv: does not have the column \"size\" of the training file"), "{error}");
    fs::write(folder.path().join("train.csv"), TRAIN.replace(',', ";")).unwrap();
    fs::write(folder.path().join("test.csv"), TEST.replace(',', ";")).unwrap();
    assert!(TableConfig { delimiter: ";".to_owned(), ..config }.build(Seed::new(0)).is_ok());
}

#[test]
fn disturbed_files_give_the_same_rows_or_an_error() {
    let write = |folder: &Path| {
        fs::write(folder.join("train.csv"), TRAIN).unwrap();
        fs::write(folder.join("test.csv"), TEST).unwrap();
    };
    let verdict = check_disturbed(
        60,
        write,
        |folder| Box::new(config(folder)),
        |disturbed| {
            let name = disturbed.one_of(&["train.csv", "test.csv"]);
            match disturbed.below(4) {
                0 => disturbed.drop_file(name),
                1 => disturbed.change_lines(name, &[Change::Windows]),
                2 => disturbed.write(name, b"", "empty"),
                _ => {
                    let text = if name == "train.csv" { TRAIN } else { TEST };
                    // A line of fewer cells than the others.
                    let commas: Vec<_> = text.match_indices(',').map(|(at, _)| at).collect();
                    let cut = &text[..disturbed.one_of(&commas)];
                    disturbed.write(name, cut.as_bytes(), &format!("cut at {} bytes", cut.len()));
                }
            }
        },
    );
    assert!(verdict.same > 0 && verdict.refused > 0, "{verdict:?}");
}
