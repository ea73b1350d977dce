//! The options, and the compute device that they open.

use alluvium_backend::{BackendConfig, BackendError, options, plugin};
use burn::tensor::Device;

/// Runs on the processor with burn's ndarray backend. Training convolutions is slow: use it for multi-layer
/// perceptrons.
///
/// burn 0.22 deprecates it in favour of `flex`; here it is an independent implementation for comparisons.
#[options]
pub struct NdArrayConfig {}

#[plugin(kind = "ndarray", paper = "https://crates.io/crates/burn-ndarray")]
impl BackendConfig for NdArrayConfig {
    #[allow(deprecated)] // Deprecated in favour of flex; kept as a second implementation.
    fn open(&self) -> Result<Device, BackendError> {
        Ok(Device::ndarray())
    }
}
