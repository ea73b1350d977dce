//! What a run tells its observers.

use alluvium_results::Cell;
use serde::{Deserialize, Serialize};

/// The kind of work that a cell is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// A device adapts the central model.
    Adapting,
    /// The centre consolidates the expert.
    Consolidating,
    /// The evaluator judges the new central model.
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
    /// The stage.
    pub stage: Stage,
    /// Distinguishes stages of one device: how often it took a model before; at the centre, how many experts were consolidated
    /// before.
    pub before: usize,
}

/// How a stage ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ending {
    /// The seconds that it took when it was computed.
    pub seconds: f64,
    /// Whether it was found in the store instead of computed.
    pub found: bool,
}

/// A cell that will be run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedCell {
    /// The row's name.
    pub row: String,
    /// The seed.
    pub seed: u64,
    /// The number of its adaptations.
    pub adaptations: usize,
    /// The number of its consolidations.
    pub consolidations: usize,
    /// The number of devices of the stream.
    #[serde(default)]
    pub devices: usize,
}

/// Watches a run. It is called from several threads.
pub trait Observer: Sync {
    /// The run knows its cells, and how many of them run side by side.
    fn planned(&self, _cells: &[PlannedCell], _jobs: usize) {}
    /// Work begins on a stage. A stage that is found does not begin.
    fn begins(&self, _work: Work<'_>) {}
    /// The stage has taken `done` of `steps` steps.
    fn steps(&self, _work: Work<'_>, _done: usize, _steps: usize) {}
    /// An adaptation or a consolidation is done. A cell that meets a damaged stage is run again, and its stages end a second
    /// time.
    fn ends(&self, _work: Work<'_>, _ending: Ending) {}
    /// A cell of a strategy or of joint training is finished; `cell` holds its measurements. Cells of `devices-alone` are put
    /// together when the run ends, so they are not reported.
    fn cell_finished(&self, _row: &str, _cell: &Cell) {}
    /// Whether the run should stop. It is asked before each stage and at each step; the run then ends with
    /// [`ExperimentError::Interrupted`](crate::ExperimentError::Interrupted). Default: no.
    fn stopped(&self) -> bool {
        false
    }
}

/// An observer that does nothing.
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

    fn stopped(&self) -> bool {
        self.0.stopped() || self.1.stopped()
    }
}

/// What unwinds from a step when the observer stops the run. Plugins call their progress from deep within a computation, and none
/// of them has to pass an interruption on.
pub(crate) struct StopAtStep;

/// Tells an observer about the steps of one stage.
pub(crate) struct Steps<'a> {
    pub(crate) observer: &'a dyn Observer,
    pub(crate) work: Work<'a>,
}

impl alluvium_model::Progress for Steps<'_> {
    fn step(&self, done: usize, steps: usize) {
        self.observer.steps(self.work, done, steps);
        if self.observer.stopped() {
            std::panic::resume_unwind(Box::new(StopAtStep));
        }
    }
}
