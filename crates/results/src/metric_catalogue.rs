//! The catalogue of metrics: name in files, unit, direction and meaning. `metrics` computes them.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::added_metric::{AddedMetric, added};
use crate::unit::Unit;

/// A metric. It is computed from one [`Cell`](crate::Cell), so once for each strategy and seed.
///
/// The order of the variants is the order of the lines of a summary. Formulas use R, the
/// [`AccuracyMatrix`](crate::AccuracyMatrix), and e\[t\], the accuracy of expert t on its own task. The serde form is the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// ACC = mean_i R\[T, i\], each sample judged by the head of its own task.
    AverageAccuracyTaskAware,
    /// ACC = mean_i R\[T, i\], each sample judged over all heads.
    AverageAccuracyTaskAgnostic,
    /// mean_t mean_{i ≤ t} R\[t, i\], task-aware.
    AverageIncrementalAccuracyTaskAware,
    /// mean_t mean_{i ≤ t} R\[t, i\], task-agnostic.
    AverageIncrementalAccuracyTaskAgnostic,
    /// BWT = mean_{i < T} (R\[T, i\] − R\[i, i\]) (Lopez-Paz & Ranzato 2017), task-aware.
    BackwardTransferTaskAware,
    /// BWT = mean_{i < T} (R\[T, i\] − R\[i, i\]) (Lopez-Paz & Ranzato 2017), task-agnostic.
    BackwardTransferTaskAgnostic,
    /// F = mean_{i < T} (max_{t < T} R\[t, i\] − R\[T, i\]) (Chaudhry et al. 2018), task-aware.
    ForgettingTaskAware,
    /// F = mean_{i < T} (max_{t < T} R\[t, i\] − R\[T, i\]) (Chaudhry et al. 2018), task-agnostic.
    ForgettingTaskAgnostic,
    /// mean_t (e\[t\] − R\[t, t\]), task-aware.
    ConsolidationGapTaskAware,
    /// mean_t (e\[t\] − R\[t, t\]), task-agnostic.
    ConsolidationGapTaskAgnostic,
    /// mean_t e\[t\].
    ExpertAccuracy,
    /// mean_t of the mean accuracy of device t's model, adapted alone, on the tasks of the other devices.
    ExpertAccuracyElsewhere,
    /// The accuracy at the end of the stream on the test sets that no task has, mean over these sets, over all heads.
    FurtherAccuracy,
    /// mean_{t ≥ 2} (e\[t\] − the accuracy of the same device started from the initial weights), where there are devices.
    ForwardTransfer,
    /// mean_t of linear CKA (Kornblith et al. 2019) between the final centre's and expert t's latents.
    LatentSimilarity,
    /// Contacts of a device with the centre, mean over devices: each model that it takes or sends is one.
    Contacts,
    /// Bytes from the centre to a device, mean over devices.
    BytesDown,
    /// Bytes from a device to the centre, mean over devices.
    BytesUp,
    /// Bytes of the statistics among what a device sends, mean over devices.
    StatisticsBytes,
    /// Bytes in either direction, all devices together.
    BytesMoved,
    /// Bytes that the centre keeps after the last device.
    StoredBytes,
    /// Optimisation steps of one consolidation, mean over consolidations.
    ConsolidationSteps,
    /// Samples seen in one consolidation, mean over consolidations.
    ConsolidationSamples,
    /// Time that devices took to adapt and the centre to consolidate, without evaluation.
    Seconds,
    /// The peak memory of the process until then, with everything that ran in it.
    PeakMemoryBytes,
    /// A metric of another crate.
    Added(&'static AddedMetric),
}

impl Metric {
    /// Every metric of this crate, in the order of a summary.
    pub const ALL: [Self; 25] = [
        Self::AverageAccuracyTaskAware,
        Self::AverageAccuracyTaskAgnostic,
        Self::AverageIncrementalAccuracyTaskAware,
        Self::AverageIncrementalAccuracyTaskAgnostic,
        Self::BackwardTransferTaskAware,
        Self::BackwardTransferTaskAgnostic,
        Self::ForgettingTaskAware,
        Self::ForgettingTaskAgnostic,
        Self::ConsolidationGapTaskAware,
        Self::ConsolidationGapTaskAgnostic,
        Self::ExpertAccuracy,
        Self::ExpertAccuracyElsewhere,
        Self::FurtherAccuracy,
        Self::ForwardTransfer,
        Self::LatentSimilarity,
        Self::Contacts,
        Self::BytesDown,
        Self::BytesUp,
        Self::StatisticsBytes,
        Self::BytesMoved,
        Self::StoredBytes,
        Self::ConsolidationSteps,
        Self::ConsolidationSamples,
        Self::Seconds,
        Self::PeakMemoryBytes,
    ];

    /// Every metric that the running program has, in the order of a summary: those of this crate, then those of others by name. One of
    /// another crate is left out if its name is that of any other metric, because nobody could say which one a file means.
    pub fn all() -> Vec<Self> {
        Self::ALL.into_iter().chain(unambiguous().map(Self::Added)).collect()
    }

    /// The name of the metric in files, such as `forgetting_task_aware`. It is also the serde form.
    pub fn name(self) -> &'static str {
        match self {
            Self::AverageAccuracyTaskAware => "average_accuracy_task_aware",
            Self::AverageAccuracyTaskAgnostic => "average_accuracy_task_agnostic",
            Self::AverageIncrementalAccuracyTaskAware => "average_incremental_accuracy_task_aware",
            Self::AverageIncrementalAccuracyTaskAgnostic => "average_incremental_accuracy_task_agnostic",
            Self::BackwardTransferTaskAware => "backward_transfer_task_aware",
            Self::BackwardTransferTaskAgnostic => "backward_transfer_task_agnostic",
            Self::ForgettingTaskAware => "forgetting_task_aware",
            Self::ForgettingTaskAgnostic => "forgetting_task_agnostic",
            Self::ConsolidationGapTaskAware => "consolidation_gap_task_aware",
            Self::ConsolidationGapTaskAgnostic => "consolidation_gap_task_agnostic",
            Self::ExpertAccuracy => "expert_accuracy",
            Self::ExpertAccuracyElsewhere => "expert_accuracy_elsewhere",
            Self::FurtherAccuracy => "further_accuracy",
            Self::ForwardTransfer => "forward_transfer",
            Self::LatentSimilarity => "latent_similarity",
            Self::Contacts => "contacts",
            Self::BytesDown => "bytes_down",
            Self::BytesUp => "bytes_up",
            Self::StatisticsBytes => "statistics_bytes",
            Self::BytesMoved => "bytes_moved",
            Self::StoredBytes => "stored_bytes",
            Self::ConsolidationSteps => "consolidation_steps",
            Self::ConsolidationSamples => "consolidation_samples",
            Self::Seconds => "seconds",
            Self::PeakMemoryBytes => "peak_memory_bytes",
            Self::Added(metric) => metric.name,
        }
    }

    /// The name in files after a fraction of the devices' budget, such as `expert_accuracy@0.01`. For the whole budget, it is the
    /// name of the metric.
    pub fn name_at(self, budget: Option<f64>) -> String {
        budget.map_or_else(|| self.name().to_owned(), |budget| format!("{self}@{budget}"))
    }

    /// The name in files for one of the test sets that no task has, such as `further_accuracy@unseen`.
    pub fn name_on(self, test: &str) -> String {
        format!("{self}@{test}")
    }

    /// The metric of this name; `None` if no metric of the running program has it.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|metric| metric.name() == name)
    }

    /// The meaning of the metric, in one line for readers outside the field.
    pub fn description(self) -> &'static str {
        match self {
            Self::AverageAccuracyTaskAware => {
                "accuracy at the end of the stream, mean over tasks; the task of a test sample is known"
            }
            Self::AverageAccuracyTaskAgnostic => {
                "accuracy at the end of the stream, mean over tasks; the task of a test sample is unknown"
            }
            Self::AverageIncrementalAccuracyTaskAware => {
                "accuracy on the tasks met so far, mean over the steps of the stream; task known"
            }
            Self::AverageIncrementalAccuracyTaskAgnostic => {
                "accuracy on the tasks met so far, mean over the steps of the stream; task unknown"
            }
            Self::BackwardTransferTaskAware => {
                "final accuracy minus the accuracy when just consolidated, mean over all tasks but the last \
                 (Lopez-Paz & Ranzato 2017); task known"
            }
            Self::BackwardTransferTaskAgnostic => {
                "final accuracy minus the accuracy when just consolidated, mean over all tasks but the last \
                 (Lopez-Paz & Ranzato 2017); task unknown"
            }
            Self::ForgettingTaskAware => {
                "best earlier accuracy minus the final one, mean over all tasks but the last \
                 (Chaudhry et al. 2018); task known"
            }
            Self::ForgettingTaskAgnostic => {
                "best earlier accuracy minus the final one, mean over all tasks but the last \
                 (Chaudhry et al. 2018); task unknown"
            }
            Self::ConsolidationGapTaskAware => {
                "each expert's accuracy on its own task minus the centre's just after consolidating it, mean \
                 over tasks; task known to the centre"
            }
            Self::ConsolidationGapTaskAgnostic => {
                "each expert's accuracy on its own task minus the centre's just after consolidating it, mean \
                 over tasks; task unknown to the centre"
            }
            Self::ExpertAccuracy => "accuracy of each expert on its own task, mean over tasks",
            Self::ExpertAccuracyElsewhere => {
                "accuracy of each device's model, adapted alone, on the tasks of the other devices, mean over devices"
            }
            Self::FurtherAccuracy => {
                "accuracy at the end of the stream on the test sets that no task has, mean over these sets; task unknown"
            }
            Self::ForwardTransfer => {
                "accuracy of each device started from the centre minus that of the same device started from \
                 the initial weights, mean over all devices but the first"
            }
            Self::LatentSimilarity => {
                "linear CKA (Kornblith et al. 2019) of the centre's and each expert's latents on that \
                 expert's test set, mean over tasks"
            }
            Self::Contacts => "contacts of a device with the centre, mean over devices",
            Self::BytesDown => "bytes sent from the centre to a device, mean over devices",
            Self::BytesUp => "bytes sent from a device to the centre, mean over devices",
            Self::StatisticsBytes => "bytes of the statistics of its samples among them, mean over devices",
            Self::BytesMoved => "bytes sent between the centre and all devices together, both directions",
            Self::StoredBytes => {
                "bytes that the centre keeps after the last device: its model and the strategy's state"
            }
            Self::ConsolidationSteps => "optimisation steps of one consolidation, mean over consolidations",
            Self::ConsolidationSamples => "samples seen in one consolidation, mean over consolidations",
            Self::Seconds => {
                "time that devices took to adapt and the centre to consolidate, one after another, without evaluation"
            }
            Self::PeakMemoryBytes => "the most memory that the process held until then, whatever else ran in it",
            Self::Added(metric) => metric.description,
        }
    }

    /// The formula. R\[t, i\] is the accuracy on task i after expert t of T, e\[t\] that of expert t on its own task.
    pub fn formula(self) -> &'static str {
        match self {
            Self::AverageAccuracyTaskAware | Self::AverageAccuracyTaskAgnostic => "mean_i R[T, i]",
            Self::AverageIncrementalAccuracyTaskAware | Self::AverageIncrementalAccuracyTaskAgnostic => {
                "mean_t mean_{i ≤ t} R[t, i]"
            }
            Self::BackwardTransferTaskAware | Self::BackwardTransferTaskAgnostic => "mean_{i < T} (R[T, i] − R[i, i])",
            Self::ForgettingTaskAware | Self::ForgettingTaskAgnostic => "mean_{i < T} (max_{t < T} R[t, i] − R[T, i])",
            Self::ConsolidationGapTaskAware | Self::ConsolidationGapTaskAgnostic => "mean_t (e[t] − R[t, t])",
            Self::ExpertAccuracy => "mean_t e[t]",
            Self::ExpertAccuracyElsewhere => "mean_t mean_{i ≠ t} accuracy of device t alone on task i",
            Self::FurtherAccuracy => "mean over the test sets that no task has of the accuracy after expert T",
            Self::ForwardTransfer => "mean_{t ≥ 2} (e[t] − accuracy of device t from the initial weights)",
            Self::LatentSimilarity => "mean_t CKA(latents of the centre after expert T, latents of expert t)",
            Self::Contacts | Self::BytesDown | Self::BytesUp | Self::StatisticsBytes => "mean over devices",
            Self::BytesMoved => "sum over devices, both directions",
            Self::StoredBytes => "after expert T",
            Self::ConsolidationSteps | Self::ConsolidationSamples => "mean over consolidations",
            Self::Seconds => "sum over adaptations and consolidations",
            Self::PeakMemoryBytes => "maximum",
            Self::Added(metric) => metric.formula,
        }
    }

    /// The unit of the metric.
    pub fn unit(self) -> Unit {
        match self {
            Self::BytesDown
            | Self::BytesUp
            | Self::StatisticsBytes
            | Self::BytesMoved
            | Self::StoredBytes
            | Self::PeakMemoryBytes => Unit::Bytes,
            Self::Contacts | Self::ConsolidationSteps | Self::ConsolidationSamples => Unit::Count,
            Self::Seconds => Unit::Seconds,
            Self::Added(metric) => metric.unit,
            _ => Unit::Fraction,
        }
    }

    /// Whether more is better; `None` if neither direction is.
    ///
    /// Latent similarity has no direction. It explains why a centre is good or bad, but a centre that becomes a copy of one
    /// expert is not better.
    pub fn higher_is_better(self) -> Option<bool> {
        match self {
            Self::AverageAccuracyTaskAware
            | Self::AverageAccuracyTaskAgnostic
            | Self::AverageIncrementalAccuracyTaskAware
            | Self::AverageIncrementalAccuracyTaskAgnostic
            | Self::BackwardTransferTaskAware
            | Self::BackwardTransferTaskAgnostic
            | Self::ExpertAccuracy
            | Self::ExpertAccuracyElsewhere
            | Self::FurtherAccuracy
            | Self::ForwardTransfer => Some(true),
            Self::LatentSimilarity => None,
            Self::Added(metric) => metric.higher_is_better,
            _ => Some(false),
        }
    }

    /// Whether the metric is a measurement of the machine, in which two identical runs differ.
    ///
    /// Every other metric is the same for the same configuration and seed. Leave measurements out when you compare runs. A metric of
    /// another crate in seconds counts as one.
    pub fn is_measurement(self) -> bool {
        matches!(self, Self::PeakMemoryBytes) || self.unit() == Unit::Seconds
    }
}

/// The metrics of other crates whose names no other metric has, sorted by name.
pub(crate) fn unambiguous() -> impl Iterator<Item = &'static AddedMetric> {
    added().into_iter().filter(|added| Metric::ALL.iter().all(|own| own.name() != added.name))
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Metric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Metric {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let unknown = || D::Error::custom(format!("unknown metric \"{name}\"; is the crate that adds it linked in?"));
        Self::from_name(&name).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_and_are_the_serde_form() {
        for metric in Metric::ALL {
            assert_eq!(Metric::from_name(metric.name()), Some(metric));
            let json = serde_json::to_value(metric).expect("serialises");
            assert_eq!(json, metric.name());
        }
        assert_eq!(Metric::from_name("accuracy"), None);
    }

    #[test]
    fn all_is_in_order_and_complete() {
        assert!(Metric::ALL.is_sorted());
        // The variants as this file declares them, in their order.
        let (_, declared) = include_str!("metric_catalogue.rs").split_once("pub enum Metric {").expect("is declared");
        let (declared, _) = declared.split_once("Added(").expect("is declared last");
        let declared = declared.lines().map(str::trim).filter_map(|line| line.strip_suffix(','));
        let declared: Vec<_> = declared.filter(|line| !line.starts_with("//")).map(str::to_owned).collect();
        assert_eq!(Metric::ALL.map(|metric| format!("{metric:?}")).to_vec(), declared);
    }

    #[test]
    fn only_time_and_memory_are_measurements() {
        let measured: Vec<_> =
            Metric::ALL.into_iter().filter(|metric| metric.is_measurement()).map(Metric::name).collect();
        assert_eq!(measured, ["seconds", "peak_memory_bytes"]);
    }

    #[test]
    fn directions() {
        assert_eq!(Metric::BackwardTransferTaskAgnostic.higher_is_better(), Some(true));
        assert_eq!(Metric::ForgettingTaskAware.higher_is_better(), Some(false));
        assert_eq!(Metric::LatentSimilarity.higher_is_better(), None);
    }
}
