//! Results over seeds: one line for each row and metric, and each row against the baseline.

use serde::{Deserialize, Serialize};

use crate::metric::Metric;
use crate::results::Results;
use crate::statistics::{Estimate, PairedDifference};

/// One metric of one row, over seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SummaryLine {
    /// The row's name: a strategy, or a reference.
    pub strategy: String,
    /// What was measured.
    pub metric: Metric,
    /// The mean over seeds and its interval, in the metric's unit.
    pub estimate: Estimate,
}

impl Results {
    /// A line for every metric of every row, in the order of the rows, then of [`Metric::ALL`]. A metric
    /// that a row lacks under every seed has no line.
    pub fn summary(&self) -> Vec<SummaryLine> {
        let mut lines = Vec::new();
        for row in &self.rows {
            for metric in Metric::ALL {
                if let Some(estimate) = row.estimate(metric) {
                    lines.push(SummaryLine { strategy: row.name.clone(), metric, estimate });
                }
            }
        }
        lines
    }

    /// Each other row less the baseline, paired by seed, in the order of the rows.
    ///
    /// Empty without a baseline. A row is absent if it shares no seed with the baseline for this metric.
    pub fn difference_to_baseline(&self, metric: Metric) -> Vec<(String, PairedDifference)> {
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
    use crate::metric::Metric;
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
