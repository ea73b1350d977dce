//! Tests on files that contradict each other or themselves.

use alluvium_stream::conformance::check_disturbed;
use parquet::basic::{BrotliLevel, GzipLevel, ZstdLevel};

use super::*;

/// Rows with these numbers, whose labels are indices into this order of the classes. The colour encodes the number and
/// the index in [`NAMES`].
fn rows_in(order: &[&str], numbers: std::ops::Range<usize>) -> Vec<Row> {
    let row = |number: usize| {
        let label = order.iter().position(|name| *name == NAMES[number % 4]);
        (Some(png(4, [number as u8, (number % 4) as u8, 9])), label.map(|label| label as i64))
    };
    numbers.map(row).collect()
}

/// Another order of the same classes.
const TURNED: [&str; 4] = ["bed", "apple", "bear", "baby"];

/// Checks that every sample has the class whose index in [`NAMES`] its colour encodes.
fn assert_right(config: &ParquetConfig, names: &[&str], train: usize, test: usize) {
    assert_eq!(config.build(Seed::new(0)).unwrap().class_names(), names);
    let tasks = tasks(config);
    let (of_train, of_test): (Vec<_>, Vec<_>) = tasks.into_iter().map(|task| (task.train, task.test)).unzip();
    for (all, samples) in [(train, of_train), (test, of_test)] {
        assert_eq!(samples.iter().map(Samples::len).sum::<usize>(), all);
        for samples in samples {
            for (index, label) in samples.labels().iter().enumerate() {
                assert_eq!(names[*label], NAMES[usize::from(samples.image(index)[16])]);
            }
        }
    }
}

#[test]
fn parts_that_state_their_classes_in_different_orders_are_matched_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write(&path("train-00000-of-00001.parquet"), &rows_in(&NAMES, 0..8), 4, Some(&NAMES));
    write(&path("test-00000-of-00001.parquet"), &rows_in(&TURNED, 100..104), 4, Some(&TURNED));
    assert_right(&config(folder.path()), &NAMES, 8, 4);
    // The order is that of the training part.
    write(&path("train-00000-of-00001.parquet"), &rows_in(&TURNED, 0..8), 4, Some(&TURNED));
    assert_right(&config(folder.path()), &TURNED, 8, 4);
}

#[test]
fn shards_that_state_their_classes_in_different_orders_are_matched_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write(&path("train-00000-of-00003.parquet"), &rows_in(&NAMES, 0..5), 4, Some(&NAMES));
    write(&path("train-00001-of-00003.parquet"), &rows_in(&TURNED, 5..9), 3, Some(&TURNED));
    // Without rows, and so without names.
    write(&path("train-00002-of-00003.parquet"), &[], 4, None);
    write(&path("test-00000-of-00002.parquet"), &rows_in(&TURNED, 100..104), 4, Some(&TURNED));
    write(&path("test-00001-of-00002.parquet"), &rows_in(&NAMES, 104..108), 4, Some(&NAMES));
    assert_right(&config(folder.path()), &NAMES, 9, 8);
}

#[test]
fn files_that_state_other_classes_or_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = ("data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet");
    let test = "data/test-00000-of-00001.parquet";
    let with = |name: &str, names: Option<&[&str]>| {
        write_data(folder.path(), Some(&NAMES));
        write(&folder.path().join(name), &rows(200..204), 4, names);
        let error = error(&config(folder.path()));
        assert!(error.starts_with(&*folder.path().join(name).to_string_lossy()), "{error}");
        error
    };
    for name in [second, test] {
        assert!(with(name, None).contains("does not state the names of its classes, but "));
        let renamed = with(name, Some(&["apple", "baby", "bear", "bench"]));
        assert!(renamed.contains("names the class \"bench\", which ") && renamed.contains(first), "{renamed}");
        let fewer = with(name, Some(&NAMES[..3]));
        assert!(fewer.contains("does not name the class \"bed\", which "), "{fewer}");
        let more = with(name, Some(&["apple", "baby", "bear", "bed", "bee"]));
        assert!(more.contains("names the class \"bee\", which "), "{more}");
        assert!(with(name, Some(&["apple", "baby", "bear", "baby"])).contains("names the class \"baby\" twice"));
    }
    assert!(with(first, None).contains("does not state the names of its classes, but "));
}

#[test]
fn an_incomplete_part_is_refused_with_the_name_of_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    write_data(folder.path(), Some(&NAMES));
    let data = folder.path().join("data");
    fs::remove_file(data.join("train-00001-of-00002.parquet")).unwrap();
    let missing = error(&config(folder.path()));
    assert!(missing.contains("lacks data/train-00001-of-00002.parquet"), "{missing}");
    fs::rename(data.join("train-00000-of-00002.parquet"), data.join("train-00001-of-00002.parquet")).unwrap();
    let missing = error(&config(folder.path()));
    assert!(missing.contains("lacks data/train-00000-of-00002.parquet"), "{missing}");
    // As the hub converts files.
    let converted = |part: &str, number: usize| folder.path().join(format!("default/{part}/000{number}.parquet"));
    let config = ParquetConfig { directory: Some(folder.path().join("default")), ..config(folder.path()) };
    write(&converted("test", 0), &rows(100..104), 4, Some(&NAMES));
    for number in [0, 1, 2] {
        write(&converted("train", number), &rows(4 * number..4 * number + 4), 4, Some(&NAMES));
    }
    assert_right(&config, &NAMES, 12, 4);
    fs::remove_file(converted("train", 1)).unwrap();
    assert!(error(&config).contains("lacks train/0001.parquet, but has train/0002.parquet"));
}

#[test]
fn columns_of_other_names_and_other_numbers_of_rows_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    write_data(folder.path(), Some(&NAMES));
    let second = folder.path().join("data/train-00001-of-00002.parquet");
    let schema = SCHEMA.replace("fine_label", "coarse_label");
    fs::write(&second, file(&schema, &rows(7..10), 4, None, Compression::SNAPPY)).unwrap();
    let error = error(&config(folder.path()));
    assert!(error.contains("its column of labels is coarse_label, but that of "), "{error}");
    assert!(error.contains("train-00000-of-00002.parquet is fine_label; accepted: one name in all files"), "{error}");
}

#[test]
fn every_compression_of_the_hub_is_read_and_another_is_named() {
    let folder = tempfile::tempdir().unwrap();
    write_data(folder.path(), Some(&NAMES));
    let right = tasks(&config(folder.path()));
    let write = |compression: Compression| {
        for (name, numbers) in [("train-00000-of-00002", 0..7), ("train-00001-of-00002", 7..10)] {
            let bytes = file(SCHEMA, &rows(numbers), 4, Some(&NAMES), compression);
            fs::write(folder.path().join(format!("data/{name}.parquet")), bytes).unwrap();
        }
    };
    for compression in [
        Compression::UNCOMPRESSED,
        Compression::ZSTD(ZstdLevel::default()),
        Compression::GZIP(GzipLevel::default()),
        Compression::BROTLI(BrotliLevel::default()),
        Compression::LZ4_RAW,
    ] {
        write(compression);
        for (task, right) in tasks(&config(folder.path())).iter().zip(&right) {
            assert_eq!(task.digest().unwrap(), right.digest().unwrap(), "{compression:?}");
        }
    }
    write(Compression::LZ4);
    let error = error(&config(folder.path()));
    assert!(
        error.contains("is compressed by LZ4 in the deprecated frames of Hadoop; accepted: no compression"),
        "{error}"
    );
}

#[test]
fn labels_that_compress_extremely_well_are_read() {
    // A million rows of one label, 8 MB, which zstd packs into a few hundred bytes.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("labels.parquet");
    let rows = vec![(None, Some(3)); 1_000_000];
    fs::write(&path, file(SCHEMA, &rows, 1_000_000, None, Compression::ZSTD(ZstdLevel::default()))).unwrap();
    let table = Table::open(&[path], ColumnNames { image: None, label: None }).unwrap();
    assert_eq!(table.files().next().unwrap().labels, vec![3; 1_000_000]);
}

#[test]
fn pages_that_hold_more_than_they_claim_are_refused_before_they_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb.parquet");
    // A picture of 4 MB of zeros takes a few kB. Then the page's size, as Thrift writes it, is changed to a few bytes.
    let picture = vec![0; 4 << 20];
    for compression in [Compression::GZIP(GzipLevel::default()), Compression::BROTLI(BrotliLevel::default())] {
        let bytes = file(SCHEMA, &[(Some(picture.clone()), Some(0))], 1, None, compression);
        // A page of a dictionary: the type 2 (15 04), then field 2 (15), the size as a varint of its zigzag.
        let at = bytes.windows(3).position(|window| window == [0x15, 0x04, 0x15]).unwrap() + 3;
        let length = bytes[at..].iter().position(|byte| *byte < 0x80).unwrap() + 1;
        let mut changed = bytes.clone();
        // The same number of bytes, but only the lowest seven bits.
        changed[at] |= 0x80;
        changed[at + 1..at + length - 1].fill(0x80);
        changed[at + length - 1] = 0;
        fs::write(&path, &changed).unwrap();
        let error = whole(&path).unwrap_err().to_string();
        assert!(error.contains("bytes when it is unpacked, but has more"), "{compression:?}: {error}");
    }
}

#[test]
fn pictures_are_turned_by_default_as_the_library_datasets_does() {
    let folder = tempfile::tempdir().unwrap();
    // 3×2 pixels, reds 0 to 5, and the orientation 6: turned clockwise.
    let mut bytes = Cursor::new(vec![]);
    let picture = RgbImage::from_fn(3, 2, |x, y| Rgb([(3 * y + x) as u8, 0, 0]));
    let mut encoder = image::codecs::png::PngEncoder::new(&mut bytes);
    let exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    image::ImageEncoder::set_exif_metadata(&mut encoder, exif.to_vec()).unwrap();
    picture.write_with_encoder(encoder).unwrap();
    let row = (Some(bytes.into_inner()), Some(0));
    for part in ["train", "test"] {
        write(
            &folder.path().join(format!("{part}-00000-of-00001.parquet")),
            std::slice::from_ref(&row),
            1,
            Some(&["a"]),
        );
    }
    let applied = ParquetConfig { tasks: 1, classes_per_task: 1, ..config(folder.path()) };
    let ignored = ParquetConfig { orientation: Orientation::Ignore, ..applied.clone() };
    let image = |config: &ParquetConfig| {
        let task = tasks(config).remove(0);
        (task.train.input().sizes().to_vec(), task.train.image(0)[..6].to_vec())
    };
    assert_eq!(image(&applied), (vec![3, 3, 2], vec![3, 0, 4, 1, 5, 2]));
    assert_eq!(image(&ignored), (vec![3, 2, 3], vec![0, 1, 2, 3, 4, 5]));
}

#[test]
fn disturbed_files_give_the_same_pictures_or_an_error() {
    let parts = [("train", 3, 0), ("test", 2, 100)];
    let name = |part: &str, number: usize, count: usize| format!("data/{part}-{number:05}-of-{count:05}.parquet");
    let numbers = |first: usize, number: usize| first + 5 * number..first + 5 * number + 5;
    let write = |folder: &Path| {
        for (part, count, first) in parts {
            for number in 0..count {
                let path = folder.join(name(part, number, count));
                super::write(&path, &rows_in(&NAMES, numbers(first, number)), 3, Some(&NAMES));
            }
        }
    };
    let verdict = check_disturbed(
        200,
        write,
        |folder| Box::new(config(folder)),
        |disturbed| {
            let (part, count, first) = disturbed.one_of(&parts);
            let number = disturbed.below(count);
            let one = name(part, number, count);
            let turn = disturbed.below(4);
            let mut order = NAMES;
            order.rotate_left(turn);
            order.swap(0, disturbed.below(4));
            let rows = rows_in(&order, numbers(first, number));
            let bytes = |names: Option<&[&str]>| file(SCHEMA, &rows, 3, names, Compression::SNAPPY);
            let what = disturbed.below(9);
            match what {
                0 => disturbed.drop_file(&one),
                1 => disturbed.truncate(&one),
                2 => disturbed.rename(&one, &name(part, count + number, count)),
                3 => disturbed.rename(&one, &name(part, number, count + 1)),
                4 => disturbed.rename(&one, &name("other", number, count)),
                5 => {
                    let mut renamed = order;
                    renamed[disturbed.below(4)] = "wasp";
                    disturbed.write(&one, &bytes(Some(&renamed)), "with a class of another name");
                }
                6 => {
                    let text = if number == 0 { None } else { Some(&order[..3]) };
                    disturbed.write(&one, &bytes(text), "with no names, or fewer");
                }
                _ => disturbed.write(&one, &bytes(Some(&order)), "with classes in another order"),
            }
        },
    );
    assert!(verdict.same > 20 && verdict.refused > 100, "{verdict:?}");
}
