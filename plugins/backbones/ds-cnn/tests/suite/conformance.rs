//! The backbone against the conformance tests.

use std::sync::Arc;

use alluvium_backbone_ds_cnn::DsCnnConfig;
use alluvium_model::Learning;
use alluvium_model::conformance::{check_config, check_kind, check_learning};

#[test]
fn the_options_conform() {
    check_kind("ds-cnn");
}

#[test]
fn networks_conform() {
    check_config(&DsCnnConfig { width: 16, ..Default::default() }, [1, 32, 51]);
    check_config(&DsCnnConfig { width: 8, blocks: 1, kernel: [3, 3], stride: [1, 2], strips: 1 }, [3, 13, 10]);
}

#[test]
fn steps_down_the_gradient_lower_the_loss() {
    let settings = Learning { learning_rate: 0.05, gradient_clip: 5.0, ..Learning::default() };
    check_learning(Arc::new(DsCnnConfig { width: 16, blocks: 2, ..Default::default() }), [1, 8, 12], &settings, 30);
}
