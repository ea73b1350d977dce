//! Streams of folders in the layout of Speech Commands, which the tests write.

use std::fs;
use std::path::Path;

use alluvium_stream::{Task, TaskShift};

use super::*;

/// Writes a second of a tone at 16 kHz, as 16-bit WAV.
fn write_tone(path: &Path, hertz: f64) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let sample = |index: u32| (8000.0 * (f64::from(index) * hertz * std::f64::consts::TAU / 16_000.0).sin()) as i16;
    let data: Vec<u8> = (0..16_000).flat_map(|index| sample(index).to_le_bytes()).collect();
    let mut file = b"RIFF".to_vec();
    file.extend((36 + data.len() as u32).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    // PCM, one channel, the rate, bytes a second, bytes a sample, bits a sample.
    file.extend([1_u16, 1].map(u16::to_le_bytes).concat());
    file.extend([16_000_u32, 32_000].map(u32::to_le_bytes).concat());
    file.extend([2_u16, 16].map(u16::to_le_bytes).concat());
    file.extend(b"data");
    file.extend((data.len() as u32).to_le_bytes());
    file.extend(data);
    fs::write(path, file).unwrap();
}

/// Three words, five speakers with two sounds of each word. The fourth is for validation and the fifth for testing.
fn write(folder: &Path) {
    let mut lists = [String::new(), String::new()];
    for (word, name) in ["go", "no", "yes"].into_iter().enumerate() {
        for (speaker, id) in ["a1", "b2", "c3", "d4", "e5"].into_iter().enumerate() {
            for number in 0..2 {
                let file = format!("{name}/{id}_nohash_{number}.wav");
                write_tone(
                    &folder.join(&file),
                    300.0 + 700.0 * word as f64 + 40.0 * speaker as f64 + 10.0 * f64::from(number),
                );
                if speaker >= 3 {
                    lists[speaker - 3] += &format!("{file}\n");
                }
            }
        }
    }
    write_tone(&folder.join("_background_noise_/pink.wav"), 100.0);
    fs::write(folder.join("validation_list.txt"), &lists[0]).unwrap();
    fs::write(folder.join("testing_list.txt"), &lists[1]).unwrap();
}

fn config(folder: &Path) -> SpeechCommandsConfig {
    let data = DataSplit { tasks: 3, classes_per_task: 1, ..Default::default() };
    SpeechCommandsConfig { directory: folder.to_owned(), data, ..Default::default() }
}

fn tasks(config: &SpeechCommandsConfig) -> Vec<Task> {
    let stream = config.build(Seed::new(0)).unwrap();
    (0..stream.tasks()).map(|index| stream.task(index).unwrap()).collect()
}

#[test]
fn lists_divide_the_sounds() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let config = config(folder.path());
    alluvium_stream::conformance::check_stream(&config);
    for task in tasks(&config) {
        // Three speakers and one, two sounds each.
        assert_eq!((task.train.len(), task.test.len()), (6, 2));
        assert_eq!(task.train.input(), [1, 32, 51].into());
    }
    let more = SpeechCommandsConfig { validation: Validation::Train, ..config.clone() };
    assert!(tasks(&more).iter().all(|task| task.train.len() == 8));
    assert_eq!(config.files().len(), 3 * 4 * 2);
}

#[test]
fn a_tone_is_loudest_in_its_band() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let order = Some(["go", "no", "yes"].map(String::from).into());
    let base = config(folder.path());
    let tasks = tasks(&SpeechCommandsConfig { data: DataSplit { class_order: order, ..base.data.clone() }, ..base });
    let loudest = |task: &Task| {
        let values = task.train.numbers(0);
        let band = |band: usize| values[51 * band + 25];
        (0..32).max_by(|one, other| band(*one).total_cmp(&band(*other))).unwrap()
    };
    let found: Vec<_> = tasks.iter().map(loudest).collect();
    // 300, 1000 and 1700 Hz; the Slaney scale has 15 mel at 1000 Hz and 45.2 at 8000 Hz, so a band is 1.37 mel wide.
    assert!(found.windows(2).all(|pair| pair[0] < pair[1]), "{found:?}");
    assert!((9..=11).contains(&found[1]), "{found:?}");
}

#[test]
fn speakers_are_domains() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let data = DataSplit { tasks: 2, classes_per_task: 3, shift: TaskShift::Domain, ..Default::default() };
    let tasks = tasks(&SpeechCommandsConfig { data, ..config(folder.path()) });
    let mut sizes: Vec<_> = tasks.iter().map(|task| task.train.len()).collect();
    sizes.sort_unstable();
    // Two speakers and one, three words, two sounds each.
    assert_eq!(sizes, [6, 12]);
    assert!(tasks.iter().all(|task| task.test.len() == 3));
}

#[test]
fn sounds_are_heard_and_what_is_wrong_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = |change: &dyn Fn(&Path)| {
        let _ = fs::remove_dir_all(folder.path());
        write(folder.path());
        change(folder.path());
        let built = config(folder.path()).build(Seed::new(0));
        built.and_then(|stream| stream.task(0).map(drop)).unwrap_err().to_string()
    };
    let append = |folder: &Path, list: &str, line: &str| {
        let text = fs::read_to_string(folder.join(list)).unwrap();
        fs::write(folder.join(list), text + line + "\n").unwrap();
    };
    let missing = error(&|folder| append(folder, "testing_list.txt", "go/z_nohash_0.wav"));
    assert!(missing.contains("testing_list.txt: names go/z_nohash_0.wav, which is not there"), "{missing}");
    let both = error(&|folder| append(folder, "validation_list.txt", "go/e5_nohash_0.wav"));
    assert!(both.contains("validation_list.txt") && both.contains("testing_list.txt names, too"), "{both}");
    let heard = error(&|folder| append(folder, "testing_list.txt", "go/a1_nohash_0.wav"));
    assert!(heard.contains("a1_nohash_0.wav, whose speaker is heard in training"), "{heard}");
    let no_list = error(&|folder| fs::remove_file(folder.join("testing_list.txt")).unwrap());
    assert!(no_list.contains("testing_list.txt"), "{no_list}");
    let cut = error(&|folder| {
        for word in ["go", "no", "yes"] {
            let path = folder.join(word).join("a1_nohash_0.wav");
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..5000]).unwrap();
        }
    });
    assert!(cut.contains("a1_nohash_0.wav: "), "{cut}");
    let nothing = error(&|folder| {
        fs::read_dir(folder).unwrap().for_each(|entry| {
            let _ = fs::remove_dir_all(entry.unwrap().path());
        })
    });
    assert!(nothing.contains("a folder for each word"), "{nothing}");
    write(folder.path());
    let stream = config(folder.path()).build(Seed::new(0)).unwrap();
    assert_eq!(stream.sound(0, 0).unwrap().media_type, "audio/wav");
}
