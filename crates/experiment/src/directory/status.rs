//! The status of a run, read from its directory by another process or afterwards.

use std::collections::BTreeMap;
use std::path::Path;

use alluvium_store::{Damage, is_locked, read_lines};

use crate::directory::journal::{JournalEvent, now};
use crate::directory::run_directory::{DirectoryError, JOURNAL, LOCK, RunFile};
use crate::progress::{Ending, Pace, Stage};

/// The state of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RunState {
    /// A process works in the directory.
    Running {
        /// Its process id, where it is known.
        process: Option<u32>,
    },
    /// All variants are done.
    Finished {
        /// The number of cells that failed.
        failures: usize,
    },
    /// The process ended before all variants were done.
    Stopped,
}

/// A stage that has begun and not ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Underway {
    /// The row's name.
    pub row: String,
    /// The seed.
    pub seed: u64,
    /// The device, from 1.
    pub device: usize,
    /// How many devices there are.
    pub devices: usize,
    /// The stage.
    pub stage: Stage,
    /// The seconds since it began, up to now or up to the last event of the run.
    pub seconds: f64,
}

/// One variant of a run.
#[derive(Debug, Clone, Default)]
pub struct VariantStatus {
    /// The variant's label; empty where the configuration has no variants.
    pub label: String,
    /// Its progress. It has no cells before the variant begins.
    pub pace: Pace,
    /// The stages that have begun and not ended, in the order of rows and seeds.
    pub underway: Vec<Underway>,
}

/// The status of a run.
#[derive(Debug)]
pub struct RunStatus {
    /// Its state.
    pub state: RunState,
    /// Its variants, in the order of the configuration.
    pub variants: Vec<VariantStatus>,
    /// The seconds that the latest process has worked there, up to now or up to its last event.
    pub seconds: f64,
    /// The seconds since its last event.
    pub silent: f64,
    /// Damaged lines of the journal. They were ignored.
    pub damages: Vec<Damage>,
}

impl RunStatus {
    /// Reads the status from the directory.
    ///
    /// # Errors
    /// [`DirectoryError`] when this is not a run directory, or when the list of its variants or its journal cannot be read.
    pub fn read(path: &Path) -> Result<Self, DirectoryError> {
        let run = RunFile::read(path)?;
        let running = is_locked(&path.join(LOCK));
        let (lines, damages) = read_lines(&path.join(JOURNAL))?;
        let events = lines.iter().filter_map(|line| serde_json::from_str(line).ok());
        let labels = run.variants.into_iter().map(|variant| variant.label);
        let mut follower = Follower::new(labels);
        events.for_each(|event| follower.take(event));
        Ok(follower.status(running, damages))
    }
}

/// The index of a variant, a row, a seed and a device.
type StageKey = (usize, String, u64, usize);

/// When a stage began, the number of devices, and the stage.
type StageStart = (f64, usize, Stage);

/// Follows the journal.
struct Follower {
    variants: Vec<VariantStatus>,
    begun: BTreeMap<StageKey, StageStart>,
    started: f64,
    last: f64,
    failures: Option<usize>,
}

impl Follower {
    fn new(labels: impl Iterator<Item = String>) -> Self {
        let variants = labels.map(|label| VariantStatus { label, ..Default::default() }).collect();
        Follower { variants, begun: BTreeMap::new(), started: now(), last: now(), failures: None }
    }

    fn index_of(&self, label: &str) -> Option<usize> {
        self.variants.iter().position(|variant| variant.label == label)
    }

    fn take(&mut self, event: JournalEvent) {
        match event {
            JournalEvent::Started { at, .. } => (self.started, self.last) = (at, at),
            JournalEvent::Planned { at, variant, jobs, cells } => {
                self.last = at;
                if let Some(index) = self.index_of(&variant) {
                    self.variants[index].pace.planned(&cells, jobs);
                }
            }
            JournalEvent::Begins { at, variant, row, seed, device, devices, stage } => {
                self.last = at;
                if let Some(index) = self.index_of(&variant) {
                    self.begun.insert((index, row, seed, device), (at, devices, stage));
                }
            }
            JournalEvent::Ends { at, variant, row, seed, device, stage, before, seconds, found } => {
                self.last = at;
                if let Some(index) = self.index_of(&variant) {
                    let ending = Ending { seconds, found };
                    self.variants[index].pace.ends(&row, seed, device, before, stage, ending);
                    self.begun.remove(&(index, row, seed, device));
                }
            }
            JournalEvent::Finished { at, failures } => {
                self.last = at;
                self.failures = Some(failures);
            }
        }
    }

    fn status(mut self, running: Option<Option<u32>>, damages: Vec<Damage>) -> RunStatus {
        let state = match (running, self.failures) {
            (_, Some(failures)) => RunState::Finished { failures },
            (Some(process), None) => RunState::Running { process },
            (None, None) => RunState::Stopped,
        };
        let until = if matches!(state, RunState::Running { .. }) { now() } else { self.last };
        for ((index, row, seed, device), (at, devices, stage)) in self.begun {
            let seconds = (until - at).max(0.0);
            self.variants[index].underway.push(Underway { row, seed, device, devices, stage, seconds });
        }
        RunStatus {
            state,
            variants: self.variants,
            seconds: (until - self.started).max(0.0),
            silent: (now() - self.last).max(0.0),
            damages,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::PlannedCell;

    #[test]
    fn the_journal_tells_what_is_underway() {
        let variant = String::new;
        let row = || "pld".to_owned();
        let cell = PlannedCell { row: row(), seed: 7, adaptations: 2, consolidations: 2, devices: 2 };
        let mut follower = Follower::new([variant()].into_iter());
        follower.take(JournalEvent::Started { at: 100.0, process: 1 });
        follower.take(JournalEvent::Planned { at: 100.0, variant: variant(), jobs: 2, cells: vec![cell] });
        let begins = |at, stage| JournalEvent::Begins {
            at,
            variant: variant(),
            row: row(),
            seed: 7,
            device: 1,
            devices: 2,
            stage,
        };
        let ends = |at, stage| JournalEvent::Ends {
            at,
            variant: variant(),
            row: row(),
            seed: 7,
            device: 1,
            stage,
            before: 0,
            seconds: 4.0,
            found: false,
        };
        follower.take(begins(101.0, Stage::Adapting));
        follower.take(ends(105.0, Stage::Adapting));
        follower.take(begins(105.0, Stage::Consolidating));
        let status = follower.status(None, vec![]);
        assert_eq!(status.state, RunState::Stopped);
        assert_eq!(status.variants[0].pace.stages(), (1, 4));
        let underway = &status.variants[0].underway[0];
        assert_eq!((underway.stage, underway.device, underway.seconds), (Stage::Consolidating, 1, 0.0));
        assert_eq!(status.seconds, 5.0);
    }
}
