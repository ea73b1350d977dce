//! Progress: bars on a terminal; otherwise a line from time to time, or an event for each stage.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use alluvium_experiment::{Ending, Observer, Pace, PlannedCell, Stage, Work};
use alluvium_results::{Cell, Metric};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::duration::duration;
use crate::logging::{ProgressDisplay, bars, shown};
use crate::sparse_lines::SparseLines;

/// Shows the progress of a run on stderr.
pub(crate) struct Watch {
    total: ProgressBar,
    cells: Mutex<BTreeMap<(String, u64), ProgressBar>>,
    pace: Mutex<Pace>,
    lines: Mutex<SparseLines>,
}

impl Watch {
    pub(crate) fn new() -> Self {
        if shown() != ProgressDisplay::Bars {
            bars().set_draw_target(ProgressDrawTarget::hidden());
        }
        let total = bars().add(ProgressBar::new(0));
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} stages · {elapsed} · {msg}");
        total.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Watch { total, cells: Mutex::default(), pace: Mutex::default(), lines: Mutex::default() }
    }

    pub(crate) fn finish(&self) {
        self.total.finish_and_clear();
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lines(&self) -> MutexGuard<'_, SparseLines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs the progress of the run, if a line is due.
    fn log_line(&self, pace: &Pace) {
        if shown() == ProgressDisplay::Lines
            && let Some(finished) = self.lines().due(Instant::now())
        {
            let (done, all) = pace.stages();
            tracing::info!("{done} of {all} stages · {}{finished}", time_left(pace));
        }
    }

    /// Updates the bar of one cell.
    fn with_bar(&self, work: Work<'_>, update: impl FnOnce(&ProgressBar)) {
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = cells.entry((work.row.to_owned(), work.seed)).or_insert_with(|| {
            let bar = bars().insert_before(&self.total, ProgressBar::new(0));
            let style = ProgressStyle::with_template("  {msg:58} {bar:20} {pos}/{len}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        update(bar);
    }
}

/// The time left and the speed, if they are known.
pub(crate) fn outlook(pace: &Pace) -> String {
    match pace.speed() {
        Some(speed) => format!("{} · {speed:.1} stages/min per job", time_left(pace)),
        None => time_left(pace),
    }
}

fn time_left(pace: &Pace) -> String {
    match pace.left() {
        Some(left) if left.timed => format!("about {} left", duration(left.seconds)),
        Some(left) => format!("at a guess {} left", duration(left.seconds)),
        None => "time left not known yet".to_owned(),
    }
}

/// `device 4/10 · pld · seed 0 · consolidating`.
pub(crate) fn label(row: &str, seed: u64, device: usize, devices: usize, stage: Stage) -> String {
    format!("device {device}/{devices} · {row} · seed {seed} · {stage}")
}

impl Observer for Watch {
    fn planned(&self, cells: &[PlannedCell], jobs: usize) {
        let mut pace = self.pace();
        *pace = Pace::default();
        pace.planned(cells, jobs);
        self.lines().planned(cells);
        self.log_line(&pace);
        // The previous variant has finished the bar.
        self.total.reset();
        self.total.set_length(pace.stages().1 as u64);
        if shown() == ProgressDisplay::Bars {
            self.total.enable_steady_tick(Duration::from_secs(1));
        }
    }

    fn begins(&self, work: Work<'_>) {
        let Work { row, seed, device, devices, stage, .. } = work;
        let label = label(row, seed, device, devices, stage);
        match shown() {
            ProgressDisplay::Bars => self.with_bar(work, |bar| {
                bar.set_message(label);
                bar.set_length(0);
                bar.set_position(0);
            }),
            ProgressDisplay::Events if stage != Stage::Evaluating => {
                let pace = self.pace();
                let (done, all) = pace.stages();
                tracing::info!(row, seed, device, devices, %stage, done, all, "{label} · {}", outlook(&pace));
            }
            _ => {}
        }
    }

    fn steps(&self, work: Work<'_>, done: usize, steps: usize) {
        if shown() == ProgressDisplay::Bars {
            self.with_bar(work, |bar| {
                bar.set_length(steps as u64);
                bar.set_position(done as u64);
            });
        }
    }

    fn ends(&self, work: Work<'_>, ending: Ending) {
        let mut pace = self.pace();
        pace.ends(work.row, work.seed, work.device, work.before, work.stage, ending);
        self.total.set_position(pace.stages().0 as u64);
        self.total.set_message(outlook(&pace));
        self.log_line(&pace);
        // The next stage of the cell gets a new bar.
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = cells.remove(&(work.row.to_owned(), work.seed)) {
            bar.finish_and_clear();
        }
    }

    fn cell_finished(&self, row: &str, cell: &Cell) {
        let metrics = cell.metrics();
        let [aware, agnostic] = [Metric::AverageAccuracyTaskAware, Metric::AverageAccuracyTaskAgnostic]
            .map(|metric| metrics.get(&metric).copied());
        match shown() {
            ProgressDisplay::Events => {
                let seed = cell.seed;
                tracing::info!(
                    row,
                    seed,
                    average_accuracy_task_aware = aware,
                    average_accuracy_task_agnostic = agnostic,
                    "finished: {row} · seed {seed}"
                );
            }
            ProgressDisplay::Lines => self.lines().cell_finished(row, aware, agnostic),
            ProgressDisplay::Bars | ProgressDisplay::Nothing => {}
        }
    }
}
