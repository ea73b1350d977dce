//! The cells of a control run, row by row.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cell::Cell;
use crate::metric_catalogue::Metric;

/// The measurements of a control run. Each row is compared with its own row there, instead of with one baseline for all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Control {
    /// The name of the control run.
    pub name: String,
    /// The cells of its rows, by the name of the row.
    pub rows: BTreeMap<String, Vec<Cell>>,
}

/// The value of the metric under each seed. Seeds without it are absent.
pub(crate) fn values(cells: &[Cell], metric: Metric) -> BTreeMap<u64, f64> {
    cells.iter().filter_map(|cell| Some((cell.seed, *cell.metrics().get(&metric)?))).collect()
}
