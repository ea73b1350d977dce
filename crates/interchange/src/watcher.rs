//! Whoever watches a consolidation: is told how far it is, and may want it to stop.

use alluvium_model::{Progress, Silent};

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
impl Watcher for Silent {}

/// As long as it lives, files are being written.
pub(crate) struct WritingGuard<'a>(&'a dyn Watcher);

impl<'a> WritingGuard<'a> {
    pub(crate) fn begin(watcher: &'a dyn Watcher) -> Self {
        watcher.writing(true);
        WritingGuard(watcher)
    }
}

impl Drop for WritingGuard<'_> {
    fn drop(&mut self) {
        self.0.writing(false);
    }
}
