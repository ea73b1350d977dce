//! The options, and the compute device that they open.

use alluvium_backend::registry::{Family, describe};
use alluvium_backend::{BackendConfig, BackendError};
use burn::tensor::Device;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Runs on the processor with burn's ndarray backend. Training convolutions is slow: use it for multi-layer
/// perceptrons.
///
/// burn 0.22 deprecates it in favour of `flex`; here it is an independent implementation for comparisons.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NdArrayConfig {}

describe!(Family::Backend, "ndarray", NdArrayConfig, paper: "https://crates.io/crates/burn-ndarray");

#[typetag::serde(name = "ndarray")]
impl BackendConfig for NdArrayConfig {
    #[allow(deprecated)] // Deprecated in favour of flex; kept as a second implementation.
    fn open(&self) -> Result<Device, BackendError> {
        Ok(Device::ndarray())
    }
}
