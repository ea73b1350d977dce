//! The metrics that can be computed from the measurements of one strategy under one seed.

use std::collections::BTreeMap;

use crate::cell::{Accuracy, Cell};
use crate::early::forward_transfer;
use crate::further::FurtherAccuracy;
use crate::mean::mean;
use crate::metric_catalogue::{Metric, unambiguous};

impl Cell {
    /// Every metric that can be computed from this cell. The others are absent.
    ///
    /// A value that is not finite, such as the CKA of constant latents, counts as not measured.
    pub fn metrics(&self) -> BTreeMap<Metric, f64> {
        let mut metrics = BTreeMap::new();
        let mut put = |metric, value: Option<f64>| {
            if let Some(value) = value.filter(|value| value.is_finite()) {
                metrics.insert(metric, value);
            }
        };

        match &self.accuracy {
            Accuracy::Stream { task_aware: aware, task_agnostic: agnostic } => {
                put(Metric::AverageAccuracyTaskAware, aware.average_accuracy());
                put(Metric::AverageAccuracyTaskAgnostic, agnostic.average_accuracy());
                put(Metric::AverageIncrementalAccuracyTaskAware, aware.average_incremental_accuracy());
                put(Metric::AverageIncrementalAccuracyTaskAgnostic, agnostic.average_incremental_accuracy());
                put(Metric::BackwardTransferTaskAware, aware.backward_transfer());
                put(Metric::BackwardTransferTaskAgnostic, agnostic.backward_transfer());
                put(Metric::ForgettingTaskAware, aware.forgetting());
                put(Metric::ForgettingTaskAgnostic, agnostic.forgetting());
                put(Metric::ConsolidationGapTaskAware, aware.consolidation_gap(&self.expert_accuracy));
                put(Metric::ConsolidationGapTaskAgnostic, agnostic.consolidation_gap(&self.expert_accuracy));
            }
            Accuracy::Rounds(rounds) => {
                let aware = || rounds.iter().filter_map(|round| mean(round.task_aware.iter().copied()));
                let agnostic = || rounds.iter().filter_map(|round| mean(round.task_agnostic.iter().copied()));
                put(Metric::AverageAccuracyTaskAware, aware().next_back());
                put(Metric::AverageAccuracyTaskAgnostic, agnostic().next_back());
                put(Metric::AverageIncrementalAccuracyTaskAware, mean(aware()));
                put(Metric::AverageIncrementalAccuracyTaskAgnostic, mean(agnostic()));
            }
            Accuracy::Final { task_aware, task_agnostic } => {
                put(Metric::AverageAccuracyTaskAware, mean(task_aware.iter().copied()));
                put(Metric::AverageAccuracyTaskAgnostic, mean(task_agnostic.iter().flatten().copied()));
            }
            Accuracy::Unmeasured { .. } => {}
        }

        put(Metric::ExpertAccuracy, mean(self.expert_accuracy.iter().copied()));
        put(Metric::ExpertAccuracyElsewhere, mean(self.accuracy_elsewhere.iter().copied()));
        put(Metric::FurtherAccuracy, mean(self.further_accuracy.iter().filter_map(FurtherAccuracy::last)));
        put(Metric::ForwardTransfer, forward_transfer(&self.expert_accuracy, &self.alone_accuracy));
        put(Metric::LatentSimilarity, mean(self.latent_similarity.iter().copied()));
        put(Metric::Contacts, mean_count(&self.contacts));
        put(Metric::BytesDown, mean_count(&self.bytes_down));
        put(Metric::BytesUp, mean_count(&self.bytes_up));
        put(Metric::StatisticsBytes, mean_count(&self.statistics_bytes));
        put(Metric::BytesMoved, self.bytes_moved());
        put(Metric::StoredBytes, self.stored_bytes.last().map(|bytes| *bytes as f64));
        put(Metric::ConsolidationSteps, mean_count(&self.consolidation_steps));
        put(Metric::ConsolidationSamples, mean_count(&self.consolidation_samples));
        put(Metric::Seconds, Some(self.seconds));
        put(Metric::PeakMemoryBytes, self.peak_memory_bytes.map(|bytes| bytes as f64));
        for added in unambiguous() {
            put(Metric::Added(added), (added.compute)(self));
        }
        metrics
    }

    /// The bytes that moved in either direction, over all devices; `None` if they were not counted.
    fn bytes_moved(&self) -> Option<f64> {
        let both = self.bytes_down.iter().chain(&self.bytes_up);
        (!self.bytes_down.is_empty() && !self.bytes_up.is_empty()).then(|| both.sum::<u64>() as f64)
    }
}

/// The mean of whole numbers; `None` for an empty list. It is exact up to 2^53, far above any count here.
fn mean_count(values: &[u64]) -> Option<f64> {
    mean(values.iter().map(|&value| value as f64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::RoundAccuracy;
    use crate::cell::tests::stream_cell;

    #[test]
    fn a_full_cell_has_every_metric() {
        // Binary fractions, worked out by hand, so that the comparison may be exact.
        let expected = [
            (Metric::AverageAccuracyTaskAware, 0.6875), // (0.5 + 0.875) / 2
            (Metric::AverageAccuracyTaskAgnostic, 0.375),
            (Metric::AverageIncrementalAccuracyTaskAware, 0.71875), // (0.75 + 0.6875) / 2
            (Metric::AverageIncrementalAccuracyTaskAgnostic, 0.5625),
            (Metric::BackwardTransferTaskAware, -0.25), // 0.5 − 0.75
            (Metric::BackwardTransferTaskAgnostic, -0.5),
            (Metric::ForgettingTaskAware, 0.25),
            (Metric::ForgettingTaskAgnostic, 0.5),
            (Metric::ConsolidationGapTaskAware, 0.0625),  // (0 + 0.125) / 2
            (Metric::ConsolidationGapTaskAgnostic, 0.25), // (0 + 0.5) / 2
            (Metric::ExpertAccuracy, 0.875),
            (Metric::ForwardTransfer, 0.125), // 1 − 0.875; the first device is left out
            (Metric::LatentSimilarity, 0.75),
            (Metric::Contacts, 2.0),
            (Metric::BytesDown, 150.0),
            (Metric::BytesUp, 300.5),
            (Metric::BytesMoved, 901.0),  // 100 + 200 + 300 + 301
            (Metric::StoredBytes, 250.0), // after the last device
            (Metric::ConsolidationSteps, 25.0),
            (Metric::ConsolidationSamples, 400.0),
            (Metric::Seconds, 2.5),
            (Metric::PeakMemoryBytes, 1_048_576.0),
        ];
        assert_eq!(stream_cell().metrics(), BTreeMap::from(expected));
    }

    #[test]
    fn a_reference_row_has_final_accuracy_only() {
        let devices_alone = Cell::new(7, Accuracy::Final { task_aware: vec![0.5, 1.0], task_agnostic: None });
        let expected = [(Metric::AverageAccuracyTaskAware, 0.75), (Metric::Seconds, 0.0)];
        assert_eq!(devices_alone.metrics(), BTreeMap::from(expected));
    }

    #[test]
    fn rounds_end_with_the_last_one() {
        let round = |round, task_aware: &[f64], task_agnostic: &[f64]| RoundAccuracy {
            round,
            experts: 2 * round,
            task_aware: task_aware.to_vec(),
            task_agnostic: task_agnostic.to_vec(),
        };
        let rounds = vec![round(1, &[0.25, 0.75], &[0.0, 0.5]), round(2, &[0.5, 1.0], &[0.5, 0.5])];
        let cell = Cell { contacts: vec![4, 2], ..Cell::new(7, Accuracy::Rounds(rounds)) };
        let expected = [
            (Metric::AverageAccuracyTaskAware, 0.75),
            (Metric::AverageAccuracyTaskAgnostic, 0.5),
            (Metric::AverageIncrementalAccuracyTaskAware, 0.625), // (0.5 + 0.75) / 2
            (Metric::AverageIncrementalAccuracyTaskAgnostic, 0.375), // (0.25 + 0.5) / 2
            (Metric::Contacts, 3.0),
            (Metric::Seconds, 0.0),
        ];
        assert_eq!(cell.metrics(), BTreeMap::from(expected));
    }

    #[test]
    fn what_was_not_measured_is_absent_and_nothing_is_nan() {
        let mut cell = stream_cell();
        cell.expert_accuracy.clear();
        cell.latent_similarity = vec![f64::NAN, 1.0];
        let metrics = cell.metrics();
        for absent in [
            Metric::ConsolidationGapTaskAware,
            Metric::ConsolidationGapTaskAgnostic,
            Metric::ExpertAccuracy,
            Metric::ForwardTransfer,
            Metric::LatentSimilarity,
        ] {
            assert!(!metrics.contains_key(&absent), "{absent}");
        }
        assert!(metrics.values().all(|value| value.is_finite()));
    }

    #[test]
    fn one_device_has_no_forward_transfer() {
        let mut cell = stream_cell();
        cell.expert_accuracy.truncate(1);
        cell.alone_accuracy.truncate(1);
        assert!(!cell.metrics().contains_key(&Metric::ForwardTransfer));
    }
}
