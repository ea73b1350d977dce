//! The units of metrics.

use serde::{Deserialize, Serialize};

/// The unit of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A fraction: an accuracy, a difference of accuracies, a similarity.
    Fraction,
    /// Bytes of 8 bits.
    Bytes,
    /// Seconds.
    Seconds,
    /// A count.
    Count,
}
