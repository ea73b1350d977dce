//! Which data a strategy may see while it consolidates.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What data a strategy needs, or what a protocol grants. A protocol that grants one level also permits the levels before it.
/// A strategy is given only what it needs: a strategy that sees samples of devices does not get surrogate data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum DataAccess {
    /// No data at all: weights only.
    None,
    /// Surrogate data: unlabelled inputs that belong to no device.
    Surrogate,
    /// The training samples of the device whose expert is being consolidated.
    CurrentTask,
    /// The training samples of all devices so far.
    AllTasks,
}

impl fmt::Display for DataAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DataAccess::None => "none",
            DataAccess::Surrogate => "surrogate",
            DataAccess::CurrentTask => "current-task",
            DataAccess::AllTasks => "all-tasks",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_permits_those_before_it() {
        use DataAccess::*;
        let mut levels = [AllTasks, None, CurrentTask, Surrogate];
        levels.sort();
        assert_eq!(levels, [None, Surrogate, CurrentTask, AllTasks]);
    }
}
