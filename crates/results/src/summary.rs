//! Results over seeds: one line for each row and metric, and each row against the baseline.

use serde::{Deserialize, Serialize};

use crate::early::EarlyAccuracy;
use crate::further::FurtherAccuracy;
use crate::metric_catalogue::Metric;
use crate::results::{Results, Row};
use crate::statistics::{Estimate, PairedDifference};

/// One metric of one row, over seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SummaryLine {
    /// The row's name: a strategy, or a reference.
    pub strategy: String,
    /// The metric.
    pub metric: Metric,
    /// The fraction of their budget after which devices were judged; `None` for the whole budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<f64>,
    /// The test set that no task has, for a metric of one of them; `None` for a metric over all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
    /// The mean over seeds and its interval, in the metric's unit.
    pub estimate: Estimate,
}

impl SummaryLine {
    /// The name of the number in files: the name of the metric, and the fraction of the budget or the test set, as in
    /// `expert_accuracy@0.01`.
    pub fn name(&self) -> String {
        match &self.test {
            Some(test) => self.metric.name_on(test),
            None => self.metric.name_at(self.budget),
        }
    }
}

impl Row {
    /// The metric after a fraction of the devices' budget, over the seeds; `None` for a metric that is not about devices.
    fn estimate_at(&self, metric: Metric, budget: f64) -> Option<Estimate> {
        match metric {
            Metric::ExpertAccuracy => self.early(budget, EarlyAccuracy::mean),
            Metric::ForwardTransfer => self.early(budget, EarlyAccuracy::forward_transfer),
            _ => None,
        }
    }
}

impl Results {
    /// A line for every metric of every row, in the order of the rows and of [`Metric::all`]. A metric of the devices comes
    /// after its lines for fractions of their budget. A metric that a row lacks under every seed has no line.
    pub fn summary(&self) -> Vec<SummaryLine> {
        let (budgets, tests) = (self.budgets(), self.further_tests());
        let mut lines = Vec::new();
        for row in &self.rows {
            for metric in Metric::all() {
                let early = budgets.iter().map(|budget| (Some(*budget), row.estimate_at(metric, *budget)));
                for (budget, estimate) in early.chain([(None, row.estimate(metric))]) {
                    if let Some(estimate) = estimate {
                        let strategy = row.name.clone();
                        lines.push(SummaryLine { strategy, metric, budget, test: None, estimate });
                    }
                }
                for test in tests.iter().filter(|_| metric == Metric::FurtherAccuracy) {
                    if let Some(estimate) = row.further(test, FurtherAccuracy::last) {
                        let (strategy, test) = (row.name.clone(), Some(test.clone()));
                        lines.push(SummaryLine { strategy, metric, budget: None, test, estimate });
                    }
                }
            }
        }
        lines
    }

    /// Each other row minus the baseline, paired by seed, in the order of the rows. With a control run, each row minus the row of
    /// the same name there.
    ///
    /// The list is empty without baseline and control. A row is absent if it has no seed in common with the other one.
    pub fn difference_to_baseline(&self, metric: Metric) -> Vec<(String, PairedDifference)> {
        if let Some(control) = &self.control {
            return self.difference_to_control(metric, control);
        }
        let Some(baseline) = self.baseline.as_deref().and_then(|name| self.row(name)) else {
            return Vec::new();
        };
        let expected = baseline.values(metric);
        self.rows
            .iter()
            .filter(|row| row.name != baseline.name)
            .filter_map(|row| {
                let difference = PairedDifference::by_seed(&row.values(metric), &expected)?;
                Some((row.name.clone(), difference))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::early::EarlyAccuracy;
    use crate::metric_catalogue::Metric;
    use crate::results::tests::small;

    #[test]
    fn lines_are_in_the_order_of_rows_then_metrics() {
        let summary = small().summary();
        let lines: Vec<_> =
            summary.iter().map(|line| (line.strategy.as_str(), line.metric.name(), line.estimate.n)).collect();
        assert_eq!(
            lines,
            [
                ("a", "average_accuracy_task_aware", 2),
                ("a", "seconds", 2),
                ("b", "average_accuracy_task_aware", 1),
                ("b", "seconds", 1),
                ("joint", "average_accuracy_task_aware", 2),
                ("joint", "seconds", 2),
            ]
        );
        assert_eq!(summary[0].estimate.mean, 0.625);
    }

    #[test]
    fn parts_of_the_budget_have_lines_of_their_own() {
        let mut results = small();
        let early = |budget, accuracy: [f64; 2], alone: [f64; 2]| EarlyAccuracy {
            budget,
            accuracy: accuracy.into(),
            alone: alone.into(),
        };
        results.rows.truncate(1);
        results.rows[0].cells.truncate(1);
        let cell = &mut results.rows[0].cells[0];
        cell.expert_accuracy = vec![1.0, 0.75];
        cell.early_accuracy = vec![early(0.1, [0.5, 0.25], [0.5, 0.0]), early(0.01, [0.25, 0.25], [0.25, 0.5])];
        let lines: Vec<_> = results.summary().iter().map(|line| (line.name(), line.estimate.mean)).collect();
        let expected = [
            ("average_accuracy_task_aware", 0.5),
            ("expert_accuracy@0.01", 0.25),
            ("expert_accuracy@0.1", 0.375), // (0.5 + 0.25) / 2
            ("expert_accuracy", 0.875),
            ("forward_transfer@0.01", -0.25), // the second device: 0.25 − 0.5
            ("forward_transfer@0.1", 0.25),
            ("seconds", 0.0),
        ];
        assert_eq!(lines, expected.map(|(name, mean)| (name.to_owned(), mean)));
    }

    #[test]
    fn differences_leave_the_baseline_out_and_pair_by_seed() {
        let differences = small().difference_to_baseline(Metric::AverageAccuracyTaskAware);
        let means: Vec<_> = differences
            .iter()
            .map(|(row, difference)| (row.as_str(), difference.estimate.mean, difference.estimate.n))
            .collect();
        // b has seed 1 only: 0.25 − 0.5. joint: ((1 − 0.5) + (1 − 0.75)) / 2.
        assert_eq!(means, [("b", -0.25, 1), ("joint", 0.375, 2)]);
    }

    #[test]
    fn without_a_baseline_there_are_no_differences() {
        let mut results = small();
        results.baseline = None;
        assert!(results.difference_to_baseline(Metric::Seconds).is_empty());
    }
}
