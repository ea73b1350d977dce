//! The `flex` backend: burn's own CPU backend, and the default.

use alluvium_backend::registry::{Family, describe};
use alluvium_backend::{BackendConfig, BackendError};
use burn::tensor::Device;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Runs on the processor with burn's own CPU backend. Nothing needs to be installed.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlexConfig {}

describe!(Family::Backend, "flex", FlexConfig, paper: "https://crates.io/crates/burn-flex");

#[typetag::serde(name = "flex")]
impl BackendConfig for FlexConfig {
    fn open(&self) -> Result<Device, BackendError> {
        Ok(Device::flex())
    }
}
