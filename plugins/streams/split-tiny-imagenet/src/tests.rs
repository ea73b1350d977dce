//! Tests on a miniature of the archive, with the same formats.

use std::fs;
use std::path::Path;

use alluvium_stream::Task;
use alluvium_stream::conformance::{Change, check_disturbed};
use image::codecs::jpeg::JpegEncoder;
use image::{GrayImage, Luma, Rgb, RgbImage};

use super::*;

#[path = "../../../../crates/stream/fuzz/replay.rs"]
mod replay;

/// Four classes; the first two have a first word in common.
const IDS: [&str; 4] = ["n02012849", "n03126707", "n01443537", "n09999999"];
const WORDS: &str = "n00001740\tentity\nn01443537\tgoldfish, Carassius auratus\nn02012849\tcrane\nn03126707\tcrane\n";

/// The grey of all pixels of a picture.
fn shade(label: usize, number: usize) -> u8 {
    (40 * label + 10 * number) as u8
}

fn write_jpeg(path: &Path, shade: u8, grey: bool) {
    let mut bytes = vec![];
    let encoder = JpegEncoder::new_with_quality(&mut bytes, 100);
    if grey {
        GrayImage::from_pixel(64, 64, Luma([shade])).write_with_encoder(encoder).unwrap()
    } else {
        RgbImage::from_pixel(64, 64, Rgb([shade; 3])).write_with_encoder(encoder).unwrap()
    }
    fs::write(path, bytes).unwrap();
}

/// Writes three training images and one validation image of each class; one in each class is grey.
fn write_data(folder: &Path) {
    fs::write(folder.join("wnids.txt"), IDS.join("\n") + "\n").unwrap();
    fs::write(folder.join("words.txt"), WORDS).unwrap();
    fs::create_dir_all(folder.join("val/images")).unwrap();
    let mut annotations = String::new();
    for (label, id) in IDS.iter().enumerate() {
        let class = folder.join("train").join(id);
        fs::create_dir_all(class.join("images")).unwrap();
        fs::write(class.join(format!("{id}_boxes.txt")), "").unwrap();
        for number in 0..3 {
            write_jpeg(&class.join(format!("images/{id}_{number}.JPEG")), shade(label, number), number == 1);
        }
        // The validation images come in another order than the classes.
        let number = IDS.len() - 1 - label;
        write_jpeg(&folder.join(format!("val/images/val_{number}.JPEG")), shade(label, 3), false);
        annotations.insert_str(0, &format!("val_{number}.JPEG\t{id}\t0\t32\t44\t62\n"));
    }
    fs::write(folder.join("val/val_annotations.txt"), annotations).unwrap();
}

fn config(folder: &Path) -> SplitTinyImagenetConfig {
    SplitTinyImagenetConfig { directory: folder.to_owned(), tasks: 2, classes_per_task: 2, ..Default::default() }
}

fn tasks(config: &SplitTinyImagenetConfig) -> Vec<Task> {
    let stream = config.build(Seed::new(0)).unwrap();
    (0..stream.tasks()).map(|index| stream.task(index).unwrap()).collect()
}

#[test]
fn every_picture_is_a_sample_of_its_class_even_if_it_is_grey() {
    let folder = tempfile::tempdir().unwrap();
    write_data(folder.path());
    let tasks = tasks(&config(folder.path()));
    for task in &tasks {
        assert_eq!((task.train.input(), task.train.len(), task.test.len()), ([3, 64, 64].into(), 6, 2));
        for (samples, numbers) in [(&task.train, 0..3), (&task.test, 3..4)] {
            for (index, label) in samples.labels().iter().enumerate() {
                let number = numbers.start + index % numbers.len();
                let image = samples.image(index);
                // JPEG changes a uniform grey by at most two steps.
                let near = |value: &u8| value.abs_diff(shade(*label, number)) <= 2;
                assert!(image.len() == 3 * 64 * 64 && image.iter().all(near), "{label}, {number}: {}", image[0]);
            }
        }
    }
    let stream = config(folder.path()).build(Seed::new(0)).unwrap();
    assert_eq!(stream.class_names(), ["crane (n02012849)", "crane (n03126707)", "goldfish", "n09999999"]);
    assert_eq!(config(folder.path()).files().len(), 3 + 12 + 4);
}

#[test]
fn a_missing_file_is_named_with_where_to_get_it() {
    let folder = tempfile::tempdir().unwrap();
    let error = || config(folder.path()).build(Seed::new(0)).unwrap_err().to_string();
    assert!(error().contains("wnids.txt") && error().contains("tiny-imagenet-200.zip"), "{}", error());
    write_data(folder.path());
    fs::remove_dir_all(folder.path().join("train/n01443537")).unwrap();
    assert!(error().contains("n01443537") && error().contains("tiny-imagenet-200.zip"), "{}", error());
    assert!(config(folder.path()).files().is_empty());
}

/// The error of the stream, or of one of its tasks, after one file of a valid data set was replaced.
fn error_with(name: &str, bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    write_data(folder.path());
    fs::write(folder.path().join(name), bytes).unwrap();
    let error = match config(folder.path()).build(Seed::new(0)) {
        Err(error) => error,
        Ok(stream) => (0..2).find_map(|index| stream.task(index).err()).expect("a task that cannot be read"),
    };
    let error = error.to_string();
    assert!(error.contains(name) && !error.contains("tiny-imagenet-200.zip"), "{error}");
    error
}

#[test]
fn files_that_are_wrong_are_refused() {
    assert!(error_with("wnids.txt", b"n01443537\n../../etc\n").contains("has the line \"../../etc\""));
    assert!(error_with("wnids.txt", b"\n").contains("does not name a class"));
    let annotations =
        |line: &str| error_with("val/val_annotations.txt", format!("val_0.JPEG\tn01443537\n{line}").as_bytes());
    assert!(annotations("val_1.JPEG n01443537").contains("line 2 does not have a tab"));
    assert!(annotations("val_1.JPEG\tn00000001\t0").contains("line 2 has the unknown class \"n00000001\""));
    assert!(annotations("../val_1.JPEG\tn01443537").contains("line 2 does not name a file of val/images"));
    let picture = "train/n01443537/images/n01443537_2.JPEG";
    assert!(error_with(picture, b"").contains("cannot be decoded"));
    let mut small = vec![];
    RgbImage::new(32, 64).write_with_encoder(JpegEncoder::new(&mut small)).unwrap();
    assert!(error_with(picture, &small).contains("is 32×64 pixels (width × height); accepted: 64×64"));
    assert!(error_with(picture, &small[..small.len() / 3]).contains("cannot be decoded"));
}

#[test]
fn lists_and_folders_must_match() {
    let error = |change: &dyn Fn(&Path)| {
        let folder = tempfile::tempdir().unwrap();
        write_data(folder.path());
        change(folder.path());
        config(folder.path()).build(Seed::new(0)).map(|_| ()).unwrap_err().to_string()
    };
    let missing = error(&|folder| fs::remove_file(folder.join("val/images/val_2.JPEG")).unwrap());
    assert!(missing.contains("val_2.JPEG: does not exist, but ") && missing.contains("val_annotations.txt"));
    let annotations = |folder: &Path| folder.join("val/val_annotations.txt");
    // The first three of four lines.
    let fewer = error(&|folder| {
        let text = fs::read_to_string(annotations(folder)).unwrap();
        let lines: Vec<_> = text.lines().take(3).collect();
        fs::write(annotations(folder), lines.join("\n")).unwrap();
    });
    assert!(fewer.contains("val_annotations.txt: does not name val_3.JPEG, which exists"), "{fewer}");
    let again = error(&|folder| {
        let text = fs::read_to_string(annotations(folder)).unwrap();
        fs::write(annotations(folder), text.replace("val_1.JPEG", "val_0.JPEG")).unwrap();
    });
    assert!(again.contains("val_annotations.txt: line 2 names val_0.JPEG again"), "{again}");
    let fewer = error(&|folder| fs::write(folder.join("wnids.txt"), IDS[..3].join("\r\n")).unwrap());
    assert!(fewer.contains("wnids.txt: does not name n09999999, but train holds a folder for it"), "{fewer}");
    let twice = error(&|folder| fs::write(folder.join("wnids.txt"), [IDS[0], IDS[1], IDS[0]].join("\n")).unwrap());
    assert!(twice.contains("wnids.txt: names the class n02012849 twice"), "{twice}");
    let other = error(&|folder| fs::write(folder.join("words.txt"), format!("{WORDS}n01443537\tcarp\n")).unwrap());
    assert!(other.contains("words.txt: calls n01443537 \"goldfish\" in one line and \"carp\""), "{other}");
    let boxes = |names: &'static str| {
        error(&move |folder| fs::write(folder.join("train/n01443537/n01443537_boxes.txt"), names).unwrap())
    };
    let all = "n01443537_0.JPEG\t0\t10\t63\t58\nn01443537_1.JPEG\t6\t7\t63\t63\n";
    assert!(boxes(all).contains("n01443537_boxes.txt: does not name n01443537_2.JPEG, which exists"));
    assert!(boxes("n01443537_3.JPEG\t0\t0\t1\t1\n").contains("n01443537_3.JPEG: does not exist"));
}

#[test]
fn lists_with_a_byte_order_mark_and_lines_of_windows_are_read_the_same() {
    let folder = tempfile::tempdir().unwrap();
    write_data(folder.path());
    let names = || config(folder.path()).build(Seed::new(0)).unwrap().class_names().to_vec();
    let before = names();
    for name in ["wnids.txt", "words.txt", "val/val_annotations.txt"] {
        let path = folder.path().join(name);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("\u{feff}{}", text.replace('\n', "\r\n"))).unwrap();
    }
    assert_eq!(names(), before);
    assert_eq!(tasks(&config(folder.path())).iter().map(|task| task.train.len()).sum::<usize>(), 12);
}

#[test]
fn disturbed_files_give_the_same_pictures_or_an_error() {
    let write = |folder: &Path| {
        write_data(folder);
        for id in IDS {
            let boxes: String = (0..3).map(|number| format!("{id}_{number}.JPEG\t0\t0\t9\t9\n")).collect();
            fs::write(folder.join(format!("train/{id}/{id}_boxes.txt")), boxes).unwrap();
        }
    };
    let verdict = check_disturbed(
        200,
        write,
        |folder| Box::new(config(folder)),
        |disturbed| {
            let (id, number) = (disturbed.one_of(&IDS), disturbed.below(3));
            let train = format!("train/{id}/images/{id}_{number}.JPEG");
            let test = format!("val/images/val_{number}.JPEG");
            match disturbed.below(10) {
                0 => disturbed.change_lines("wnids.txt", &Change::ALL),
                1 => disturbed.change_lines("val/val_annotations.txt", &Change::ALL),
                2 => disturbed.change_lines(&format!("train/{id}/{id}_boxes.txt"), &Change::ALL),
                // No other file repeats the names of the classes.
                3 => disturbed.change_lines("words.txt", &[Change::Double, Change::Swap, Change::Windows]),
                4 => disturbed.truncate(&train),
                5 => disturbed.truncate(&test),
                6 => disturbed.drop_file(&train),
                7 => disturbed.drop_file(&test),
                8 => disturbed.rename(&format!("train/{id}"), "train/n00000001"),
                _ => disturbed.rename(&test, "val/images/val_9.JPEG"),
            }
        },
    );
    assert!(verdict.same > 20 && verdict.refused > 100, "{verdict:?}");
}

#[test]
fn the_options_are_keys_of_the_table() {
    let table = serde_json::json!({"kind": "split-tiny-imagenet", "shift": "label-skew", "concentration": 0.5});
    let read: Box<dyn StreamConfig> = serde_json::from_value(table).unwrap();
    assert_eq!(read.scenario(), Scenario::LabelSkew);
}

#[test]
fn lists_of_the_corpus_that_are_cut_off_or_changed_name_nothing_outside_the_folder() {
    let read = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let mut texts = text.splitn(3, '\0');
        let mut next = || texts.next().unwrap_or_default();
        let (numbers, words, annotations) = (next(), next(), next());
        let ids = files::ids(numbers)?;
        let pictures = files::test(annotations, Path::new(""), &ids)?;
        Ok::<_, String>((files::class_names(&ids, words)?, pictures))
    };
    let seeds = replay::seeds("tiny-imagenet");
    let (names, pictures) = read(&seeds[0]).unwrap();
    assert_eq!(names, ["crane", "goldfish"]);
    assert_eq!(pictures, [("val_0.JPEG".into(), 1), ("val_1.JPEG".into(), 0)]);
    replay::each(&seeds, |bytes| {
        let Ok((names, pictures)) = read(bytes) else { return };
        for (path, label) in pictures {
            assert!(path.components().count() == 1 && path.file_name().is_some() && label < names.len(), "{path:?}");
        }
    });
}
