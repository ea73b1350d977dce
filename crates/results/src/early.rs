//! How well devices did when only a part of their budget was spent.

use serde::{Deserialize, Serialize};

use crate::mean::mean;
use crate::results::{Results, Row};
use crate::statistics::Estimate;

/// The accuracies of the devices of one cell after a part of their budget.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EarlyAccuracy {
    /// The part of its budget that each device had spent, between 0 and 1.
    pub budget: f64,
    /// Each device's accuracy on its own task then, in the order of [`Cell::expert_accuracy`](crate::Cell::expert_accuracy).
    pub accuracy: Vec<f64>,
    /// The same of the same devices started from the initial weights, in the order of
    /// [`Cell::alone_accuracy`](crate::Cell::alone_accuracy).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alone: Vec<f64>,
}

impl EarlyAccuracy {
    /// The mean accuracy of the devices.
    pub fn mean(&self) -> Option<f64> {
        mean(self.accuracy.iter().copied())
    }

    /// What the devices gained by starting from the centre: mean over the devices after the first.
    pub fn forward_transfer(&self) -> Option<f64> {
        forward_transfer(&self.accuracy, &self.alone)
    }
}

/// mean over the devices after the first of (accuracy started from the centre − started from the initial weights).
///
/// The first device is left out: the centre *is* the initial weights then, so its difference is 0 by construction and would
/// only dilute the others.
pub(crate) fn forward_transfer(from_centre: &[f64], alone: &[f64]) -> Option<f64> {
    if from_centre.len() != alone.len() {
        return None;
    }
    mean(from_centre.iter().zip(alone).skip(1).map(|(from_centre, alone)| from_centre - alone))
}

impl Row {
    /// A number of the devices after this part of their budget, over the seeds; `None` if it can be computed for none.
    pub fn early(&self, budget: f64, number: impl Fn(&EarlyAccuracy) -> Option<f64>) -> Option<Estimate> {
        let of_cell = |early: &Vec<EarlyAccuracy>| early.iter().find(|early| early.budget == budget).and_then(&number);
        let values: Vec<f64> = self.cells.iter().filter_map(|cell| of_cell(&cell.early_accuracy)).collect();
        Estimate::from_samples(&values)
    }
}

impl Results {
    /// The parts of the devices' budget after which some row was judged, in increasing order; without the whole budget.
    pub fn budgets(&self) -> Vec<f64> {
        let cells = self.rows.iter().flat_map(|row| &row.cells);
        let mut budgets: Vec<f64> = cells.flat_map(|cell| &cell.early_accuracy).map(|early| early.budget).collect();
        budgets.sort_by(f64::total_cmp);
        budgets.dedup();
        budgets
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::small;

    #[test]
    fn early_accuracies_are_means_over_devices_and_then_over_seeds() {
        let early = |budget, accuracy: [f64; 3], alone: &[f64]| EarlyAccuracy {
            budget,
            accuracy: accuracy.to_vec(),
            alone: alone.to_vec(),
        };
        let mut results = small();
        assert!(results.budgets().is_empty());
        results.rows[0].cells[0].early_accuracy =
            vec![early(0.1, [0.5, 0.75, 1.0], &[0.5, 0.25, 0.75]), early(0.01, [0.25; 3], &[])];
        results.rows[0].cells[1].early_accuracy = vec![early(0.1, [0.25, 0.25, 0.25], &[0.25, 0.0, 0.25])];
        assert_eq!(results.budgets(), [0.01, 0.1]);

        // Seed 1: (0.5 + 0.75 + 1) / 3 = 0.75; seed 2: 0.25.
        let mean = results.rows[0].early(0.1, EarlyAccuracy::mean).expect("two seeds");
        assert_eq!((mean.mean, mean.n), (0.5, 2));
        // Seed 1: (0.5 + 0.25) / 2 = 0.375, the first device left out; seed 2: (0.25 + 0) / 2.
        let transfer = results.rows[0].early(0.1, EarlyAccuracy::forward_transfer).expect("two seeds");
        assert_eq!((transfer.mean, transfer.n), (0.25, 2));
        assert_eq!(results.rows[0].early(0.01, EarlyAccuracy::forward_transfer), None, "no devices alone");
        assert_eq!(results.rows[0].early(0.5, EarlyAccuracy::mean), None);
        assert_eq!(results.rows[1].early(0.1, EarlyAccuracy::mean), None);
    }
}
