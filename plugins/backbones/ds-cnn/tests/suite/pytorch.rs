//! The network against PyTorch: from the same weights the same outputs.
//!
//! The numbers are those of `tests/fixtures/generate.py`.

use alluvium_model::conformance::{NameMap, check_fixture, spread};

// Links the kind.
use alluvium_backbone_ds_cnn as _;

/// PyTorch's names, and ours.
const NAMES: &str = r#"
[names]
"stem.conv.weight" = "stem.conv.weight"
"stem.conv.bias" = "stem.conv.bias"
"stem.norm.weight" = "stem.norm.gamma"
"stem.norm.bias" = "stem.norm.beta"
"blocks.{block}.depthwise.conv.weight" = "blocks.{block}.depthwise.conv.weight"
"blocks.{block}.depthwise.conv.bias" = "blocks.{block}.depthwise.conv.bias"
"blocks.{block}.depthwise.norm.weight" = "blocks.{block}.depthwise.norm.gamma"
"blocks.{block}.depthwise.norm.bias" = "blocks.{block}.depthwise.norm.beta"
"blocks.{block}.pointwise.conv.weight" = "blocks.{block}.pointwise.conv.weight"
"blocks.{block}.pointwise.conv.bias" = "blocks.{block}.pointwise.conv.bias"
"blocks.{block}.pointwise.norm.weight" = "blocks.{block}.pointwise.norm.gamma"
"blocks.{block}.pointwise.norm.bias" = "blocks.{block}.pointwise.norm.beta"
"#;

fn check(json: &str) {
    let fill = |name: &str, shape: &[usize]| if name == "inputs" { (0.0, 2.0) } else { spread(name, shape, 6.0) };
    check_fixture(json, &NameMap::parse(NAMES).unwrap(), fill);
}

#[test]
fn the_outputs_are_those_of_pytorch() {
    check(include_str!("../fixtures/default.json"));
    check(include_str!("../fixtures/odd-sizes.json"));
}
