//! What a run tells while it runs.

/// What one cell is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
}

/// Watches a run; called from several threads.
pub trait Observer: Sync {
    /// So many devices will be adapted or consolidated in all.
    fn planned(&self, _devices: usize) {}
    /// Work begins on a stage.
    fn begins(&self, _work: Work<'_>) {}
    /// The stage has taken `done` of `steps` steps.
    fn steps(&self, _work: Work<'_>, _done: usize, _steps: usize) {}
    /// A planned device is done.
    fn device_done(&self, _work: Work<'_>) {}
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {}

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
