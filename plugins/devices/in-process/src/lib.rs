//! The devices `in-process`: each trains on its task of the stream, in the process that runs the comparison.
//!
//! A device reads the training samples of its own task when it first needs them, and gives none of them out.

use alluvium_device::registry::{Family, describe};
use alluvium_device::{Device, DeviceConfig, DeviceError, DevicePlace, DeviceSettings, LocalDevice, typetag};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Devices in this process. Each trains on the training samples of its task of the stream, with stochastic gradient descent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct InProcessConfig {
    /// How every device trains.
    pub settings: DeviceSettings,
}

describe!(Family::Device, "in-process", InProcessConfig, paper: "arXiv 2303.15888, section 3", default);

#[typetag::serde(name = "in-process")]
impl DeviceConfig for InProcessConfig {
    fn training(&self) -> Option<&DeviceSettings> {
        Some(&self.settings)
    }

    fn with_training(&self, settings: DeviceSettings) -> Option<Box<dyn DeviceConfig>> {
        Some(Box::new(InProcessConfig { settings }))
    }

    fn build<'a>(&self, place: DevicePlace<'a>) -> Result<Box<dyn Device + 'a>, DeviceError> {
        Ok(Box::new(LocalDevice::new(place, self.settings.clone())))
    }
}

#[cfg(test)]
mod tests {
    use alluvium_device::conformance::{check_config, check_kind};

    use super::*;

    #[test]
    fn conforms() {
        check_kind("in-process");
        check_config(&InProcessConfig { settings: DeviceSettings { epochs: 1, batch_size: 7, ..Default::default() } });
    }

    #[test]
    fn it_is_what_a_table_without_a_kind_means() {
        assert_eq!(alluvium_device::registry::default_kind(Family::Device), Some("in-process"));
    }
}
