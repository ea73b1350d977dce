//! What a long computation tells while it runs.

/// Listens to a computation that takes steps.
pub trait Progress: Sync {
    /// `done` of `steps` steps have been taken.
    fn step(&self, done: usize, steps: usize);
}

/// Listens to nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn step(&self, _done: usize, _steps: usize) {}
}
