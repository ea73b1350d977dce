//! Metrics of other crates: what they state, and how a program finds them.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use crate::cell::Cell;
use crate::unit::Unit;

/// A metric of another crate. It is in every program that the crate is linked into, beside the metrics of
/// [`Metric::ALL`](crate::Metric::ALL): in the tables, the files and the reference.
///
/// ```
/// use alluvium_results::{Accuracy, AddedMetric, Cell, Metric, Unit, submit};
///
/// /// min_i R[T, i], task-aware.
/// fn worst_task(cell: &Cell) -> Option<f64> {
///     let Accuracy::Stream { task_aware, .. } = &cell.accuracy else { return None };
///     task_aware.last_row().iter().copied().reduce(f64::min)
/// }
///
/// submit! {
///     AddedMetric {
///         name: "worst_task",
///         heading: "worst\ntask",
///         description: "the lowest accuracy on a task at the end of the stream; task known",
///         formula: "min_i R[T, i]",
///         unit: Unit::Fraction,
///         higher_is_better: Some(true),
///         compute: worst_task,
///     }
/// }
///
/// assert!(Metric::from_name("worst_task").is_some());
/// ```
#[derive(Debug, Clone, Copy)]
pub struct AddedMetric {
    /// The name in files: lower case, with `_` between words. No other metric may have it.
    pub name: &'static str,
    /// The heading of its column in tables. `\n` is a line break, where there are line breaks.
    pub heading: &'static str,
    /// The meaning, in one line for readers outside the field.
    pub description: &'static str,
    /// The formula. R\[t, i\] is the accuracy on task i after expert t of T, e\[t\] that of expert t on its own task.
    pub formula: &'static str,
    /// The unit. Tables show a fraction in percent.
    pub unit: Unit,
    /// Whether more is better; `None` if neither direction is.
    pub higher_is_better: Option<bool>,
    /// The value of a cell; `None` where it cannot be computed. A value that is not finite counts as `None`.
    pub compute: fn(&Cell) -> Option<f64>,
}

inventory::collect!(AddedMetric);

/// The metrics of other crates that are linked into the running program, sorted by name, without those that share a name.
pub(crate) fn added() -> Vec<&'static AddedMetric> {
    let all = || inventory::iter::<AddedMetric>.into_iter();
    let mut added: Vec<_> = all().filter(|metric| all().filter(|other| other == metric).count() == 1).collect();
    added.sort_unstable();
    added
}

// The name stands for the metric, in files and here.
impl PartialEq for AddedMetric {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for AddedMetric {}

impl PartialOrd for AddedMetric {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for AddedMetric {
    fn cmp(&self, other: &Self) -> Ordering {
        self.name.cmp(other.name)
    }
}

impl Hash for AddedMetric {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}
