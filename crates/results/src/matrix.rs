//! The accuracy matrix R of a run over a task stream, and the metrics that are read from it.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::mean::mean;

/// R\[t\]\[i\]: the accuracy, in \[0, 1\], of the central model on task `i` after device `t` was consolidated.
///
/// Tasks and devices count from 0 here, and from 1 in the formulas of papers. The matrix is lower triangular: row `t` holds the
/// tasks `0..=t`. Where the evaluation schedule leaves out the others, it holds only its own task `t`. As JSON it is an array of
/// rows. A number instead of a row is the accuracy on the row's own task.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<MatrixRow>", into = "Vec<MatrixRow>")]
pub struct AccuracyMatrix {
    rows: Vec<MatrixRow>,
}

/// The accuracies after one device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum MatrixRow {
    /// The accuracy on the task of this device alone.
    Own(f64),
    /// The accuracies on all tasks so far.
    All(Vec<f64>),
}

/// Why a row cannot be the next row of an accuracy matrix.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum MatrixError {
    /// The row does not have one accuracy for each task met so far.
    #[error(
        "row {row} of the accuracy matrix must hold {} accuracies, one for each task met so far; it holds {found}",
        row + 1
    )]
    RowLength {
        /// Which row, from 0.
        row: usize,
        /// The number of its accuracies.
        found: usize,
    },
    /// A value is not an accuracy.
    #[error("row {row} of the accuracy matrix: {value} on task {task} is not an accuracy, which lies in [0, 1]")]
    OutOfRange {
        /// Which row, from 0.
        row: usize,
        /// Which task, from 0.
        task: usize,
        /// The value.
        value: f64,
    },
}

impl AccuracyMatrix {
    /// An empty matrix: no device has been consolidated yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A matrix of these rows, row `t` with the `t + 1` accuracies after device `t`.
    pub fn from_rows(rows: Vec<Vec<f64>>) -> Result<Self, MatrixError> {
        rows.into_iter().map(MatrixRow::All).collect::<Vec<_>>().try_into()
    }

    /// Adds the accuracies after the next device, `t`, was consolidated: on the tasks `0..=t`, or on task `t` alone.
    pub fn push(&mut self, measured: MatrixRow) -> Result<(), MatrixError> {
        let row = self.rows.len();
        let (first, accuracies) = match &measured {
            MatrixRow::Own(accuracy) => (row, std::slice::from_ref(accuracy)),
            MatrixRow::All(accuracies) => (0, accuracies.as_slice()),
        };
        if first + accuracies.len() != row + 1 {
            return Err(MatrixError::RowLength { row, found: accuracies.len() });
        }
        for (index, &value) in accuracies.iter().enumerate() {
            if !(0.0..=1.0).contains(&value) {
                return Err(MatrixError::OutOfRange { row, task: first + index, value });
            }
        }
        self.rows.push(measured);
        Ok(())
    }

    /// T: the number of tasks, and so of devices, that the matrix covers.
    pub fn tasks(&self) -> usize {
        self.rows.len()
    }

    /// The rows, one for each device, in the order of the stream.
    pub fn rows(&self) -> &[MatrixRow] {
        &self.rows
    }

    /// The rows `t` in which all tasks so far were judged, each with its accuracies.
    pub fn whole_rows(&self) -> impl Iterator<Item = (usize, &[f64])> {
        self.rows.iter().enumerate().filter_map(|(t, row)| match row {
            MatrixRow::Own(_) => None,
            MatrixRow::All(accuracies) => Some((t, accuracies.as_slice())),
        })
    }

    /// The accuracy on task `i` after device `t`; `None` where nothing was measured.
    pub fn at(&self, t: usize, i: usize) -> Option<f64> {
        match self.rows.get(t)? {
            MatrixRow::Own(accuracy) => (t == i).then_some(*accuracy),
            MatrixRow::All(accuracies) => accuracies.get(i).copied(),
        }
    }

    /// The accuracies after the last device, which are the last row; empty if not all tasks were judged then.
    pub fn last_row(&self) -> &[f64] {
        match self.rows.last() {
            Some(MatrixRow::All(accuracies)) => accuracies,
            _ => &[],
        }
    }

    /// ACC = mean_i R\[T, i\] (Lopez-Paz & Ranzato, "Gradient episodic memory", 2017), in \[0, 1\].
    ///
    /// `None` for an empty matrix.
    pub fn average_accuracy(&self) -> Option<f64> {
        mean(self.last_row().iter().copied())
    }

    /// mean_t mean_{i ≤ t} R\[t, i\] (Rebuffi et al., "iCaRL", 2017), in \[0, 1\]: the average accuracy at
    /// every step of the stream, averaged. Under an evaluation schedule, over the steps at which all tasks were judged.
    ///
    /// `None` for an empty matrix.
    pub fn average_incremental_accuracy(&self) -> Option<f64> {
        mean(self.whole_rows().filter_map(|(_, row)| mean(row.iter().copied())))
    }

    /// BWT = mean_{i < T} (R\[T, i\] − R\[i, i\]) (Lopez-Paz & Ranzato 2017), in \[−1, 1\]; below 0 where later
    /// devices harmed earlier tasks.
    ///
    /// The last task is left out: nothing came after it. `None` for fewer than two tasks.
    pub fn backward_transfer(&self) -> Option<f64> {
        mean(self.earlier_tasks().filter_map(|(i, last)| Some(last - self.at(i, i)?)))
    }

    /// F = mean_{i < T} (max_{t < T} R\[t, i\] − R\[T, i\]) (Chaudhry et al., "Riemannian walk for incremental
    /// learning", 2018), in \[−1, 1\]; below 0 where the last device improved on the best so far. Under an evaluation
    /// schedule, the best of what was measured.
    ///
    /// The last task is left out, as in [`backward_transfer`](Self::backward_transfer). `None` for fewer
    /// than two tasks.
    pub fn forgetting(&self) -> Option<f64> {
        let before_last = self.rows.len().saturating_sub(1);
        let mut best: Vec<_> = (0..before_last).filter_map(|i| self.at(i, i)).collect();
        for (_, row) in self.whole_rows().filter(|(t, _)| *t < before_last) {
            best.iter_mut().zip(row).for_each(|(best, accuracy)| *best = best.max(*accuracy));
        }
        mean(self.earlier_tasks().zip(best).map(|((_, last), best)| best - last))
    }

    /// mean_t (e\[t\] − R\[t, t\]), in \[−1, 1\]: the accuracy of each expert that the centre fails to take over when it
    /// consolidates it, before it forgets anything.
    ///
    /// `own` is e, the accuracy of expert `t` on its own task `t`. `None` for an empty matrix, or where `own`
    /// does not have one accuracy for each task.
    pub fn consolidation_gap(&self, own: &[f64]) -> Option<f64> {
        if own.len() != self.tasks() {
            return None;
        }
        mean(own.iter().enumerate().filter_map(|(t, e)| Some(e - self.at(t, t)?)))
    }

    /// Every task but the last, with the final accuracy on it.
    fn earlier_tasks(&self) -> impl Iterator<Item = (usize, f64)> + '_ {
        let before_last = self.rows.len().saturating_sub(1);
        self.last_row().iter().copied().take(before_last).enumerate()
    }
}

impl TryFrom<Vec<MatrixRow>> for AccuracyMatrix {
    type Error = MatrixError;

    fn try_from(rows: Vec<MatrixRow>) -> Result<Self, MatrixError> {
        let mut matrix = Self::new();
        for row in rows {
            matrix.push(row)?;
        }
        Ok(matrix)
    }
}

impl From<AccuracyMatrix> for Vec<MatrixRow> {
    fn from(matrix: AccuracyMatrix) -> Self {
        matrix.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three tasks; task 0 is best after device 1 (0.95), so that forgetting and −BWT differ.
    fn three_tasks() -> AccuracyMatrix {
        AccuracyMatrix::from_rows(vec![vec![0.9], vec![0.95, 0.8], vec![0.6, 0.7, 0.5]]).expect("a valid matrix")
    }

    #[track_caller]
    fn assert_close(found: Option<f64>, expected: f64) {
        let found = found.expect("the metric can be computed");
        assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
    }

    // Every expected value below is worked out by hand in the comment beside it.

    #[test]
    fn average_accuracy_is_the_mean_of_the_last_row() {
        // (0.6 + 0.7 + 0.5) / 3
        assert_close(three_tasks().average_accuracy(), 0.6);
    }

    #[test]
    fn average_incremental_accuracy_averages_the_steps_not_the_entries() {
        // (0.9 + (0.95 + 0.8) / 2 + 0.6) / 3 = 2.375 / 3; over all six entries it would be 4.45 / 6.
        assert_close(three_tasks().average_incremental_accuracy(), 2.375 / 3.0);
    }

    #[test]
    fn backward_transfer_compares_the_end_with_the_moment_of_learning() {
        // ((0.6 − 0.9) + (0.7 − 0.8)) / 2
        assert_close(three_tasks().backward_transfer(), -0.2);
    }

    #[test]
    fn forgetting_compares_the_end_with_the_best() {
        // ((max(0.9, 0.95) − 0.6) + (0.8 − 0.7)) / 2
        assert_close(three_tasks().forgetting(), 0.225);
    }

    #[test]
    fn forgetting_is_negative_where_the_last_device_helps() {
        let matrix = AccuracyMatrix::from_rows(vec![vec![0.5], vec![0.75, 0.9]]).expect("valid");
        // max over t < T leaves the last row out: 0.5 − 0.75
        assert_close(matrix.forgetting(), -0.25);
    }

    #[test]
    fn consolidation_gap_is_against_the_diagonal() {
        // ((0.9 − 0.9) + (0.9 − 0.8) + (0.7 − 0.5)) / 3
        assert_close(three_tasks().consolidation_gap(&[0.9, 0.9, 0.7]), 0.1);
        assert_eq!(three_tasks().consolidation_gap(&[0.9]), None);
    }

    #[test]
    fn one_task_has_accuracy_but_no_transfer() {
        let matrix = AccuracyMatrix::from_rows(vec![vec![0.5]]).expect("valid");
        assert_eq!(matrix.average_accuracy(), Some(0.5));
        assert_eq!(matrix.average_incremental_accuracy(), Some(0.5));
        assert_eq!(matrix.backward_transfer(), None);
        assert_eq!(matrix.forgetting(), None);
    }

    #[test]
    fn an_empty_matrix_has_no_metrics() {
        let matrix = AccuracyMatrix::new();
        assert_eq!(matrix.tasks(), 0);
        assert_eq!(matrix.average_accuracy(), None);
        assert_eq!(matrix.average_incremental_accuracy(), None);
        assert_eq!(matrix.backward_transfer(), None);
        assert_eq!(matrix.forgetting(), None);
        assert_eq!(matrix.consolidation_gap(&[]), None);
    }

    #[test]
    fn a_schedule_that_spares_rows_keeps_what_the_diagonal_tells() {
        let mut matrix = three_tasks();
        matrix.rows[1] = MatrixRow::Own(0.8);
        assert_close(matrix.average_accuracy(), 0.6);
        // (0.9 + 0.6) / 2: the second step was not measured.
        assert_close(matrix.average_incremental_accuracy(), 0.75);
        assert_close(matrix.backward_transfer(), -0.2);
        // ((0.9 − 0.6) + (0.8 − 0.7)) / 2: that task 0 was at 0.95 once is not known.
        assert_close(matrix.forgetting(), 0.2);
        assert_close(matrix.consolidation_gap(&[0.9, 0.9, 0.7]), 0.1);
        assert_eq!((matrix.at(1, 1), matrix.at(1, 0)), (Some(0.8), None));
        let json = serde_json::to_string(&matrix).expect("serialises");
        assert_eq!(json, "[[0.9],0.8,[0.6,0.7,0.5]]");
        assert_eq!(serde_json::from_str::<AccuracyMatrix>(&json).expect("parses"), matrix);
    }

    #[test]
    fn only_the_lower_triangle_is_there() {
        assert_eq!(three_tasks().at(1, 1), Some(0.8));
        assert_eq!(three_tasks().at(1, 2), None);
        assert_eq!(three_tasks().at(3, 0), None);
    }

    #[test]
    fn a_row_of_the_wrong_length_is_refused_and_not_added() {
        let mut matrix = three_tasks();
        let error = matrix.push(MatrixRow::All(vec![0.1])).expect_err("too short");
        assert_eq!(error, MatrixError::RowLength { row: 3, found: 1 });
        assert!(error.to_string().contains("must hold 4 accuracies"), "{error}");
        assert_eq!(matrix, three_tasks());
    }

    #[test]
    fn what_is_no_accuracy_is_refused() {
        for value in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            for row in [MatrixRow::All(vec![value]), MatrixRow::Own(value)] {
                assert!(AccuracyMatrix::new().push(row).is_err(), "{value}");
            }
        }
    }

    #[test]
    fn json_is_an_array_of_rows_and_is_checked() {
        let json = serde_json::to_string(&three_tasks()).expect("serialises");
        assert_eq!(json, "[[0.9],[0.95,0.8],[0.6,0.7,0.5]]");
        let back: AccuracyMatrix = serde_json::from_str(&json).expect("parses");
        assert_eq!(back, three_tasks());

        let square = serde_json::from_str::<AccuracyMatrix>("[[0.9, 0.1], [0.9, 0.8]]");
        let message = square.expect_err("not triangular").to_string();
        assert!(message.contains("row 0"), "{message}");
    }
}
