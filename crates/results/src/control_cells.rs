//! The cells of a control run, row by row.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cell::Cell;
use crate::metric::Metric;

/// What a control run measured, as far as it can be compared: row by row, in place of one baseline for all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Control {
    /// What the control run is called.
    pub name: String,
    /// The cells of each of its rows, by the row's name.
    pub rows: BTreeMap<String, Vec<Cell>>,
}

/// The metric's value under each seed; seeds for which it cannot be computed are absent.
pub(crate) fn values(cells: &[Cell], metric: Metric) -> BTreeMap<u64, f64> {
    cells.iter().filter_map(|cell| Some((cell.seed, *cell.metrics().get(&metric)?))).collect()
}
