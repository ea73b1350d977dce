//! The backbone against the conformance tests.

use std::sync::Arc;

use alluvium_backbone_vit_tiny::VitTinyConfig;
use alluvium_model::Learning;
use alluvium_model::conformance::{check_config, check_kind, check_learning};

#[test]
fn the_options_conform() {
    check_kind("vit-tiny");
}

/// A network that is quick.
const SMALL: VitTinyConfig = VitTinyConfig { patch_size: 4, depth: 3, width: 12, heads: 2 };

#[test]
fn networks_conform() {
    for input in [[1, 8, 8], [3, 8, 12]] {
        check_config(&SMALL, input);
    }
}

#[test]
fn steps_down_the_gradient_lower_the_loss() {
    let settings = Learning { learning_rate: 0.05, gradient_clip: 5.0, ..Learning::default() };
    check_learning(Arc::new(SMALL), [1, 8, 8], &settings, 30);
}
