//! The model that a device takes instead of the ensemble.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The model that a device takes instead of the ensemble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Start {
    /// The model that the first device took: experts are independent. The centre keeps a copy of it.
    #[default]
    Initial,
    /// The newest expert's backbone: each expert starts with what the one before it learned.
    Latest,
}
