//! The progress of a run, and an estimate of the time left.

use std::collections::{BTreeMap, BTreeSet};

use alluvium_config::Reference;

use crate::progress::{Ending, PlannedCell, Stage};

/// Follows the stages of a run, and extrapolates from the time that stages of the same row took.
///
/// Stages that were found instead of computed count as done, but not for the time.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    cells: BTreeMap<(String, u64), CellPace>,
    jobs: usize,
    /// The seconds and the number of the computed stages, by row and kind of stage.
    rows: BTreeMap<(String, Stage), (f64, usize)>,
}

#[derive(Debug, Clone)]
struct CellPace {
    plan: PlannedCell,
    /// The finished stages: each with its device, and with the number of earlier ones at this device or at the centre.
    done: BTreeSet<(Stage, usize, usize)>,
}

impl Pace {
    /// Sets the cells of the run, and how many of them run side by side.
    pub fn planned(&mut self, cells: &[PlannedCell], jobs: usize) {
        let cell = |plan: &PlannedCell| {
            ((plan.row.clone(), plan.seed), CellPace { plan: plan.clone(), done: BTreeSet::new() })
        };
        self.cells.extend(cells.iter().map(cell));
        self.jobs = jobs.max(1);
    }

    /// Counts a stage of a cell as done. `device` counts from 1, and `before` distinguishes stages of one device, as in
    /// [`Work`](crate::Work). A stage that ends a second time counts once.
    pub fn ends(&mut self, row: &str, seed: u64, device: usize, before: usize, stage: Stage, ending: Ending) {
        if let Some(cell) = self.cells.get_mut(&(row.to_owned(), seed)) {
            cell.done.insert((stage, device, before));
        }
        if !ending.found {
            let (seconds, stages) = self.rows.entry((row.to_owned(), stage)).or_default();
            *seconds += ending.seconds;
            *stages += 1;
        }
    }

    /// The number of finished stages, and of all stages.
    pub fn stages(&self) -> (usize, usize) {
        let done = self.cells.values().map(|cell| cell.done.len()).sum();
        (done, self.cells.values().map(|cell| cell.plan.adaptations + cell.plan.consolidations).sum())
    }

    /// For each cell, its row, its seed, and the numbers of its finished stages and of all its stages.
    pub fn cells(&self) -> impl Iterator<Item = (&str, u64, usize, usize)> {
        self.cells.values().map(|cell| {
            let all = cell.plan.adaptations + cell.plan.consolidations;
            (cell.plan.row.as_str(), cell.plan.seed, cell.done.len(), all)
        })
    }

    /// Stages per minute of computing time, over all rows.
    pub fn speed(&self) -> Option<f64> {
        let (seconds, stages) = self.rows.values().fold((0.0, 0), |(sum, count), (s, n)| (sum + s, count + n));
        (seconds > 0.0).then(|| 60.0 * stages as f64 / seconds)
    }

    /// An estimate of the time left; `None` before the needed stages were timed.
    pub fn left(&self) -> Option<TimeLeft> {
        let (mut total, mut longest, mut timed) = (0.0, 0.0_f64, true);
        for cell in self.cells.values() {
            let mut left = 0.0;
            for (stage, planned) in
                [(Stage::Adapting, cell.plan.adaptations), (Stage::Consolidating, cell.plan.consolidations)]
            {
                let done = cell.done.iter().filter(|(one, ..)| *one == stage).count();
                let remaining = planned.saturating_sub(done);
                if remaining > 0 {
                    let (seconds, is_timed) = self.mean(&cell.plan.row, stage)?;
                    left += remaining as f64 * seconds;
                    timed &= is_timed;
                }
            }
            total += left;
            // The stages of a strategy's cell run one after another; devices alone can run side by side.
            if cell.plan.consolidations > 0 {
                longest = longest.max(left);
            }
        }
        Some(TimeLeft { seconds: longest.max(total / self.jobs.max(1) as f64), timed })
    }

    /// The mean time of a row's stages of this kind, and whether it was measured in this row. A device takes about the same time
    /// in every row. Joint training takes about as long as all devices. The consolidations of another strategy are a guess.
    fn mean(&self, row: &str, stage: Stage) -> Option<(f64, bool)> {
        if let Some((seconds, stages)) = self.rows.get(&(row.to_owned(), stage)) {
            return Some((seconds / *stages as f64, true));
        }
        let is_joint = |row: &str| Reference::ALL.iter().any(|one| one.joint_loss().is_some() && one.name() == row);
        let others = self.rows.iter().filter(|((other, of), _)| *of == stage && !is_joint(other));
        let (seconds, stages) = others.fold((0.0, 0), |(sum, count), (_, (s, n))| (sum + s, count + n));
        let mean = (stages > 0).then(|| seconds / stages as f64)?;
        if is_joint(row) { Some((mean * self.devices() as f64, false)) } else { Some((mean, stage == Stage::Adapting)) }
    }

    /// How many devices the stream has.
    fn devices(&self) -> usize {
        self.cells.values().map(|cell| cell.plan.devices).max().unwrap_or(0)
    }
}

/// An estimate of the time that the rest of a run will take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimeLeft {
    /// The estimated seconds.
    pub seconds: f64,
    /// Whether every kind of remaining stage was timed before. Otherwise some times are guessed.
    pub timed: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(row: &str, adaptations: usize, consolidations: usize) -> PlannedCell {
        PlannedCell { row: row.to_owned(), seed: 0, adaptations, consolidations, devices: 4 }
    }

    fn took(seconds: f64) -> Ending {
        Ending { seconds, found: false }
    }

    #[test]
    fn the_rest_is_extrapolated_row_by_row() {
        let mut pace = Pace::default();
        pace.planned(&[cell("pld", 3, 3), cell("devices-alone", 3, 0)], 2);
        assert_eq!((pace.stages(), pace.left()), ((0, 9), None));
        pace.ends("devices-alone", 0, 1, 0, Stage::Adapting, took(2.0));
        pace.ends("pld", 0, 1, 0, Stage::Adapting, Ending { seconds: 2.0, found: true });
        assert_eq!(pace.left(), None, "no consolidation has been timed");
        pace.ends("pld", 0, 1, 0, Stage::Consolidating, took(10.0));
        assert_eq!(pace.stages(), (3, 9));
        // pld: 2 devices of 2 s and 2 consolidations of 10 s, one after another; the others fit beside.
        assert_eq!(pace.left(), Some(TimeLeft { seconds: 24.0, timed: true }));
        // A cell that is run again ends its stages a second time.
        pace.ends("pld", 0, 1, 0, Stage::Consolidating, Ending { seconds: 10.0, found: true });
        assert_eq!((pace.stages(), pace.left()), ((3, 9), Some(TimeLeft { seconds: 24.0, timed: true })));
        assert_eq!(pace.speed(), Some(10.0)); // Two stages in 12 s.
    }

    #[test]
    fn cells_share_the_cores() {
        let mut pace = Pace::default();
        pace.planned(&[cell("devices-alone", 5, 0)], 2);
        pace.ends("devices-alone", 0, 1, 0, Stage::Adapting, took(3.0));
        assert_eq!(pace.left(), Some(TimeLeft { seconds: 6.0, timed: true }));
    }

    #[test]
    fn what_was_never_timed_is_guessed_and_said_to_be() {
        let mut pace = Pace::default();
        pace.planned(&[cell("joint", 1, 0), cell("pld", 4, 4), cell("naive", 4, 4)], 1);
        pace.ends("pld", 0, 1, 0, Stage::Adapting, took(3.0));
        pace.ends("pld", 0, 1, 0, Stage::Consolidating, took(5.0));
        // Joint training as long as four devices, 12 s; pld 3 · (3 + 5); naive, as if it were pld, 4 · (3 + 5).
        assert_eq!(pace.left(), Some(TimeLeft { seconds: 12.0 + 24.0 + 32.0, timed: false }));
    }

    #[test]
    fn in_rounds_every_visit_and_every_round_counts() {
        let mut pace = Pace::default();
        // Two rounds of four devices, and joint training.
        pace.planned(&[cell("fedavg", 8, 2), cell("joint", 1, 0)], 1);
        for round in 0..2 {
            assert_eq!(pace.stages(), (5 * round, 11));
            for device in 1..=4 {
                pace.ends("fedavg", 0, device, round, Stage::Adapting, took(3.0));
            }
            pace.ends("fedavg", 0, 4, 4 * round, Stage::Consolidating, took(1.0));
        }
        assert_eq!(pace.stages(), (10, 11));
        // Joint training sees each of the four devices' data once, however often they came back.
        assert_eq!(pace.left(), Some(TimeLeft { seconds: 12.0, timed: false }));
    }
}
