//! Whoever watches a consolidation: is told how far it is, and may want it to stop.

use alluvium_model::Progress;

/// Watches a consolidation.
pub trait Watcher: Progress {
    /// Files are being written from now on, or no longer. While they are, [`stopped`](Self::stopped) is asked again and again,
    /// and what was begun is taken back when it says so; a process that is ended then leaves half a file.
    fn writing(&self, _now: bool) {}

    /// Whether the work should stop.
    fn stopped(&self) -> bool {
        false
    }
}

/// Nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Progress for Unwatched {
    fn step(&self, _done: usize, _steps: usize) {}
}

impl Watcher for Unwatched {}

/// As long as it lives, files are being written.
pub(crate) struct Writing<'a>(&'a dyn Watcher);

impl<'a> Writing<'a> {
    pub(crate) fn begin(watcher: &'a dyn Watcher) -> Self {
        watcher.writing(true);
        Writing(watcher)
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.0.writing(false);
    }
}
