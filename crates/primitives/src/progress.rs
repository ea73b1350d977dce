//! Progress of a long computation.

/// Receives the progress of a computation that takes steps.
pub trait Progress: Sync {
    /// `done` of `steps` steps have been taken.
    fn step(&self, done: usize, steps: usize);
}

/// Ignores all progress.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn step(&self, _done: usize, _steps: usize) {}
}
