//! The journal: what a run is doing, for `alluvium status` in another terminal or afterwards.

use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use alluvium_store::Lines;
use serde::{Deserialize, Serialize};

use crate::progress::{Ending, Observer, PlannedCell, Stage, Work};

/// A line of the journal. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(crate) enum JournalEvent {
    /// A process begins to work in the run directory.
    Started { at: f64, process: u32 },
    /// The cells of a variant are known.
    Planned { at: f64, variant: String, jobs: usize, cells: Vec<PlannedCell> },
    /// A stage begins.
    Begins { at: f64, variant: String, row: String, seed: u64, device: usize, devices: usize, stage: Stage },
    /// A stage is done.
    Ends {
        at: f64,
        variant: String,
        row: String,
        seed: u64,
        device: usize,
        stage: Stage,
        #[serde(default)]
        before: usize,
        seconds: f64,
        found: bool,
    },
    /// All variants are done; `failures` is the number of cells that failed.
    Finished { at: f64, failures: usize },
}

/// The file that events go to; `None` if it could not be written. Nothing depends on it.
pub(crate) type JournalFile = Mutex<Option<Lines>>;

pub(crate) fn write(file: &JournalFile, event: &JournalEvent) {
    let mut lines = file.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(open) = lines.as_mut() else { return };
    let written = serde_json::to_string(event).map_err(std::io::Error::from).and_then(|text| open.append(&text));
    if let Err(error) = written {
        tracing::warn!(
            "the journal cannot be written ({error}); `alluvium status` will not show what happens from now on"
        );
        *lines = None;
    }
}

/// The current time, in seconds since 1970.
pub(crate) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// Writes the events of one variant into the journal.
pub(crate) struct Journal<'a> {
    pub(crate) file: &'a JournalFile,
    pub(crate) variant: String,
}

impl Observer for Journal<'_> {
    fn planned(&self, cells: &[PlannedCell], jobs: usize) {
        let event = JournalEvent::Planned { at: now(), variant: self.variant.clone(), jobs, cells: cells.to_vec() };
        write(self.file, &event);
    }

    fn begins(&self, work: Work<'_>) {
        let Work { row, seed, device, devices, stage, .. } = work;
        let (variant, row) = (self.variant.clone(), row.to_owned());
        write(self.file, &JournalEvent::Begins { at: now(), variant, row, seed, device, devices, stage });
    }

    fn ends(&self, work: Work<'_>, ending: Ending) {
        let Work { row, seed, device, stage, before, .. } = work;
        let (variant, row) = (self.variant.clone(), row.to_owned());
        let Ending { seconds, found } = ending;
        write(self.file, &JournalEvent::Ends { at: now(), variant, row, seed, device, stage, before, seconds, found });
    }
}
