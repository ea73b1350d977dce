//! The backbone against the conformance tests.

use std::sync::Arc;

use alluvium_backbone_identity::IdentityConfig;
use alluvium_model::Learning;
use alluvium_model::conformance::{check_config, check_kind, check_learning};

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
    let settings = Learning { learning_rate: 0.05, gradient_clip: 5.0, ..Learning::default() };
    check_learning(Arc::new(IdentityConfig {}), [8], &settings, 30);
}
