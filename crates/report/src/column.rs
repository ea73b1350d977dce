//! The columns of the comparison table: what stands in each, where it is shown, and what it means.

use alluvium_results::Metric;

/// One column of numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    /// Its heading; `\n` is a line break where the medium has them.
    pub(crate) heading: &'static str,
    /// The part of the table that it belongs to.
    pub(crate) part: Part,
    /// What its numbers are.
    pub(crate) content: Content,
    /// The order in which columns are given room on a terminal; those without are never shown there.
    pub(crate) terminal_rank: Option<u8>,
}

/// The full table has too many columns for a page, so it comes in parts with the same rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// How good the centre is at the end.
    Accuracy,
    /// How it got there.
    Stream,
    /// What the devices gain, and what it costs.
    Cost,
}

/// What the numbers of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// A metric over seeds.
    Estimate(Metric),
    /// A metric less the baseline's, paired by seed.
    Difference(Metric),
}

impl Part {
    /// Every part, in order.
    pub(crate) const ALL: [Self; 3] = [Self::Accuracy, Self::Stream, Self::Cost];

    /// The part's heading.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Accuracy => "Accuracy at the end of the stream (%)",
            Self::Stream => "Along the stream (%)",
            Self::Cost => "Transfer and cost",
        }
    }
}

impl Column {
    /// What the column means, in one line for the legend.
    pub(crate) fn meaning(&self) -> String {
        match self.content {
            Content::Estimate(metric) => {
                let percent = if self.part == Part::Cost && metric == Metric::ForwardTransfer { "; in %" } else { "" };
                let direction = match metric.higher_is_better() {
                    Some(true) => "; higher is better",
                    Some(false) => "; lower is better",
                    None => "",
                };
                format!("{}{percent}{direction}", metric.description())
            }
            Content::Difference(_) => "the ACC to its left less the baseline's, paired by seed; \
                * marks p below 0.05 in a two-sided paired t-test, not corrected for the number of comparisons"
                .to_owned(),
        }
    }
}

/// Every column of numbers, in the order of the table.
pub(crate) const COLUMNS: [Column; 20] = [
    accuracy("ACC\ntask-aware", Content::Estimate(Metric::AverageAccuracyTaskAware), 0),
    accuracy("Δ ACC\ntask-aware", Content::Difference(Metric::AverageAccuracyTaskAware), 2),
    accuracy("ACC\ntask-agnostic", Content::Estimate(Metric::AverageAccuracyTaskAgnostic), 1),
    accuracy("Δ ACC\ntask-agnostic", Content::Difference(Metric::AverageAccuracyTaskAgnostic), 3),
    stream("AIA\ntask-aware", Metric::AverageIncrementalAccuracyTaskAware, None),
    stream("AIA\ntask-agnostic", Metric::AverageIncrementalAccuracyTaskAgnostic, None),
    stream("BWT\ntask-aware", Metric::BackwardTransferTaskAware, None),
    stream("BWT\ntask-agnostic", Metric::BackwardTransferTaskAgnostic, None),
    stream("forgetting\ntask-aware", Metric::ForgettingTaskAware, None),
    stream("forgetting\ntask-agnostic", Metric::ForgettingTaskAgnostic, Some(4)),
    stream("gap\ntask-aware", Metric::ConsolidationGapTaskAware, None),
    stream("gap\ntask-agnostic", Metric::ConsolidationGapTaskAgnostic, None),
    cost("forward\ntransfer", Metric::ForwardTransfer, Some(6)),
    cost("latent\nCKA", Metric::LatentSimilarity, None),
    cost("contacts", Metric::Contacts, None),
    cost("bytes\nup", Metric::BytesUp, None),
    cost("bytes\ndown", Metric::BytesDown, None),
    cost("bytes\nstored", Metric::StoredBytes, None),
    cost("time", Metric::Seconds, Some(5)),
    cost("peak\nmemory", Metric::PeakMemoryBytes, None),
];

const fn accuracy(heading: &'static str, content: Content, terminal_rank: u8) -> Column {
    Column { heading, part: Part::Accuracy, content, terminal_rank: Some(terminal_rank) }
}

const fn stream(heading: &'static str, metric: Metric, terminal_rank: Option<u8>) -> Column {
    Column { heading, part: Part::Stream, content: Content::Estimate(metric), terminal_rank }
}

const fn cost(heading: &'static str, metric: Metric, terminal_rank: Option<u8>) -> Column {
    Column { heading, part: Part::Cost, content: Content::Estimate(metric), terminal_rank }
}
