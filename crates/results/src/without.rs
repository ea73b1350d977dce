//! Results without some devices: what one device did to the others.

use std::collections::BTreeSet;

use crate::cell::{Accuracy, Cell};
use crate::matrix::{AccuracyMatrix, MatrixRow};
use crate::results::Results;

impl Results {
    /// The same results as seen from the other devices: without these ones (from 0) in the accuracies and in whatever follows
    /// from them. The centre has consolidated them all the same, and what the run cost is what it cost.
    ///
    /// `None` where a device is not in the stream, or none would be left.
    pub fn without_devices(&self, devices: &BTreeSet<usize>) -> Option<Results> {
        if devices.iter().any(|device| *device >= self.tasks.len()) || devices.len() == self.tasks.len() {
            return None;
        }
        let mut others = self.clone();
        others.tasks = kept(&self.tasks, |task| !devices.contains(&task));
        for cell in others.rows.iter_mut().flat_map(|row| &mut row.cells) {
            *cell = without(cell, devices);
        }
        Some(others)
    }
}

/// The items at the places that are wanted.
fn kept<T: Clone>(items: &[T], wanted: impl Fn(usize) -> bool) -> Vec<T> {
    items.iter().enumerate().filter(|(place, _)| wanted(*place)).map(|(_, item)| item.clone()).collect()
}

fn without(cell: &Cell, devices: &BTreeSet<usize>) -> Cell {
    let of_task = |task: usize| !devices.contains(&task);
    // Lists by task are in the order in which devices came back.
    let of_column = |column: usize| of_task(cell.arrivals.get(column).copied().unwrap_or(column));
    let mut others = cell.clone();
    others.accuracy = match &cell.accuracy {
        Accuracy::Stream { task_aware, task_agnostic } => {
            Accuracy::Stream { task_aware: part(task_aware, of_column), task_agnostic: part(task_agnostic, of_column) }
        }
        Accuracy::Final { task_aware, task_agnostic } => Accuracy::Final {
            task_aware: kept(task_aware, of_task),
            task_agnostic: task_agnostic.as_ref().map(|accuracies| kept(accuracies, of_task)),
        },
        Accuracy::Rounds(rounds) => {
            let mut rounds = rounds.clone();
            for round in &mut rounds {
                round.task_aware = kept(&round.task_aware, of_task);
                round.task_agnostic = kept(&round.task_agnostic, of_task);
            }
            // Lists by expert say nothing of tasks, and stay.
            return Cell { accuracy: Accuracy::Rounds(rounds), ..others };
        }
    };
    let lists = [
        &mut others.expert_accuracy,
        &mut others.alone_accuracy,
        &mut others.latent_similarity,
        &mut others.device_seconds,
        &mut others.consolidation_seconds,
    ];
    let early = others.early_accuracy.iter_mut().flat_map(|early| [&mut early.accuracy, &mut early.alone]);
    for list in lists.into_iter().chain(early) {
        *list = kept(list, of_column);
    }
    // Its values are means over the tasks so far, which cannot be taken apart.
    others.latent_similarity_over_stream.clear();
    others.moved_bytes = kept(&cell.moved_bytes, of_column);
    others.elapsed_seconds = kept(&cell.elapsed_seconds, of_column);
    let before = |task: &usize| devices.iter().filter(|device| *device < task).count();
    others.arrivals = cell.arrivals.iter().filter(|task| of_task(**task)).map(|task| task - before(task)).collect();
    others
}

/// The rows and columns of a matrix that are wanted.
fn part(matrix: &AccuracyMatrix, wanted: impl Fn(usize) -> bool + Copy) -> AccuracyMatrix {
    let row = |row: &MatrixRow| match row {
        MatrixRow::Own(accuracy) => MatrixRow::Own(*accuracy),
        MatrixRow::All(accuracies) => MatrixRow::All(kept(accuracies, wanted)),
    };
    let rows: Vec<_> = kept(matrix.rows(), wanted).iter().map(row).collect();
    // As many columns go from a row as rows before it, so what is left is triangular, too.
    rows.try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Metric;
    use crate::results::tests::small;

    /// Three devices, of which the second spoils the others.
    fn three() -> Results {
        let matrix = AccuracyMatrix::from_rows(vec![vec![1.0], vec![0.5, 0.25], vec![0.75, 0.0, 0.5]]).expect("valid");
        let mut results = small();
        results.tasks = vec![results.tasks[0].clone(); 3];
        results.rows.truncate(1);
        let accuracy = Accuracy::Stream { task_aware: matrix.clone(), task_agnostic: matrix };
        let cell = Cell { expert_accuracy: vec![1.0, 0.5, 0.75], bytes_up: vec![7; 3], ..Cell::new(1, accuracy) };
        results.rows[0].cells = vec![cell];
        results
    }

    #[test]
    fn accuracies_are_those_on_the_others_and_costs_are_the_whole_run_s() {
        let others = three().without_devices(&BTreeSet::from([1])).expect("two are left");
        assert_eq!((others.tasks.len(), others.check()), (2, Ok(())));
        let metrics = others.rows[0].cells[0].metrics();
        assert_eq!(metrics[&Metric::AverageAccuracyTaskAware], 0.625); // (0.75 + 0.5) / 2
        assert_eq!(metrics[&Metric::BackwardTransferTaskAware], -0.25); // 0.75 − 1
        assert_eq!(metrics[&Metric::ExpertAccuracy], 0.875); // (1 + 0.75) / 2
        assert_eq!(metrics[&Metric::BytesUp], 7.0);
        assert_eq!(others.rows[0].cells[0].bytes_up.len(), 3);
    }

    #[test]
    fn devices_are_found_by_their_task_in_whatever_order_they_came() {
        let mut results = three();
        results.rows[0].cells[0].arrivals = vec![2, 0, 1];
        let others = results.without_devices(&BTreeSet::from([0])).expect("two are left");
        let cell = &others.rows[0].cells[0];
        assert_eq!(cell.arrivals, [1, 0]);
        let Accuracy::Stream { task_aware, .. } = &cell.accuracy else { panic!("a stream") };
        assert_eq!(task_aware.last_row(), [0.75, 0.5], "task 0 came second");
    }

    #[test]
    fn a_device_that_is_not_there_and_all_of_them_are_refused() {
        assert!(three().without_devices(&BTreeSet::from([3])).is_none());
        assert!(three().without_devices(&BTreeSet::from([0, 1, 2])).is_none());
    }
}
