//! Tests for every stream: what it states about its tasks, and how it reads disturbed files.
//!
//! Behind the feature `conformance`. [`check_stream`] is for any stream whose data are there. A reader's test writes a small data set in its real format. It also disturbs the
//! files in ways that the format, or another file of the set, can reveal. [`check_disturbed`] repeats this many times.
//! Each time, the reader must give the samples of the undisturbed set, or an error that names a file. It must never
//! give other samples.

use std::fs;
use std::path::{Path, PathBuf};

use alluvium_model::Seed;
use alluvium_registry::{Family, find};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::{StreamConfig, StreamError, Task};

/// Checks a stream with the given options:
///
/// - The configuration is described, and does not change when it is written and read.
/// - The same seed gives the same tasks, numbered from 0, and an index beyond the last task is an error.
/// - Every task has training and test samples of the classes of its head, and inputs of the stream's shape and type of values.
///   Every class has a name.
///
/// # Panics
/// When the stream does not conform. The message says which check failed.
pub fn check_stream(config: &dyn StreamConfig) {
    let kind = config.typetag_name();
    assert!(!config.kinds().is_empty(), "{kind}: it names no kind of stream");
    let description = find(Family::Stream, kind).unwrap_or_else(|error| panic!("{error}: is `#[plugin]` missing?"));
    assert!(!description.summary().is_empty(), "the options' struct of \"{kind}\" has no doc comment");
    let written = serde_json::to_value(config).expect("a configuration can be written");
    let read: Box<dyn StreamConfig> =
        serde_json::from_value(written.clone()).expect("a written configuration can be read");
    let again = serde_json::to_value(&read).expect("a configuration can be written");
    assert_eq!(again, written, "{kind}: a configuration must not change when it is written and read");

    let build =
        |config: &dyn StreamConfig| config.build(Seed::new(1)).unwrap_or_else(|error| panic!("{kind}: {error}"));
    let (stream, repeated) = (build(config), build(read.as_ref()));
    assert_eq!(
        (repeated.tasks(), repeated.input()),
        (stream.tasks(), stream.input()),
        "{kind}: two streams of one seed"
    );
    for index in 0..stream.tasks() {
        let task = stream.task(index).unwrap_or_else(|error| panic!("{kind}: {error}"));
        task.check().unwrap_or_else(|error| panic!("{kind}: {error}"));
        assert_eq!(task.index, index, "{kind}: the number of a task");
        for samples in [&task.train, &task.test] {
            assert_eq!(samples.input(), stream.input(), "{kind}: the shape of the inputs of task {index}");
            assert_eq!(samples.value_type(), stream.value_type(), "{kind}: the values of the inputs of task {index}");
        }
        let unnamed = task.head.classes.iter().find(|class| **class >= stream.class_names().len());
        assert!(unnamed.is_none(), "{kind}: the class {unnamed:?} of task {index} has no name");
        let digest = |task: &Task| task.digest().unwrap_or_else(|error| panic!("{kind}: {error}"));
        let other = repeated.task(index).unwrap_or_else(|error| panic!("{kind}: {error}"));
        assert_eq!(digest(&other), digest(&task), "{kind}: the same seed must give the same task {index}");
    }
    assert!(stream.tasks() > 0, "{kind}: it has no task");
    assert!(stream.task(stream.tasks()).is_err(), "{kind}: a task beyond the last one is not an error");
}

/// The samples of all tasks, training and test: the name of the class and the image, sorted.
type Contents = [Vec<(String, Vec<u8>)>; 2];

/// How often a disturbed data set gave the same samples, and how often it was refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The samples were those of the undisturbed set.
    pub same: usize,
    /// There was an error that names a file.
    pub refused: usize,
}

/// Writes a data set, then disturbs it and reads it through `config`, `times` times. Each time starts from the
/// undisturbed set.
///
/// # Panics
/// When the undisturbed data set cannot be read, when a disturbed one gives other samples, or when an error does not
/// name a file of the folder. The message says what was done to the files.
pub fn check_disturbed(
    times: u64,
    write: impl Fn(&Path),
    config: impl Fn(&Path) -> Box<dyn StreamConfig>,
    disturb: impl Fn(&mut DisturbedFiles<'_>),
) -> Verdict {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let folder = folder.path();
    write(folder);
    let config = config(folder);
    let right = contents(&*config).expect("the undisturbed data set can be read");
    let mut verdict = Verdict::default();
    for number in 0..times {
        let random = StdRng::seed_from_u64(number);
        let mut disturbed = DisturbedFiles { folder, random, done: vec![], undo: vec![] };
        disturb(&mut disturbed);
        let done = disturbed.done.join(", ");
        match contents(&*config) {
            Ok(found) => {
                assert!(found == right, "{done}: gives other samples (case {number})");
                verdict.same += 1;
            }
            Err(error) => {
                let error = error.to_string();
                let named = error.contains(&*folder.to_string_lossy());
                assert!(named, "{done}: the error names no file (case {number}): {error}");
                verdict.refused += 1;
            }
        }
        disturbed.restore();
    }
    assert_eq!(contents(&*config).expect("the data set was restored"), right);
    verdict
}

fn contents(config: &dyn StreamConfig) -> Result<Contents, StreamError> {
    let stream = config.build(Seed::new(0))?;
    let mut all = Contents::default();
    for index in 0..stream.tasks() {
        let task = stream.task(index)?;
        for (samples, all) in [task.train, task.test].iter().zip(&mut all) {
            let sample =
                |index: usize| (stream.class_names()[samples.labels()[index]].clone(), samples.value_bytes(index));
            all.extend((0..samples.len()).map(sample));
        }
    }
    all.iter_mut().for_each(|part| part.sort());
    Ok(all)
}

/// A change of the lines of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A line is missing.
    Drop,
    /// A line is repeated somewhere else.
    Double,
    /// A line is cut off after its first letter or later.
    Cut,
    /// Two lines are swapped.
    Swap,
    /// The text begins with a byte order mark, and lines end as on Windows.
    Windows,
}

impl Change {
    /// All changes.
    pub const ALL: [Change; 5] = [Change::Drop, Change::Double, Change::Cut, Change::Swap, Change::Windows];
}

/// A data set that is disturbed. Paths are relative to its folder.
#[derive(Debug)]
pub struct DisturbedFiles<'a> {
    folder: &'a Path,
    random: StdRng,
    /// What was done, in words.
    done: Vec<String>,
    undo: Vec<Undo>,
}

/// How to undo a step.
#[derive(Debug)]
enum Undo {
    Write(PathBuf, Vec<u8>),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf),
}

impl DisturbedFiles<'_> {
    /// A random number below `most`.
    pub fn below(&mut self, most: usize) -> usize {
        self.random.random_range(0..most.max(1))
    }

    /// One of the values, at random.
    pub fn one_of<T: Clone>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())].clone()
    }

    /// Removes a file.
    pub fn drop_file(&mut self, name: &str) {
        self.done.push(format!("without {name}"));
        let path = self.folder.join(name);
        self.undo.push(Undo::Write(path.clone(), read(&path)));
        fs::remove_file(path).expect("the file can be removed");
    }

    /// Cuts a file off before its end.
    pub fn truncate(&mut self, name: &str) {
        let bytes = read(&self.folder.join(name));
        let length = self.below(bytes.len());
        self.write(name, &bytes[..length], &format!("cut at {length} of {} bytes", bytes.len()));
    }

    /// Replaces a file by a copy of another.
    pub fn copy(&mut self, from: &str, to: &str) {
        let bytes = read(&self.folder.join(from));
        self.write(to, &bytes, &format!("a copy of {from}"));
    }

    /// Swaps two files.
    pub fn swap(&mut self, one: &str, other: &str) {
        let [first, second] = [one, other].map(|name| read(&self.folder.join(name)));
        self.write(one, &second, &format!("what was {other}"));
        self.write(other, &first, &format!("what was {one}"));
    }

    /// Gives a file or a folder another name.
    pub fn rename(&mut self, from: &str, to: &str) {
        self.done.push(format!("{from} called {to}"));
        let [from, to] = [from, to].map(|name| self.folder.join(name));
        fs::rename(&from, &to).expect("it can be renamed");
        self.undo.push(Undo::Rename(to, from));
    }

    /// Changes the lines of a text in one of the given ways, at random.
    pub fn change_lines(&mut self, name: &str, ways: &[Change]) {
        let text = String::from_utf8(read(&self.folder.join(name))).expect("the file is text");
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        let (one, other) = (self.below(lines.len()), self.below(lines.len()));
        let way = self.one_of(ways);
        match way {
            Change::Drop => drop(lines.remove(one)),
            Change::Double => lines.insert(other, lines[one].clone()),
            Change::Cut => {
                let positions: Vec<_> = lines[one].char_indices().map(|(position, _)| position).skip(1).collect();
                let length = if positions.is_empty() { lines[one].len() } else { self.one_of(&positions) };
                lines[one].truncate(length);
            }
            Change::Swap => lines.swap(one, other),
            Change::Windows => {}
        }
        let (mark, end) = if way == Change::Windows { ("\u{feff}", "\r\n") } else { ("", "\n") };
        let text = lines.iter().map(|line| format!("{line}{end}")).collect::<String>();
        let what = format!("with the change {way:?} (lines {} and {})", one + 1, other + 1);
        self.write(name, format!("{mark}{text}").as_bytes(), &what);
    }

    /// Writes a file; `what` describes the new content.
    pub fn write(&mut self, name: &str, bytes: &[u8], what: &str) {
        self.done.push(format!("{name} {what}"));
        let path = self.folder.join(name);
        self.undo.push(if path.exists() { Undo::Write(path.clone(), read(&path)) } else { Undo::Remove(path.clone()) });
        fs::write(path, bytes).expect("the file can be written");
    }

    /// Undoes all steps.
    fn restore(self) {
        for step in self.undo.into_iter().rev() {
            match step {
                Undo::Write(path, bytes) => fs::write(path, bytes),
                Undo::Remove(path) => fs::remove_file(path),
                Undo::Rename(from, to) => fs::rename(from, to),
            }
            .expect("the data set can be restored");
        }
    }
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).expect("the file can be read")
}
