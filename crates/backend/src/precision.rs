//! How precisely a GPU multiplies.

use burn::tensor::{Device, FloatDType};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The precision of matrix products and convolutions, for backends that have a choice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Precision {
    /// 32-bit numbers. Where a GPU's tensor cores multiply them, they round the factors to TF32, as PyTorch lets them.
    #[default]
    Full,
    /// Mixed precision: weights, gradients, sums and everything between products stay 32-bit numbers; tensor cores round
    /// the factors of products to 16 bits and add up in 32 (burn's number type `flex32`). Products above 65 504 overflow.
    Mixed,
}

impl Precision {
    /// Makes new tensors on this device such that they are multiplied in this precision.
    ///
    /// burn settles that once in a process, at the latest with the device's first tensor, so a backend calls it when it
    /// opens the device.
    ///
    /// # Errors
    /// When the device has no such numbers, or was settled otherwise earlier in this process; the message says which.
    pub fn settle(self, device: &mut Device) -> Result<(), String> {
        let wanted = match self {
            Precision::Full => FloatDType::F32,
            Precision::Mixed => FloatDType::Flex32,
        };
        if !device.supports_dtype(wanted) {
            return Err("it has no numbers of mixed precision; accepted for `precision`: full".to_owned());
        }
        // Fails where something was settled before, which may be the very same.
        let settled = device.configure(wanted);
        let found = device.settings().float_dtype;
        match settled {
            _ if found == wanted => Ok(()),
            Ok(()) => Err(format!("burn gave it numbers of the type {found:?} in place of {wanted:?}")),
            Err(_) => Err(format!(
                "its `precision` was settled earlier in this process, with numbers of the type {found:?}, and cannot be \
                 changed; run a comparison of precisions as one process for each"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_settled_once() {
        // `flex` knows no numbers of mixed precision.
        let error = Precision::Mixed.settle(&mut Device::flex()).unwrap_err();
        assert!(error.contains("accepted for `precision`: full"), "{error}");
        Precision::Full.settle(&mut Device::flex()).unwrap();
        Precision::Full.settle(&mut Device::flex()).unwrap();
        // `ndarray` takes them, though it cannot compute with them.
        #[allow(deprecated)]
        let mut device = Device::ndarray();
        Precision::Mixed.settle(&mut device).unwrap();
        Precision::Mixed.settle(&mut device).unwrap();
        let error = Precision::Full.settle(&mut device).unwrap_err();
        assert!(error.contains("settled earlier") && error.contains("Flex32"), "{error}");
    }
}
