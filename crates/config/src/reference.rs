//! Reference rows, which strategies are compared with.

use alluvium_device::ClassificationLoss;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A row without a strategy, for comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Reference {
    /// Each device alone: adapted from the initial weights, judged on its own task.
    DevicesAlone,
    /// Joint training of one model on all devices' data, each sample through the head of its own task, for comparison.
    Joint,
    /// Joint training in which the classes of all tasks compete, for comparison where the task is unknown.
    JointAllHeads,
}

impl Reference {
    /// All reference rows, in the order of the table.
    pub const ALL: [Self; 3] = [Self::DevicesAlone, Self::Joint, Self::JointAllHeads];

    /// The row's name, which is also its name in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            Reference::DevicesAlone => "devices-alone",
            Reference::Joint => "joint",
            Reference::JointAllHeads => "joint-all-heads",
        }
    }

    /// The loss of joint training; `None` for a row that is not joint training.
    pub fn joint_loss(self) -> Option<ClassificationLoss> {
        match self {
            Reference::DevicesAlone => None,
            Reference::Joint => Some(ClassificationLoss::OwnHead),
            Reference::JointAllHeads => Some(ClassificationLoss::AllHeads),
        }
    }
}
