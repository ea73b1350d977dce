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
"blocks.{block}.{layer}.conv.weight" = "blocks.{block}.{layer}.conv.weight"
"blocks.{block}.{layer}.conv.bias" = "blocks.{block}.{layer}.conv.bias"
"blocks.{block}.{layer}.norm.weight" = "blocks.{block}.{layer}.norm.gamma"
"blocks.{block}.{layer}.norm.bias" = "blocks.{block}.{layer}.norm.beta"
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
