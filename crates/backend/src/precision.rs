//! The precision of a GPU's products.

use burn::tensor::{Device, FloatDType};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The precision of matrix products and convolutions, for backends that have a choice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Precision {
    /// 32-bit numbers. A GPU's tensor cores may round the factors to TF32, as in PyTorch.
    #[default]
    Full,
    /// Mixed precision: weights, gradients, sums and everything between products stay 32-bit numbers. Tensor cores
    /// round the factors to 16 bits and add in 32 bits (burn's number type `flex32`). Products above 65 504 overflow.
    Mixed,
}

impl Precision {
    /// Sets the precision in which this device multiplies new tensors.
    ///
    /// burn fixes it once per process, at the latest with the device's first tensor. So a backend calls this when it
    /// opens the device.
    ///
    /// # Errors
    /// When the device does not support the precision, or another precision was set earlier in this process. The
    /// message says which.
    pub fn settle(self, device: &mut Device) -> Result<(), String> {
        let wanted = match self {
            Precision::Full => FloatDType::F32,
            Precision::Mixed => FloatDType::Flex32,
        };
        if !device.supports_dtype(wanted) {
            return Err("it does not support mixed precision; accepted for `precision`: full".to_owned());
        }
        // Fails if a precision was set before, even if it was the same one.
        let settled = device.configure(wanted);
        let found = device.settings().float_dtype;
        match settled {
            _ if found == wanted => Ok(()),
            Ok(()) => Err(format!("burn set the number type {found:?} instead of {wanted:?}")),
            Err(_) => Err(format!(
                "its `precision` was set earlier in this process, to the number type {found:?}, and cannot be \
                 changed; to compare precisions, run each in a process of its own"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_settled_once() {
        // `flex` does not support mixed precision.
        let error = Precision::Mixed.settle(&mut Device::flex()).unwrap_err();
        assert!(error.contains("accepted for `precision`: full"), "{error}");
        Precision::Full.settle(&mut Device::flex()).unwrap();
        Precision::Full.settle(&mut Device::flex()).unwrap();
        // `ndarray` accepts it, but cannot compute with it.
        #[allow(deprecated)]
        let mut device = Device::ndarray();
        Precision::Mixed.settle(&mut device).unwrap();
        Precision::Mixed.settle(&mut device).unwrap();
        let error = Precision::Full.settle(&mut device).unwrap_err();
        assert!(error.contains("set earlier") && error.contains("Flex32"), "{error}");
    }
}
