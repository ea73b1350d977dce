//! What a device takes in place of the ensemble.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a device takes in place of the ensemble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Start {
    /// The model that the first device met: independent experts. The centre keeps a copy of it.
    #[default]
    Initial,
    /// The newest expert's backbone: each expert begins with what the one before it had learned.
    Latest,
}
