//! Progress: bars on a terminal, plain lines otherwise.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use alluvium_experiment::{Observer, Stage, Work};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shows how far a run is, on stderr.
pub(crate) struct Watch {
    bars: MultiProgress,
    total: ProgressBar,
    cells: Mutex<BTreeMap<(String, u64), ProgressBar>>,
    plain: bool,
}

impl Watch {
    pub(crate) fn new() -> Self {
        let plain = !crate::on_a_terminal();
        let target = if plain { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bars = MultiProgress::with_draw_target(target);
        let total = bars.add(ProgressBar::new(0));
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} devices · {elapsed} · about {eta} left");
        total.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        if !plain {
            total.enable_steady_tick(Duration::from_secs(1));
        }
        Watch { bars, total, cells: Mutex::default(), plain }
    }

    pub(crate) fn finish(&self) {
        self.total.finish_and_clear();
    }

    /// Updates the bar of one cell.
    fn with_bar(&self, work: Work<'_>, update: impl FnOnce(&ProgressBar)) {
        let Ok(mut cells) = self.cells.lock() else { return };
        let bar = cells.entry((work.row.to_owned(), work.seed)).or_insert_with(|| {
            let bar = self.bars.insert_before(&self.total, ProgressBar::new(0));
            let style = ProgressStyle::with_template("  {msg:58} {bar:20} {pos}/{len}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        update(bar);
    }
}

fn label(work: Work<'_>) -> String {
    format!("device {}/{} · {} · seed {} · {}", work.device, work.devices, work.row, work.seed, work.stage)
}

impl Observer for Watch {
    fn planned(&self, devices: usize) {
        self.total.set_length(devices as u64);
    }

    fn begins(&self, work: Work<'_>) {
        if self.plain {
            if work.stage != Stage::Evaluating {
                eprintln!("{}/{} {}", self.total.position(), self.total.length().unwrap_or(0), label(work));
            }
            return;
        }
        self.with_bar(work, |bar| {
            bar.set_message(label(work));
            bar.set_length(0);
            bar.set_position(0);
        });
    }

    fn steps(&self, work: Work<'_>, done: usize, steps: usize) {
        if !self.plain {
            self.with_bar(work, |bar| {
                bar.set_length(steps as u64);
                bar.set_position(done as u64);
            });
        }
    }

    fn device_done(&self, work: Work<'_>) {
        self.total.inc(1);
        if !self.plain && work.device == work.devices {
            let finished = self.cells.lock().ok().and_then(|mut cells| cells.remove(&(work.row.to_owned(), work.seed)));
            if let Some(bar) = finished {
                bar.finish_and_clear();
            }
        }
    }
}
