//! The devices against the conformance tests of every kind.

use alluvium_device::DeviceSettings;
use alluvium_device::conformance::{check_config, check_kind};
use third_party_device::UnreliableConfig;

#[test]
fn they_conform_whether_they_answer_or_not() {
    check_kind("unreliable");
    let training = DeviceSettings { epochs: 1, ..DeviceSettings::default() };
    for lost in [0.0, 1.0] {
        check_config(&UnreliableConfig { lost, training: training.clone() });
    }
}
