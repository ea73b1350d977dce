//! The columns of the comparison table: the contents of each, where it is shown, and its meaning.

use std::borrow::Cow;

use alluvium_results::{FurtherAccuracy, KNOWN, Metric, Results, Unit};

use crate::allowed;
use crate::label::one_line;

/// One column of numbers.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    /// Its heading. `\n` is a line break, if the medium has line breaks.
    pub(crate) heading: Cow<'static, str>,
    /// The part of the table that it belongs to.
    pub(crate) part: TableSection,
    /// What its numbers are.
    pub(crate) content: Content,
    /// The rank for room on a terminal. Columns without a rank are not shown there.
    pub(crate) terminal_rank: Option<u8>,
}

/// A column of words, in front of the numbers of every part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Words {
    /// The row's name.
    Strategy,
    /// The protocol that it ran under.
    Protocol,
    /// The data that it uses.
    Data,
}

impl Words {
    /// The columns of words. A protocol that all rows have in common gets no column.
    pub(crate) fn columns(protocols_differ: bool) -> Vec<Self> {
        let columns = [Self::Strategy, Self::Protocol, Self::Data];
        columns.into_iter().filter(|column| protocols_differ || *column != Self::Protocol).collect()
    }

    pub(crate) fn heading(self) -> &'static str {
        match self {
            Self::Strategy => "strategy",
            Self::Protocol => "protocol",
            Self::Data => "data",
        }
    }

    /// The meaning of the column; `None` if its heading is enough.
    pub(crate) fn meaning(self) -> Option<&'static str> {
        match self {
            Self::Strategy => None,
            Self::Protocol => Some("how devices and the centre work together; what it permits is listed by row"),
            Self::Data => Some("what the strategy may look at while consolidating"),
        }
    }
}

/// The parts of the table. All parts have the same rows, because the full table has too many columns for a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TableSection {
    /// The accuracy of the centre at the end.
    Accuracy,
    /// The accuracy along the stream.
    Stream,
    /// The accuracy on test sets that no task has.
    Further,
    /// The accuracy of devices after a fraction of their budget.
    Budget,
    /// The gain of the devices, and the costs.
    Cost,
    /// The metrics of other crates.
    Added,
}

/// What the numbers of a column are.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    /// A metric over seeds.
    Estimate(Metric),
    /// A metric minus that of the baseline, paired by seed.
    Difference(Metric),
    /// The accuracy of devices on their own tasks after this fraction of their budget, over seeds.
    Early(f64),
    /// The gain of devices from starting at the centre, after this fraction of their budget, over seeds.
    EarlyTransfer(f64),
    /// The accuracy at the end of the stream on the test set of this name, over seeds.
    Further(String),
    /// The accuracy of the best device alone on it, over seeds.
    BestDevice(String),
    /// The number of experts after which the centre first knew it, over seeds.
    KnownAfter(String),
}

impl Content {
    /// The metric of the number, or the metric from which it differs only in the budget.
    pub(crate) fn metric(&self) -> Metric {
        match self {
            Self::Estimate(metric) | Self::Difference(metric) => *metric,
            Self::Early(_) => Metric::ExpertAccuracy,
            Self::EarlyTransfer(_) => Metric::ForwardTransfer,
            Self::Further(_) | Self::BestDevice(_) | Self::KnownAfter(_) => Metric::FurtherAccuracy,
        }
    }

    /// The unit of the number.
    pub(crate) fn unit(&self) -> Unit {
        match self {
            Self::KnownAfter(_) => Unit::Count,
            other => other.metric().unit(),
        }
    }

    /// Whether more is better; `None` if neither direction is.
    pub(crate) fn higher_is_better(&self) -> Option<bool> {
        match self {
            Self::KnownAfter(_) => Some(false),
            other => other.metric().higher_is_better(),
        }
    }

    /// The name of the same number in files.
    pub(crate) fn name_in_files(&self) -> Option<String> {
        match self {
            Self::Estimate(_) => Some(self.metric().name_at(None)),
            Self::Early(budget) | Self::EarlyTransfer(budget) => Some(self.metric().name_at(Some(*budget))),
            Self::Further(test) => Some(self.metric().name_on(test)),
            Self::Difference(_) | Self::BestDevice(_) | Self::KnownAfter(_) => None,
        }
    }
}

impl TableSection {
    /// Every part, in order.
    pub(crate) const ALL: [Self; 6] =
        [Self::Accuracy, Self::Stream, Self::Further, Self::Budget, Self::Cost, Self::Added];

    /// The part's heading.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Accuracy => "Accuracy at the end of the stream (%)",
            Self::Stream => "Along the stream (%)",
            Self::Further => "On test sets that no task has (%)",
            Self::Budget => "Devices after a fraction of their budget (%)",
            Self::Cost => "Transfer and cost",
            Self::Added => "Metrics of plugins",
        }
    }
}

impl Column {
    /// The meaning of the column, in one line for the legend.
    pub(crate) fn meaning(&self) -> String {
        match &self.content {
            Content::Estimate(metric) => {
                let in_percent = if matches!(self.part, TableSection::Cost | TableSection::Added)
                    && metric.unit() == Unit::Fraction
                    && *metric != Metric::LatentSimilarity
                {
                    "; in %"
                } else {
                    ""
                };
                let direction = match metric.higher_is_better() {
                    Some(true) => "; higher is better",
                    Some(false) => "; lower is better",
                    None => "",
                };
                format!("{}{in_percent}{direction}", metric.description())
            }
            Content::Early(budget) => format!(
                "accuracy of each device on its own task after {} of its budget, mean over tasks; higher is better",
                percent(*budget)
            ),
            Content::EarlyTransfer(budget) => format!(
                "the same minus that of the same device started from the initial weights, after {} of its budget, mean over \
                 all devices but the first; higher is better",
                percent(*budget)
            ),
            Content::Further(test) => format!(
                "accuracy on \"{test}\" at the end of the stream, of devices alone the mean over devices; task unknown; higher is better"
            ),
            Content::BestDevice(test) => {
                format!("accuracy on \"{test}\" of the best of the devices alone; higher is better")
            }
            Content::KnownAfter(test) => format!(
                "the number of devices after which the centre first had an accuracy of {} on \"{test}\", if it did under every seed; \
                 lower is better",
                percent(KNOWN)
            ),
            Content::Difference(_) => "the ACC to its left minus the baseline's, paired by seed; \
                * marks p below 0.05 in a two-sided paired t-test, not corrected for the number of comparisons"
                .to_owned(),
        }
    }
}

/// Every column that these results may have numbers for, in the order of the table.
pub(crate) fn columns(results: &Results) -> Vec<Column> {
    let mut columns = COLUMNS.to_vec();
    if allowed::differs(results) {
        // What each row was allowed is shown beside its accuracies.
        columns.retain(|column| column.content != Content::Estimate(Metric::Contacts));
        let index = columns.iter().position(|column| column.part != TableSection::Accuracy).unwrap_or(columns.len());
        columns.splice(index..index, ALLOWED);
    }
    let index = columns.iter().position(|column| column.part == TableSection::Cost).unwrap_or(columns.len());
    columns.splice(index..index, further_columns(results).into_iter().chain(budget_columns(&results.budgets())));
    columns.extend(Metric::all().into_iter().filter_map(added_column));
    columns
}

/// The column of a metric of another crate.
fn added_column(metric: Metric) -> Option<Column> {
    let Metric::Added(added) = metric else { return None };
    let (part, content) = (TableSection::Added, Content::Estimate(metric));
    Some(Column { heading: added.heading.into(), part, content, terminal_rank: Some(2) })
}

/// The columns for each test set that no task has.
fn further_columns(results: &Results) -> Vec<Column> {
    let column = |heading: String, content, terminal_rank| Column {
        heading: heading.into(),
        part: TableSection::Further,
        content,
        terminal_rank,
    };
    let of_test = |test: String| {
        let name = one_line(&test);
        let mut columns = vec![
            column(format!("{name}\n"), Content::Further(test.clone()), Some(2)),
            column(format!("{name}\nbest device"), Content::BestDevice(test.clone()), None),
        ];
        // Of a test set that is known from the beginning, nothing is to be learned from this.
        let known_later = |row: &alluvium_results::Row| {
            row.further(&test, FurtherAccuracy::known_after).is_some_and(|experts| experts.mean > 1.0)
        };
        if results.rows.iter().any(known_later) {
            columns.push(column(format!("{name}\nknown after"), Content::KnownAfter(test.clone()), None));
        }
        columns
    };
    results.further_tests().into_iter().flat_map(of_test).collect()
}

/// The columns for devices after each fraction of their budget, and after the whole budget.
fn budget_columns(budgets: &[f64]) -> Vec<Column> {
    let column = |heading: String, content| Column {
        heading: heading.into(),
        part: TableSection::Budget,
        content,
        terminal_rank: None,
    };
    let devices =
        budgets.iter().map(|budget| column(format!("devices\nat {}", percent(*budget)), Content::Early(*budget)));
    let whole = (!budgets.is_empty())
        .then(|| column("devices\nat 100 %".to_owned(), Content::Estimate(Metric::ExpertAccuracy)));
    let transfer = budgets
        .iter()
        .map(|budget| column(format!("forward transfer\nat {}", percent(*budget)), Content::EarlyTransfer(*budget)));
    devices.chain(whole).chain(transfer).collect()
}

/// A fraction of the budget in percent, with all its digits.
pub(crate) fn percent(budget: f64) -> String {
    // This goes through decimal digits, because 0.07 · 100 is not 7 in binary.
    let text = format!("{:.4}", budget * 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

/// The columns that do not depend on the measurements, in the order of the table.
const COLUMNS: [Column; 22] = [
    accuracy("ACC\ntask-aware", Content::Estimate(Metric::AverageAccuracyTaskAware), 0),
    accuracy("Δ ACC\ntask-aware", Content::Difference(Metric::AverageAccuracyTaskAware), 4),
    accuracy("ACC\ntask-agnostic", Content::Estimate(Metric::AverageAccuracyTaskAgnostic), 1),
    accuracy("Δ ACC\ntask-agnostic", Content::Difference(Metric::AverageAccuracyTaskAgnostic), 5),
    stream("AIA\ntask-aware", Metric::AverageIncrementalAccuracyTaskAware, None),
    stream("AIA\ntask-agnostic", Metric::AverageIncrementalAccuracyTaskAgnostic, None),
    stream("BWT\ntask-aware", Metric::BackwardTransferTaskAware, None),
    stream("BWT\ntask-agnostic", Metric::BackwardTransferTaskAgnostic, None),
    stream("forgetting\ntask-aware", Metric::ForgettingTaskAware, None),
    stream("forgetting\ntask-agnostic", Metric::ForgettingTaskAgnostic, Some(6)),
    stream("gap\ntask-aware", Metric::ConsolidationGapTaskAware, None),
    stream("gap\ntask-agnostic", Metric::ConsolidationGapTaskAgnostic, None),
    cost("forward\ntransfer", Metric::ForwardTransfer, Some(8)),
    cost("alone,\non other tasks", Metric::ExpertAccuracyElsewhere, None),
    cost("latent\nCKA", Metric::LatentSimilarity, None),
    cost("contacts", Metric::Contacts, None),
    cost("bytes\nup", Metric::BytesUp, None),
    cost("statistics\nup", Metric::StatisticsBytes, None),
    cost("bytes\ndown", Metric::BytesDown, None),
    cost("bytes\nstored", Metric::StoredBytes, None),
    cost("time", Metric::Seconds, Some(7)),
    cost("peak\nmemory", Metric::PeakMemoryBytes, None),
];

/// The columns beside the accuracies, if rows ran under different protocols.
const ALLOWED: [Column; 2] = [
    accuracy("contacts\na device", Content::Estimate(Metric::Contacts), 2),
    accuracy("bytes\nmoved", Content::Estimate(Metric::BytesMoved), 3),
];

const fn accuracy(heading: &'static str, content: Content, terminal_rank: u8) -> Column {
    Column {
        heading: Cow::Borrowed(heading),
        part: TableSection::Accuracy,
        content,
        terminal_rank: Some(terminal_rank),
    }
}

const fn stream(heading: &'static str, metric: Metric, terminal_rank: Option<u8>) -> Column {
    Column {
        heading: Cow::Borrowed(heading),
        part: TableSection::Stream,
        content: Content::Estimate(metric),
        terminal_rank,
    }
}

const fn cost(heading: &'static str, metric: Metric, terminal_rank: Option<u8>) -> Column {
    Column {
        heading: Cow::Borrowed(heading),
        part: TableSection::Cost,
        content: Content::Estimate(metric),
        terminal_rank,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    #[test]
    fn budgets_have_columns_between_the_stream_and_the_cost() {
        let mut results = example::results();
        assert!(columns(&results).iter().all(|column| column.part != TableSection::Budget));
        let early = |budget| alluvium_results::EarlyAccuracy { budget, accuracy: vec![0.5, 0.5], alone: vec![] };
        results.rows[0].cells[0].early_accuracy = vec![early(0.07), early(0.001)];
        let columns = columns(&results);
        let shown: Vec<_> = columns.iter().filter(|column| column.part == TableSection::Budget).collect();
        let headings: Vec<_> = shown.iter().map(|column| column.heading.replace('\n', " ")).collect();
        let expected = [
            "devices at 0.1 %",
            "devices at 7 %",
            "devices at 100 %",
            "forward transfer at 0.1 %",
            "forward transfer at 7 %",
        ];
        assert_eq!(headings, expected);
        assert!(columns.is_sorted_by_key(|column| TableSection::ALL.iter().position(|part| *part == column.part)));
    }
}
