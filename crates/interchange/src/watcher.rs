//! Watches a consolidation: receives its progress, and may stop it.

use alluvium_model::{Progress, Silent};

/// Watches a consolidation.
pub trait Watcher: Progress {
    /// Called when writing of files begins and ends. In between, [`stopped`](Self::stopped) is called again and again;
    /// if it returns `true`, the unfinished files are removed. Ending the process while files are being written would
    /// leave half a file.
    fn writing(&self, _now: bool) {}

    /// Whether the work should stop.
    fn stopped(&self) -> bool {
        false
    }
}

/// Does not watch.
impl Watcher for Silent {}

/// While this value exists, files are being written.
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
