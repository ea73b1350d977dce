//! The progress of a consolidation, as a bar on a terminal, and whether it should stop.

use alluvium_interchange::Watcher;
use alluvium_model::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::interrupt;
use crate::logging::{ProgressDisplay, bars, shown};

/// Shows the steps of a consolidation.
pub(crate) struct Steps(ProgressBar);

impl Steps {
    pub(crate) fn new(strategy: &str) -> Self {
        if shown() != ProgressDisplay::Bars {
            bars().set_draw_target(ProgressDrawTarget::hidden());
        }
        let bar = bars().add(ProgressBar::new(0));
        let style = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} steps · {elapsed}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(strategy.to_owned());
        Steps(bar)
    }

    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

impl Progress for Steps {
    fn step(&self, done: usize, steps: usize) {
        self.0.set_length(steps as u64);
        self.0.set_position(done as u64);
    }
}

impl Watcher for Steps {
    fn writing(&self, now: bool) {
        interrupt::writing(now);
    }

    fn stopped(&self) -> bool {
        interrupt::stopped()
    }
}
