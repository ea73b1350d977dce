//! The backbone against the conformance tests.

use std::sync::Arc;

use alluvium_backbone_identity::IdentityConfig;
use alluvium_model::conformance::{check_config, check_kind, check_learning};
use alluvium_model::{Schedule, SgdSettings};

#[test]
fn the_options_conform() {
    check_kind("identity");
}

#[test]
fn networks_conform() {
    check_config(&IdentityConfig {}, [5]);
    check_config(&IdentityConfig {}, [3, 6, 5]);
}

#[test]
fn steps_down_the_gradient_lower_the_loss() {
    let settings = SgdSettings {
        learning_rate: 0.05,
        momentum: 0.9,
        weight_decay: 0.0,
        gradient_clip: 5.0,
        schedule: Schedule::Constant,
    };
    check_learning(Arc::new(IdentityConfig {}), [8], settings, 30);
}
