//! Results without some devices: what one device did to the others.

use std::collections::BTreeSet;

use crate::cell::{Accuracy, Cell};
use crate::matrix::{AccuracyMatrix, MatrixRow};
use crate::results::Results;

impl Results {
    /// The same results without these devices, counted from 0. They are left out of the accuracies and of everything that is
    /// computed from them. The centre has still consolidated them, so costs stay as they are.
    ///
    /// `None` if a device is not in the stream, or if no device is left.
    pub fn without_devices(&self, devices: &BTreeSet<usize>) -> Option<Results> {
        if devices.iter().any(|device| *device >= self.tasks.len()) || devices.len() == self.tasks.len() {
            return None;
        }
        let mut others = self.clone();
        others.tasks = kept(&self.tasks, |task| !devices.contains(&task));
        others.left_out.extend(devices.iter().map(|device| self.device(*device) - 1));
        others.left_out.sort_unstable();
        let of_control = others.control.iter_mut().flat_map(|control| control.rows.values_mut().flatten());
        for cell in others.rows.iter_mut().flat_map(|row| &mut row.cells).chain(of_control) {
            *cell = without(cell, devices);
        }
        Some(others)
    }
}

/// The items whose index is wanted.
fn kept<T: Clone>(items: &[T], wanted: impl Fn(usize) -> bool) -> Vec<T> {
    items.iter().enumerate().filter(|(index, _)| wanted(*index)).map(|(_, item)| item.clone()).collect()
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
        Accuracy::Unmeasured { tasks } => {
            Accuracy::Unmeasured { tasks: (0..*tasks).filter(|column| of_column(*column)).count() }
        }
        Accuracy::Rounds(rounds) => {
            let mut rounds = rounds.clone();
            for round in &mut rounds {
                round.task_aware = kept(&round.task_aware, of_task);
                round.task_agnostic = kept(&round.task_agnostic, of_task);
            }
            // The device of each expert is unknown, so the lists by expert cannot be split.
            return Cell { accuracy: Accuracy::Rounds(rounds), expert_accuracy: vec![], ..others };
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
    // These values are means over the tasks so far, which cannot be split.
    others.latent_similarity_over_stream.clear();
    others.moved_bytes = kept(&cell.moved_bytes, of_column);
    others.elapsed_seconds = kept(&cell.elapsed(), of_column);
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
    // Rows and columns are removed together, so the rest is triangular, too.
    rows.try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::RoundAccuracy;
    use crate::metric_catalogue::Metric;
    use crate::results::tests::small;

    /// Three devices. The second one spoils the others.
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
    fn rounds_are_judged_on_the_others_and_say_nothing_of_experts() {
        let round = RoundAccuracy {
            round: 1,
            experts: 3,
            task_aware: vec![1.0, 0.25, 0.5],
            task_agnostic: vec![0.5, 0.0, 0.25],
        };
        let mut results = three();
        results.rows[0].cells[0].accuracy = Accuracy::Rounds(vec![round]);
        let others = results.without_devices(&BTreeSet::from([1])).expect("two are left");
        let metrics = others.rows[0].cells[0].metrics();
        assert_eq!(metrics[&Metric::AverageAccuracyTaskAware], 0.75); // (1 + 0.5) / 2
        assert!(!metrics.contains_key(&Metric::ExpertAccuracy));
    }

    #[test]
    fn devices_keep_their_numbers() {
        let numbers =
            |results: &Results| (0..results.tasks.len()).map(|index| results.device(index)).collect::<Vec<_>>();
        let mut results = three();
        results.tasks = vec![results.tasks[0].clone(); 5];
        results.rows.clear();
        assert_eq!(numbers(&results), [1, 2, 3, 4, 5]);
        let others = results.without_devices(&BTreeSet::from([0, 3])).expect("three are left");
        assert_eq!((others.left_out.as_slice(), numbers(&others)), ([0, 3].as_slice(), vec![2, 3, 5]));
        let others = others.without_devices(&BTreeSet::from([1])).expect("two are left");
        assert_eq!((others.left_out.as_slice(), numbers(&others)), ([0, 2, 3].as_slice(), vec![2, 5]));
    }

    #[test]
    fn a_device_that_is_not_there_and_all_of_them_are_refused() {
        assert!(three().without_devices(&BTreeSet::from([3])).is_none());
        assert!(three().without_devices(&BTreeSet::from([0, 1, 2])).is_none());
    }
}
