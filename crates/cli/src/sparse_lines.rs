//! Progress without a terminal: a line from time to time, with the rows that were finished since the last one.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use alluvium_experiment::PlannedCell;

/// The least time between two lines.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// Decides when a line is due, and collects its contents.
#[derive(Debug, Default)]
pub(crate) struct SparseLines {
    last: Option<Instant>,
    /// For each row, the number of its unfinished seeds, and the accuracies of the finished ones.
    rows: BTreeMap<String, Row>,
    /// Rows that were finished since the last line, in words.
    finished: Vec<String>,
}

#[derive(Debug, Default)]
struct Row {
    to_come: usize,
    task_aware: Vec<f64>,
    task_agnostic: Vec<f64>,
}

impl SparseLines {
    /// Sets the cells of the run. A row is finished when all its cells are.
    pub(crate) fn planned(&mut self, cells: &[PlannedCell]) {
        self.rows.clear();
        for cell in cells {
            self.rows.entry(cell.row.clone()).or_default().to_come += 1;
        }
    }

    /// Counts a cell of the row as finished, with its accuracies, if it has any.
    pub(crate) fn cell_finished(&mut self, row: &str, task_aware: Option<f64>, task_agnostic: Option<f64>) {
        let Some(known) = self.rows.get_mut(row) else { return };
        known.to_come = known.to_come.saturating_sub(1);
        known.task_aware.extend(task_aware);
        known.task_agnostic.extend(task_agnostic);
        if known.to_come == 0 {
            let words = known.in_words();
            self.finished.push(format!("{row}{words}"));
        }
    }

    /// The text on the finished rows, if a line is due. The line then counts as printed.
    pub(crate) fn due(&mut self, now: Instant) -> Option<String> {
        if self.last.is_some_and(|last| now.duration_since(last) < BETWEEN_LINES) {
            return None;
        }
        self.last = Some(now);
        let finished = std::mem::take(&mut self.finished);
        Some(if finished.is_empty() { String::new() } else { format!(" · finished: {}", finished.join("; ")) })
    }
}

impl Row {
    /// ` 91.3 % task-aware, 38.4 % task-agnostic`: means over the seeds.
    fn in_words(&self) -> String {
        let mean = |values: &[f64], what: &str| {
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            (!values.is_empty()).then(|| format!("{:.1} % {what}", 100.0 * mean))
        };
        let parts = [mean(&self.task_aware, "task-aware"), mean(&self.task_agnostic, "task-agnostic")];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        if parts.is_empty() { String::new() } else { format!(" {}", parts.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(row: &str, seed: u64) -> PlannedCell {
        PlannedCell { row: row.to_owned(), seed, adaptations: 1, consolidations: 1, devices: 1 }
    }

    #[test]
    fn a_line_is_due_every_ten_seconds_and_names_the_rows_finished_since_the_last() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut lines = SparseLines::default();
        lines.planned(&[cell("pld", 0), cell("pld", 1), cell("alone", 0)]);
        assert_eq!(lines.due(at(0)).as_deref(), Some(""));
        lines.cell_finished("pld", Some(0.9), Some(0.5));
        assert_eq!(lines.due(at(9)), None);
        assert_eq!(lines.due(at(10)).as_deref(), Some(""), "a seed of pld is still to come");
        lines.cell_finished("pld", Some(0.95), Some(0.6));
        lines.cell_finished("alone", Some(0.99), None);
        assert_eq!(lines.due(at(19)), None);
        // The means of 90 and 95, and of 50 and 60.
        let expected = " · finished: pld 92.5 % task-aware, 55.0 % task-agnostic; alone 99.0 % task-aware";
        assert_eq!(lines.due(at(31)).as_deref(), Some(expected));
        assert_eq!(lines.due(at(45)).as_deref(), Some(""), "each row is named once");
    }
}
