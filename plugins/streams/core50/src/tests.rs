//! Tests on a miniature of CORe50: one frame of every object in every session, and two in the first, 4×4 pixels.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use alluvium_stream::Task;
use alluvium_stream::conformance::{Change, check_disturbed};
use image::{Rgb, RgbImage};
use tempfile::TempDir;

use super::*;
use crate::frame::SESSIONS;

#[path = "../../../../crates/stream/fuzz/replay.rs"]
mod replay;

/// Writes all frames; red encodes the session, green the object.
fn write_data(folder: &Path) {
    for (session, object) in (1..=SESSIONS).flat_map(|session| (1..=OBJECTS).map(move |object| (session, object))) {
        let own = folder.join(format!("s{session}/o{object}"));
        fs::create_dir_all(&own).unwrap();
        for frame in 0..if session == 1 { 2 } else { 1 } {
            let picture = RgbImage::from_pixel(4, 4, Rgb([session as u8, object as u8, frame]));
            picture.save(own.join(format!("C_{session:02}_{object:02}_{frame:03}.png"))).unwrap();
        }
    }
}

/// The lists of run 3: objects 41 to 50 first, then from 1 on; the sessions from the last to the first. Each lists every
/// frame number 0.
fn write_lists(folder: &Path) {
    let line = |session, object| format!("s{session}/o{object}/C_{session:02}_{object:02}_000.png {}\n", object - 1);
    let sessions = [11, 9, 8, 6, 5, 4, 2, 1];
    let write = |scenario: &str, batches: Vec<String>| {
        let run = folder.join("batches_filelists").join(scenario).join("run3");
        fs::create_dir_all(&run).unwrap();
        for (batch, lines) in batches.iter().enumerate() {
            fs::write(run.join(format!("train_batch_{batch:02}_filelist.txt")), lines).unwrap();
        }
        let test = [3, 7, 10].into_iter().flat_map(|session| (1..=OBJECTS).map(move |object| line(session, object)));
        fs::write(run.join("test_filelist.txt"), test.collect::<String>()).unwrap();
    };
    let objects = |objects: std::ops::RangeInclusive<usize>| -> String {
        sessions.iter().flat_map(|session| objects.clone().map(|object| line(*session, object))).collect()
    };
    let nc = [objects(41..=50)].into_iter().chain((0..8).map(|batch| objects(5 * batch + 1..=5 * batch + 5)));
    write("NC_inc", nc.collect());
    let ni = sessions.iter().map(|session| (1..=OBJECTS).map(|object| line(*session, object)).collect());
    write("NI_inc", ni.collect());
}

fn data() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_data(&folder.path().join("core50_128x128"));
    write_lists(folder.path());
    folder
}

fn tasks(config: &Core50Config) -> Vec<Task> {
    let stream = config.build(Seed::new(1)).unwrap();
    (0..stream.tasks()).map(|index| stream.task(index).unwrap()).collect()
}

/// Session and object of each sample, from its colour.
fn seen(samples: &alluvium_stream::Samples) -> Vec<(usize, usize)> {
    let size = samples.input().sizes()[1..].iter().product::<usize>();
    (0..samples.len()).map(|index| samples.image(index)).map(|image| (image[0].into(), image[size].into())).collect()
}

#[test]
fn each_way_to_split_has_its_tasks() {
    let folder = data();
    let default = || Core50Config { directory: folder.path().to_owned(), ..Default::default() };

    // NC: ten objects, then five at a time. Seven training sessions have one frame, one has two.
    let nc = tasks(&default());
    let classes: Vec<_> = nc.iter().map(|task| task.head.classes.len()).collect();
    assert_eq!(classes, [10, 5, 5, 5, 5, 5, 5, 5, 5]);
    assert_eq!(nc.iter().flat_map(|task| &task.head.classes).collect::<BTreeSet<_>>().len(), 50);
    for task in &nc {
        let classes = task.head.classes.len();
        assert_eq!(
            (task.train.len(), task.test.len(), task.train.input()),
            (9 * classes, 3 * classes, [3, 4, 4].into())
        );
        for (samples, test) in [(&task.train, false), (&task.test, true)] {
            let seen = seen(samples).into_iter().zip(samples.labels());
            assert!(
                seen.into_iter()
                    .all(|((session, object), label)| { [3, 7, 10].contains(&session) == test && object == label + 1 })
            );
        }
    }

    // The official run differs from the seed's order.
    let official = tasks(&Core50Config { run: Some(3), ..default() });
    let first: Vec<_> = official.iter().map(|task| task.head.classes.clone()).collect();
    assert_eq!((&first[0][..], &first[1][..]), (&(40..50).collect::<Vec<_>>()[..], &[0, 1, 2, 3, 4][..]));
    assert_eq!((official[0].train.len(), official[0].test.len()), (80, 30), "what the lists name");
    assert!(official[1].name.starts_with("plug_adapter1 plug_adapter2"));

    // NI: a session each, and an equal part of the 150 test samples.
    let ni = Core50Config { shift: Shift::Domain, ..default() };
    let sessions = |config: &Core50Config| -> Vec<BTreeSet<usize>> {
        let tasks = tasks(config);
        assert!(tasks.iter().all(|task| [18, 19].contains(&task.test.len()) && task.head == tasks[0].head));
        tasks.iter().map(|task| seen(&task.train).into_iter().map(|(session, _)| session).collect()).collect()
    };
    let official = sessions(&Core50Config { run: Some(3), ..ni.clone() });
    assert_eq!(official, [11, 9, 8, 6, 5, 4, 2, 1].map(|session| BTreeSet::from([session])));
    let own = sessions(&ni);
    assert!(own != official && own.iter().flatten().collect::<BTreeSet<_>>() == official.iter().flatten().collect());

    // Categories, by class; resized to half.
    let small = Core50Config { labels: Labels::Category, size: Some(2), ..default() };
    let categories = tasks(&small);
    assert_eq!(categories.len(), 5);
    for task in &categories {
        assert_eq!((task.train.len(), task.test.len(), task.train.input()), (90, 30, [3, 2, 2].into()));
        let right = |((_, object), label): ((usize, usize), &usize)| (object - 1) / 5 == *label;
        assert!(seen(&task.train).into_iter().zip(task.train.labels()).all(right));
    }
    let skewed = tasks(&Core50Config { shift: Shift::LabelSkew, tasks: Some(3), ..small });
    assert_eq!(skewed.iter().map(|task| task.train.len()).sum::<usize>(), 450);
    let files = default().files().len();
    assert_eq!((files, Core50Config { run: Some(3), ..default() }.files().len()), (600, 10 + 550));
}

#[test]
fn missing_files_are_named_with_where_to_get_them() {
    let folder = data();
    let config = Core50Config { directory: folder.path().join("core50_128x128"), ..Default::default() };
    let error = |config: &Core50Config| config.build(Seed::new(0)).unwrap_err().to_string();
    let none = error(&Core50Config { directory: folder.path().join("none"), ..config.clone() });
    assert!(none.contains("does not hold the folder s1") && none.contains("core50_128x128.zip"), "{none}");
    let run = error(&Core50Config { run: Some(4), ..config.clone() });
    assert!(run.contains("NC_inc/run4/train_batch_00_filelist.txt") && run.contains("batches_filelists.zip"), "{run}");
    fs::remove_dir_all(config.directory.join("s4/o7")).unwrap();
    let object = error(&config);
    assert!(object.contains("s4/o7") && object.contains("core50_128x128.zip"), "{object}");
    assert!(config.files().is_empty());
}

#[test]
fn wrong_lists_and_pictures_are_refused() {
    let folder = data();
    let config = Core50Config { directory: folder.path().to_owned(), run: Some(3), ..Default::default() };
    let run = folder.path().join("batches_filelists/NC_inc/run3");
    let with = |name: &str, change: &dyn Fn(&str) -> String| {
        let path = run.join(name);
        let right = fs::read_to_string(&path).unwrap();
        fs::write(&path, change(&right)).unwrap();
        let error = config.build(Seed::new(0)).map(|_| ()).unwrap_err().to_string();
        fs::write(&path, right).unwrap();
        assert!(error.contains(name), "{error}");
        error
    };
    let first = "train_batch_00_filelist.txt";
    assert!(
        with(first, &|lines| lines.replacen("s11/o41", "../o41", 1))
            .contains("line 1 does not name a frame with its label")
    );
    assert!(
        with(first, &|lines| lines.replacen("s11/o41/C_11", "s3/o41/C_03", 1))
            .contains("line 1 names a session of the other")
    );
    assert!(with(first, &|lines| format!("{lines}{lines}")).contains("line 81 names a frame that was listed before"));
    let fewer =
        with(first, &|lines| lines.lines().filter(|line| !line.contains("o50")).map(|l| format!("{l}\n")).collect());
    assert!(fewer.contains("lists 9 objects; this batch of NC_inc has 10"), "{fewer}");
    let again = with("train_batch_02_filelist.txt", &|lines| {
        let others: String =
            lines.lines().filter(|line| !line.contains("/o6/")).map(|line| format!("{line}\n")).collect();
        others + "s1/o41/C_01_41_001.png 40\n"
    });
    assert!(again.contains("lists number 41 of the objects, but an earlier batch lists it, too"), "{again}");
    assert!(with("test_filelist.txt", &|_| "s1/o1/C_01_01_001.png 0".to_owned()).contains("line 1 names a session"));

    // Object 42 has the label 41.
    let label = |label: &str| {
        with(first, &|lines| lines.replacen("C_11_42_000.png 41", &format!("C_11_42_000.png {label}"), 1))
    };
    assert!(label("7").contains("line 12 has the label 41 for the object 42, which has 7 in an earlier line"));
    assert!(label("").contains("line 2 does not name a frame with its label"));
    assert!(label("50").contains("line 2 does not name a frame with its label; accepted: a path"));
    let same = with(first, &|lines| lines.replace("_46_000.png 45", "_46_000.png 40"));
    assert!(same.contains("line 6 has the label 40 for the object 46, which the object 41 has"), "{same}");
    let missing = with(first, &|lines| lines.replacen("C_11_42_000", "C_11_42_007", 1));
    assert!(missing.contains("line 2 names ") && missing.contains("this picture does not exist"), "{missing}");

    let picture = folder.path().join("core50_128x128/s1/o41/C_01_41_000.png");
    RgbImage::new(5, 4).save(&picture).unwrap();
    let error = config.build(Seed::new(0)).unwrap().task(0).unwrap_err().to_string();
    assert!(error.contains("C_01_41_000.png: is 5×4 pixels"), "{error}");
}

#[test]
fn disturbed_lists_give_the_same_pictures_or_an_error() {
    let write = |folder: &Path| {
        write_data(&folder.join("core50_128x128"));
        write_lists(folder);
    };
    let verdict = check_disturbed(
        60,
        write,
        |folder| Box::new(Core50Config { directory: folder.to_owned(), run: Some(3), ..Default::default() }),
        |disturbed| {
            let mut list = || format!("batches_filelists/NC_inc/run3/train_batch_0{}_filelist.txt", disturbed.below(9));
            let (one, other) = (list(), list());
            let frame = format!("core50_128x128/s1/o{0}/C_01_{0:02}_000.png", 10 + disturbed.below(41));
            match disturbed.below(9) {
                // A list may omit pictures.
                0 | 1 => disturbed.change_lines(&one, &[Change::Double, Change::Cut, Change::Swap, Change::Windows]),
                2 => disturbed.drop_file(&one),
                3 if one != other => disturbed.copy(&one, &other),
                4 => disturbed.copy("batches_filelists/NC_inc/run3/test_filelist.txt", &one),
                5 => disturbed.drop_file(&frame),
                6 => disturbed.truncate(&frame),
                7 => disturbed.rename("core50_128x128/s1/o7", "core50_128x128/s1/o07"),
                _ => disturbed.rename(&frame, "core50_128x128/s1/o1/C_01_01_009.png"),
            }
        },
    );
    assert!(verdict.same > 5 && verdict.refused > 30, "{verdict:?}");
}

#[test]
fn disturbed_folders_give_the_same_pictures_or_an_error() {
    let verdict = check_disturbed(
        40,
        write_data,
        |folder| Box::new(Core50Config { directory: folder.to_owned(), ..Default::default() }),
        |disturbed| {
            let (session, object) = (2 + disturbed.below(10), 1 + disturbed.below(50));
            let own = format!("s{session}/o{object}");
            let frame = format!("{own}/C_{session:02}_{object:02}_000.png");
            match disturbed.below(5) {
                0 => disturbed.drop_file(&frame),
                1 => disturbed.truncate(&frame),
                2 => disturbed.rename(&own, &format!("{own}x")),
                3 => disturbed.rename(&frame, &format!("s1/o{object}/C_{session:02}_{object:02}_000.png")),
                _ => disturbed.rename(&frame, &format!("{own}/C_{session:02}_{object:02}_123.png")),
            }
        },
    );
    assert!(verdict.same > 3 && verdict.refused > 20, "{verdict:?}");
}

#[test]
fn options_that_contradict_a_run_are_refused() {
    let folder = data();
    let default = || Core50Config { directory: folder.path().to_owned(), run: Some(3), ..Default::default() };
    let error = |config: Core50Config| config.build(Seed::new(0)).unwrap_err().to_string();
    assert!(error(Core50Config { labels: Labels::Category, ..default() }).contains("its batches are of objects"));
    assert!(error(Core50Config { classes_per_task: Some(5), ..default() }).contains("how many classes a task has"));
    assert!(error(Core50Config { shift: Shift::LabelSkew, ..default() }).contains("no label skew"));
    assert!(error(Core50Config { run: Some(10), ..default() }).contains("0 to 9"));
    // With fewer devices than batches, devices get the first batches.
    assert_eq!(tasks(&Core50Config { tasks: Some(2), ..default() }).len(), 2);
    let many = error(Core50Config { tasks: Some(10), ..default() });
    assert!(many.contains("`first_classes` = 10 and 45 of the other tasks are 55 classes"), "{many}");
    let ni = error(Core50Config { shift: Shift::Domain, tasks: Some(9), run: None, ..default() });
    assert!(ni.contains("`tasks` = 9, but the data have 8 domains"), "{ni}");
}

#[test]
fn lists_of_the_corpus_that_are_cut_off_or_changed_name_nothing_outside_the_folder() {
    let frames = |bytes: &[u8], test| {
        lists::parse(&String::from_utf8_lossy(bytes), Path::new(""), test, &mut Default::default())
    };
    let seeds = replay::seeds("core50");
    assert!(seeds.iter().zip([true, false]).all(|(seed, test)| frames(seed, test).unwrap().len() == 2));
    replay::each(&seeds, |bytes| {
        for (_, frame) in [true, false].into_iter().flat_map(|test| frames(bytes, test).unwrap_or_default()) {
            assert_eq!(frame.path.components().count(), 3, "{frame:?}");
            assert!(frame.path.components().all(|part| matches!(part, std::path::Component::Normal(_))), "{frame:?}");
        }
    });
}
