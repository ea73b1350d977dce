//! The rows after fractions of the devices' budget.

use crate::early::EarlyAccuracy;
use crate::results::{Results, Row};
use crate::statistics::Estimate;

impl Row {
    /// A metric of the devices after this fraction of their budget, over the seeds; `None` if no seed has it.
    pub fn early(&self, budget: f64, number: impl Fn(&EarlyAccuracy) -> Option<f64>) -> Option<Estimate> {
        let of_cell = |early: &Vec<EarlyAccuracy>| early.iter().find(|early| early.budget == budget).and_then(&number);
        let values: Vec<f64> = self.cells.iter().filter_map(|cell| of_cell(&cell.early_accuracy)).collect();
        Estimate::from_samples(&values)
    }
}

impl Results {
    /// The fractions of the devices' budget after which some row was judged, in increasing order, without the whole budget.
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
