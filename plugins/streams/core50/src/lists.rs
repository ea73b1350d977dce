//! The official order of batches: lists of files.
//!
//! `batches_filelists/NC_inc/run0` holds `train_batch_00_filelist.txt` to `train_batch_08_filelist.txt`, the samples of the
//! nine batches of the scenario NC in the first of its ten runs, and `test_filelist.txt`, those of the test sessions; `NI_inc`
//! has eight batches. A line is the path of a picture from the folder of the sessions, a space, and a label
//! (<https://vlomonaco.github.io/core50/>, section "Configuration Files"). The path says which object and which session it
//! is; what the label is called depends on the run, so it is not used.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use alluvium_stream::{StreamError, read_text};

use crate::folder::Folder;
use crate::frame::Frame;

/// A scenario: the folder of its lists, and how many classes or sessions each batch has.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    folder: &'static str,
    batches: &'static [usize],
}

/// New classes: ten objects, then five at a time.
pub const NC: Scenario = Scenario { folder: "NC_inc", batches: &[10, 5, 5, 5, 5, 5, 5, 5, 5] };
/// New instances: a session at a time.
pub const NI: Scenario = Scenario { folder: "NI_inc", batches: &[1; 8] };

/// The longest list that is read, in bytes: the longest one of the archive has less than 2 MB.
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
    /// [`StreamError::File`] when one is missing, has another form, or lists a picture twice or for the wrong part.
    pub fn read(folder: &Folder, scenario: Scenario, run: usize) -> Result<Self, StreamError> {
        let sessions = &folder.sessions;
        let beside = sessions.parent().unwrap_or(Path::new("")).join("batches_filelists");
        let within = sessions.join("batches_filelists");
        let lists = if within.is_dir() { within } else { beside };
        let lists = lists.join(scenario.folder).join(format!("run{run}"));
        let mut paths: Vec<_> = (0..scenario.batches.len())
            .map(|batch| lists.join(format!("train_batch_{batch:02}_filelist.txt")))
            .collect();
        let mut seen = HashSet::new();
        let mut read = |path: &PathBuf, test| frames(path, sessions, test, &mut seen);
        let train = paths.iter().map(|path| read(path, false)).collect::<Result<_, _>>()?;
        paths.push(lists.join("test_filelist.txt"));
        let test = read(&paths[scenario.batches.len()], true)?;
        Ok(Batches { scenario, paths, train, test })
    }

    /// The lists.
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// All frames that they list, batch after batch.
    pub fn frames(&self) -> Vec<Frame> {
        self.train.iter().chain([&self.test]).flatten().cloned().collect()
    }

    /// The objects, batch after batch.
    ///
    /// # Errors
    /// [`StreamError::File`] when a batch has more or fewer, or one of another batch.
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
                    format!("lists number {again} of the {what}, as an earlier batch does"),
                ));
            }
            order.extend(own);
        }
        Ok(order)
    }
}

/// The frames of a list, none of which was seen before.
fn frames(path: &Path, sessions: &Path, test: bool, seen: &mut HashSet<PathBuf>) -> Result<Vec<Frame>, StreamError> {
    let hint = if path.exists() { "" } else { HINT };
    let text = read_text(path, LARGEST).map_err(|error| error.with_hint(hint))?;
    parse(&text, sessions, test, seen).map_err(|cause| StreamError::file(path, cause))
}

/// The frames of the text of a list.
pub fn parse(text: &str, sessions: &Path, test: bool, seen: &mut HashSet<PathBuf>) -> Result<Vec<Frame>, String> {
    let frame = |(number, line): (usize, &str)| {
        let wrong = |cause: &str| format!("line {} {cause}", number + 1);
        let file = line.split_whitespace().next().unwrap_or_default();
        let frame = Frame::of(sessions, file);
        let frame = frame
            .ok_or_else(|| wrong("names no frame; accepted: a path such as s1/o1/C_01_01_000.png, and a label"))?;
        if frame.is_test() != test {
            return Err(wrong("is of a session of the other part; the sessions 3, 7 and 10 are for testing"));
        }
        match seen.insert(frame.path.clone()) {
            true => Ok(frame),
            false => Err(wrong("names a frame that was listed before")),
        }
    };
    text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(frame).collect()
}
