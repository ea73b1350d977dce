//! The `flex` backend: burn's own CPU backend, and the default.

use alluvium_backend::{BackendConfig, BackendError, options, plugin};
use burn::tensor::Device;

/// Runs on the processor with burn's own CPU backend. Nothing needs to be installed.
#[options]
pub struct FlexConfig {}

#[plugin(kind = "flex", paper = "https://crates.io/crates/burn-flex")]
impl BackendConfig for FlexConfig {
    fn open(&self) -> Result<Device, BackendError> {
        Ok(Device::flex())
    }
}
