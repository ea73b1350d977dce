//! The backbone against the conformance tests.

use std::sync::Arc;

use alluvium_backbone_conv1d::Conv1dConfig;
use alluvium_model::Learning;
use alluvium_model::conformance::{check_config, check_kind, check_learning};

fn small() -> Conv1dConfig {
    Conv1dConfig { channels: vec![4, 8], kernel: 3, pool: 2, latent: 10 }
}

#[test]
fn the_options_conform() {
    check_kind("conv1d");
}

#[test]
fn networks_conform() {
    check_config(&Conv1dConfig::default(), [3, 20]);
    check_config(&small(), [2, 9]);
    check_config(&Conv1dConfig { pool: 1, ..small() }, [1, 6]);
}

#[test]
fn steps_down_the_gradient_lower_the_loss() {
    let settings = Learning { learning_rate: 0.05, gradient_clip: 5.0, ..Learning::default() };
    check_learning(Arc::new(small()), [2, 16], &settings, 60);
}
