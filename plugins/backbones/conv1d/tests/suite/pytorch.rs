//! The network against PyTorch: from the same weights the same outputs.
//!
//! The numbers are those of `tests/fixtures/generate.py`.

use alluvium_model::conformance::{NameMap, check_fixture, spread};

// Links the kind.
use alluvium_backbone_conv1d as _;

/// PyTorch's names, and ours; PyTorch keeps [outputs, inputs], burn [inputs, outputs].
const NAMES: &str = r#"
transposed = ["latent.weight"]

[names]
"blocks.{block}.conv.weight" = "blocks.{block}.conv.weight"
"blocks.{block}.conv.bias" = "blocks.{block}.conv.bias"
"blocks.{block}.norm.weight" = "blocks.{block}.norm.gamma"
"blocks.{block}.norm.bias" = "blocks.{block}.norm.beta"
"latent.weight" = "latent.weight"
"latent.bias" = "latent.bias"
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
