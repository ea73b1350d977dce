//! What a run tells while it runs.

use alluvium_results::Cell;
use serde::{Deserialize, Serialize};

/// What one cell is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// A device adapts the central model.
    Adapting,
    /// The centre consolidates the expert.
    Consolidating,
    /// The evaluator judges.
    Evaluating,
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Stage::Adapting => "adapting",
            Stage::Consolidating => "consolidating",
            Stage::Evaluating => "evaluating",
        })
    }
}

/// A piece of work as the observer sees it.
#[derive(Debug, Clone, Copy)]
pub struct Work<'a> {
    /// The row's name.
    pub row: &'a str,
    /// The seed.
    pub seed: u64,
    /// The device, from 1.
    pub device: usize,
    /// How many devices there are.
    pub devices: usize,
    /// What is being done.
    pub stage: Stage,
    /// What tells stages of one device apart: how often it took a model before; at the centre, how many experts were
    /// consolidated before.
    pub before: usize,
}

/// How a stage ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ending {
    /// How long it took when it was computed, in seconds.
    pub seconds: f64,
    /// Whether it was found instead of computed.
    pub found: bool,
}

/// A cell that is going to be run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedCell {
    /// The row's name.
    pub row: String,
    /// The seed.
    pub seed: u64,
    /// How many stages of adapting end in it.
    pub adaptations: usize,
    /// How many stages of consolidating end in it.
    pub consolidations: usize,
    /// How many devices the stream has.
    #[serde(default)]
    pub devices: usize,
}

/// Watches a run; called from several threads.
pub trait Observer: Sync {
    /// The cells that will be run, and how many of them side by side.
    fn planned(&self, _cells: &[PlannedCell], _jobs: usize) {}
    /// Work begins on a stage; nothing begins on one that is found.
    fn begins(&self, _work: Work<'_>) {}
    /// The stage has taken `done` of `steps` steps.
    fn steps(&self, _work: Work<'_>, _done: usize, _steps: usize) {}
    /// A stage of adapting or consolidating is done. Cells that meet a damaged stage are run again: then their stages
    /// end a second time.
    fn ends(&self, _work: Work<'_>, _ending: Ending) {}
    /// A cell of a strategy or of joint training is finished: everything that it measured. The row of devices alone has
    /// no cells of its own before the run ends.
    fn cell_finished(&self, _row: &str, _cell: &Cell) {}
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {}

/// Two observers of one run.
pub(crate) struct TwoObservers<'a>(pub(crate) &'a dyn Observer, pub(crate) &'a dyn Observer);

impl Observer for TwoObservers<'_> {
    fn planned(&self, cells: &[PlannedCell], jobs: usize) {
        self.0.planned(cells, jobs);
        self.1.planned(cells, jobs);
    }

    fn begins(&self, work: Work<'_>) {
        self.0.begins(work);
        self.1.begins(work);
    }

    fn steps(&self, work: Work<'_>, done: usize, steps: usize) {
        self.0.steps(work, done, steps);
        self.1.steps(work, done, steps);
    }

    fn ends(&self, work: Work<'_>, ending: Ending) {
        self.0.ends(work, ending);
        self.1.ends(work, ending);
    }

    fn cell_finished(&self, row: &str, cell: &Cell) {
        self.0.cell_finished(row, cell);
        self.1.cell_finished(row, cell);
    }
}

/// Tells an observer about the steps of one stage.
pub(crate) struct Steps<'a> {
    pub(crate) observer: &'a dyn Observer,
    pub(crate) work: Work<'a>,
}

impl alluvium_model::Progress for Steps<'_> {
    fn step(&self, done: usize, steps: usize) {
        self.observer.steps(self.work, done, steps);
    }
}
