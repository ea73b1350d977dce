//! The tables of a configuration that no plugin owns.

use alluvium_device::{ClassificationLoss, DeviceSettings};
use alluvium_strategy::{DataAccess, StrategyConfig, SurrogateConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Evaluation, Protocol};

/// A row of the table that no strategy stands behind, for comparison.
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
    /// All of them, in the order of their rows.
    pub(crate) const ALL: [Self; 3] = [Self::DevicesAlone, Self::Joint, Self::JointAllHeads];

    /// The row's name, which is also its name in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            Reference::DevicesAlone => "devices-alone",
            Reference::Joint => "joint",
            Reference::JointAllHeads => "joint-all-heads",
        }
    }

    /// The loss of joint training; `None` for a row that is none.
    pub(crate) fn joint_loss(self) -> Option<ClassificationLoss> {
        match self {
            Reference::DevicesAlone => None,
            Reference::Joint => Some(ClassificationLoss::OwnHead),
            Reference::JointAllHeads => Some(ClassificationLoss::AllHeads),
        }
    }
}

/// An experiment: which strategies are compared, on which stream, by which devices.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RootTable {
    /// The experiment's name, for the results.
    #[schemars(length(min = 1, max = 200))]
    pub name: String,
    /// How devices and the centre work together, and which data a strategy is granted.
    pub protocol: Protocol,
    /// The seeds: everything random is repeated under each of them.
    #[schemars(length(min = 1, max = 10_000))]
    pub seeds: Vec<u64>,
    /// The row to which paired differences are taken. Absent: no differences.
    #[serde(default)]
    pub baseline: Option<String>,
    /// Rows without a strategy, for comparison: `devices-alone`, without which there is no forward transfer; `joint`, one model
    /// trained on all data, each sample through its task's head; and `joint-all-heads`, in which the classes of all tasks
    /// compete. Default: the first two. An empty list spares their time.
    #[serde(default = "all_references")]
    pub references: Vec<Reference>,
    /// Where tensors live and run.
    pub backend: Map<String, Value>,
    /// The ordered tasks, one a device.
    pub stream: Map<String, Value>,
    /// The feature extractor of every model.
    pub backbone: Map<String, Value>,
    /// How every device adapts the model to its task.
    #[serde(default)]
    pub device: DeviceSettings,
    /// When the central model is judged.
    #[serde(default)]
    pub evaluation: Evaluation,
    /// The surrogate data of all strategies that need some, unless their own table names others under `surrogate`.
    #[serde(default)]
    pub surrogate: Option<Map<String, Value>>,
    /// The strategies that are compared; each table is a row, known by its `name` (default: its kind).
    #[schemars(length(min = 1, max = 10_000))]
    pub strategies: Vec<Map<String, Value>>,
}

fn all_references() -> Vec<Reference> {
    vec![Reference::DevicesAlone, Reference::Joint]
}

/// A strategy under the name of its row.
#[derive(Debug)]
pub struct StrategyRow {
    /// The row's name: `name`, or the kind.
    pub name: String,
    /// The strategy's kind.
    pub kind: String,
    /// The strategy's options.
    pub config: Box<dyn StrategyConfig>,
    /// The data that the strategy sees while it consolidates, as its options said when they were read. They are asked once: what
    /// is checked, granted and stated follows from this answer alone.
    pub data_access: DataAccess,
    /// The surrogate data of this row, where it does not take those of the experiment.
    pub surrogate: Option<Box<dyn SurrogateConfig>>,
    /// How devices and the centre work together in this row.
    pub protocol: Protocol,
    /// How devices adapt the model in this row.
    pub device: DeviceSettings,
}
