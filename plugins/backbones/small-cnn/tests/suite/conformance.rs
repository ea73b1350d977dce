//! The backbone against the conformance tests.

use std::sync::Arc;

use alluvium_backbone_small_cnn::SmallCnnConfig;
use alluvium_model::Learning;
use alluvium_model::conformance::{check_config, check_kind, check_learning};

#[test]
fn the_options_conform() {
    check_kind("small-cnn");
}

#[test]
fn networks_conform() {
    check_config(&SmallCnnConfig::default(), [1, 28, 28]);
    check_config(&SmallCnnConfig { width: 8, strides: [1, 2, 3], latent: 10 }, [3, 13, 10]);
}

#[test]
fn steps_down_the_gradient_lower_the_loss() {
    let settings = Learning { learning_rate: 0.05, gradient_clip: 5.0, ..Learning::default() };
    check_learning(Arc::new(SmallCnnConfig::default()), [1, 8, 8], &settings, 30);
}
