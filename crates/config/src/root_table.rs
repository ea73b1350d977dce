//! The tables of a configuration that no plugin owns.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::evaluation::Evaluation;
use crate::initial::Initial;
use crate::own_networks::OwnNetworksTable;
use crate::protocol::Protocol;
use crate::reference::Reference;

/// An experiment: which strategies are compared, on which stream, by which devices.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RootTable {
    /// The experiment's name, for the results.
    #[schemars(length(min = 1, max = 200))]
    pub name: String,
    /// How devices and the centre work together, and which data a strategy is granted.
    pub protocol: Protocol,
    /// The seeds. The whole comparison is repeated under each of them.
    #[schemars(length(min = 1, max = 10_000))]
    pub seeds: Vec<u64>,
    /// The row that the others are compared with, seed by seed. Absent: no differences.
    #[serde(default)]
    pub baseline: Option<String>,
    /// Rows without a strategy, for comparison: `devices-alone`, which forward transfer needs; `joint`, one model trained on all
    /// data, each sample through its task's head; and `joint-all-heads`, in which the classes of all tasks compete. Default:
    /// the first two. An empty list saves their time.
    #[serde(default = "all_references")]
    pub references: Vec<Reference>,
    /// Where tensors live and run.
    pub backend: Map<String, Value>,
    /// The ordered tasks, one a device.
    pub stream: Map<String, Value>,
    /// The feature extractor of the central model, and of every device without a network of its own.
    pub backbone: Map<String, Value>,
    /// How a head turns a sample into scores of its classes. Default: `linear`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classifier: Option<Map<String, Value>>,
    /// The first weights of the central model. Absent: they are drawn from the seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial: Option<Initial>,
    /// Some devices have networks of their own, whose backbone is not the centre's. Absent: every device adapts the central model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "OwnNetworksTable")]
    pub own_networks: Option<OwnNetworksTable>,
    /// Which devices take part, and how they adapt the model to their tasks.
    #[serde(default)]
    pub device: Map<String, Value>,
    /// When the central model is judged.
    #[serde(default)]
    pub evaluation: Evaluation,
    /// The surrogate data of all strategies that need some. A strategy's own table may name others under `surrogate`.
    #[serde(default)]
    pub surrogate: Option<Map<String, Value>>,
    /// The strategies that are compared. Each table is a row; its `name` defaults to its kind.
    #[schemars(length(min = 1, max = 10_000))]
    pub strategies: Vec<Map<String, Value>>,
}

fn all_references() -> Vec<Reference> {
    vec![Reference::DevicesAlone, Reference::Joint]
}
