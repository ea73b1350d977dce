//! The official order of batches: lists of files.
//!
//! `batches_filelists/NC_inc/run0` holds `train_batch_00_filelist.txt` to `train_batch_08_filelist.txt`, the samples of
//! the nine batches of the scenario NC in the first of its ten runs, and `test_filelist.txt`, those of the test
//! sessions; `NI_inc` has eight batches. A line is the path of a picture from the folder of the sessions, a space, and
//! a label (<https://vlomonaco.github.io/core50/>, section "Configuration Files"). The path gives the object and the
//! session. The meaning of a label depends on the run, so the class does not follow from it. But within a run, all
//! frames of an object must have the same label, and objects of different categories must have different labels.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use alluvium_stream::{StreamError, read_text};

use crate::folder::Folder;
use crate::frame::{Frame, OBJECTS};

/// A scenario: the folder of its lists, and the number of classes or sessions of each batch.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    folder: &'static str,
    batches: &'static [usize],
}

/// New classes: ten objects, then five at a time.
pub const NC: Scenario = Scenario { folder: "NC_inc", batches: &[10, 5, 5, 5, 5, 5, 5, 5, 5] };
/// New instances: a session at a time.
pub const NI: Scenario = Scenario { folder: "NI_inc", batches: &[1; 8] };

/// The longest list that is read, in bytes. The longest one of the archive has less than 2 MB.
const LARGEST: u64 = 64 << 20;

const HINT: &str = "; https://vlomonaco.github.io/core50/ offers the lists (batches_filelists.zip): unpack them beside the \
                    folder of the sessions, or leave `run` out, and the seed decides";

/// The batches of a run.
#[derive(Debug)]
pub struct Batches {
    scenario: Scenario,
    paths: Vec<PathBuf>,
    train: Vec<Vec<Frame>>,
    test: Vec<Frame>,
}

impl Batches {
    /// Reads the lists of a run.
    ///
    /// # Errors
    /// [`StreamError::File`] when a list is missing or has another format, or when it lists a picture that does not
    /// exist, is listed twice, belongs to the other part, or has a label that contradicts earlier ones.
    pub fn read(folder: &Folder, scenario: Scenario, run: usize) -> Result<Self, StreamError> {
        let sessions = &folder.sessions;
        let beside = sessions.parent().unwrap_or(Path::new("")).join("batches_filelists");
        let within = sessions.join("batches_filelists");
        let lists = if within.is_dir() { within } else { beside };
        let lists = lists.join(scenario.folder).join(format!("run{run}"));
        let mut paths: Vec<_> = (0..scenario.batches.len())
            .map(|batch| lists.join(format!("train_batch_{batch:02}_filelist.txt")))
            .collect();
        let mut seen = ListedFrames::default();
        let mut read = |path: &PathBuf, test| frames(path, sessions, test, &mut seen);
        let train = paths.iter().map(|path| read(path, false)).collect::<Result<_, _>>()?;
        paths.push(lists.join("test_filelist.txt"));
        let test = read(&paths[scenario.batches.len()], true)?;
        Ok(Batches { scenario, paths, train, test })
    }

    /// The paths of the lists.
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// All frames of the lists, batch after batch.
    pub fn frames(&self) -> Vec<Frame> {
        self.train.iter().chain([&self.test]).flatten().cloned().collect()
    }

    /// The objects, batch after batch.
    ///
    /// # Errors
    /// [`StreamError::File`] when a batch has the wrong number of objects, or one of another batch.
    pub fn objects(&self) -> Result<Vec<usize>, StreamError> {
        self.order("objects", |frame| frame.object)
    }

    /// The sessions, batch after batch.
    ///
    /// # Errors
    /// As [`objects`](Self::objects).
    pub fn sessions(&self) -> Result<Vec<usize>, StreamError> {
        self.order("sessions", |frame| frame.session)
    }

    fn order(&self, what: &str, of: impl Fn(&Frame) -> usize) -> Result<Vec<usize>, StreamError> {
        let mut order: Vec<usize> = vec![];
        for ((path, frames), wanted) in self.paths.iter().zip(&self.train).zip(self.scenario.batches) {
            let mut own: Vec<_> = frames.iter().map(&of).collect();
            own.sort_unstable();
            own.dedup();
            if own.len() != *wanted {
                let cause = format!("lists {} {what}; this batch of {} has {wanted}", own.len(), self.scenario.folder);
                return Err(StreamError::file(path, cause));
            }
            if let Some(again) = own.iter().find(|number| order.contains(number)) {
                return Err(StreamError::file(
                    path,
                    format!("lists number {again} of the {what}, but an earlier batch lists it, too"),
                ));
            }
            order.extend(own);
        }
        Ok(order)
    }
}

/// The frames that the lists of a run have named so far.
#[derive(Debug, Default)]
pub struct ListedFrames {
    frames: HashSet<PathBuf>,
    /// The label of each object, by its number.
    labels: HashMap<usize, usize>,
}

impl ListedFrames {
    /// Adds a frame with its label.
    ///
    /// # Errors
    /// A description of the problem, when the frame was listed before, or its label contradicts earlier ones.
    fn add(&mut self, frame: &Frame, label: usize) -> Result<(), String> {
        if !self.frames.insert(frame.path.clone()) {
            return Err("names a frame that was listed before".to_owned());
        }
        let Frame { object, .. } = *frame;
        if let Some(other) = self.labels.get(&object) {
            let cause =
                || format!("has the label {label} for the object {object}, which has {other} in an earlier line");
            return if *other == label { Ok(()) } else { Err(cause()) };
        }
        // Lists of categories give all objects of a category the same label.
        let of_category = |object: usize| Frame { object, ..frame.clone() }.category();
        let other = self.labels.iter().find(|(other, own)| **own == label && of_category(**other) != frame.category());
        if let Some((other, _)) = other {
            return Err(format!("has the label {label} for the object {object}, which the object {other} has"));
        }
        self.labels.insert(object, label);
        Ok(())
    }
}

/// The frames of a list. All must exist, and none may have been listed before.
fn frames(path: &Path, sessions: &Path, test: bool, seen: &mut ListedFrames) -> Result<Vec<Frame>, StreamError> {
    let hint = if path.exists() { "" } else { HINT };
    let text = read_text(path, LARGEST).map_err(|error| error.with_hint(hint))?;
    let wrong = |cause: String| StreamError::file(path, cause);
    let frames = parse(&text, sessions, test, seen).map_err(wrong)?;
    match frames.iter().find(|(_, frame)| !frame.path.is_file()) {
        Some((line, frame)) => {
            let cause = format!("line {line} names {}, but this picture does not exist", frame.path.display());
            Err(wrong(cause))
        }
        None => Ok(frames.into_iter().map(|(_, frame)| frame).collect()),
    }
}

/// Parses the text of a list into frames, each with its line.
pub fn parse(text: &str, sessions: &Path, test: bool, seen: &mut ListedFrames) -> Result<Vec<(usize, Frame)>, String> {
    let frame = |(number, line): (usize, &str)| {
        let wrong = |cause: &str| format!("line {} {cause}", number + 1);
        let mut parts = line.split_whitespace();
        let frame = Frame::of(sessions, parts.next().unwrap_or_default());
        let label = parts.next().and_then(|label| label.parse().ok()).filter(|label| *label < OBJECTS);
        let (Some(frame), Some(label), None) = (frame, label, parts.next()) else {
            let accepted = format!("a path such as s1/o1/C_01_01_000.png, and a label from 0 to {}", OBJECTS - 1);
            return Err(wrong(&format!("does not name a frame with its label; accepted: {accepted}")));
        };
        if frame.is_test() != test {
            return Err(wrong("names a session of the other part; the sessions 3, 7 and 10 are for testing"));
        }
        seen.add(&frame, label).map_err(|cause| wrong(&cause))?;
        Ok((number + 1, frame))
    };
    text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(frame).collect()
}
