//! The option `shift` of streams whose data have no domains.

use alluvium_model::Seed;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{DataSet, Scenario, Split, SplitTasks, StreamError};

/// How the tasks differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Shift {
    /// Each device has its own classes.
    Class,
    /// All devices have the same classes, and differ in how often each occurs.
    LabelSkew,
}

impl Shift {
    /// The scenario of this shift.
    pub fn scenario(self) -> Scenario {
        match self {
            Shift::Class => Scenario::ClassShift,
            Shift::LabelSkew => Scenario::LabelSkew,
        }
    }

    /// The tasks of a split of this shift.
    ///
    /// # Errors
    /// As [`Split::by_class`] and [`Split::by_label`].
    pub fn tasks(self, split: &Split, data: &DataSet, seed: Seed) -> Result<SplitTasks, StreamError> {
        match self {
            Shift::Class => split.by_class(data, seed),
            Shift::LabelSkew => split.by_label(data, seed),
        }
    }
}
