//! The network against timm: the same names, the same shapes, and from the same weights the same outputs.
//!
//! The numbers are those of `tests/fixtures/generate.py`, from timm's network; its tensors come in by the table `timm-vit`, as a
//! file of weights would.

use alluvium_model::conformance::{NameMap, check_fixture, spread};

// Links the kind.
use alluvium_backbone_vit_tiny as _;

fn check(json: &str) {
    let fill = |name: &str, shape: &[usize]| match shape {
        _ if name == "inputs" => (0.0, 1.0),
        [_, _, _] => (0.0, 0.5),
        _ => spread(name, shape, 3.0),
    };
    check_fixture(json, &NameMap::shipped("timm-vit").unwrap(), fill);
}

#[test]
fn the_outputs_are_those_of_timm() {
    check(include_str!("../fixtures/default.json"));
    check(include_str!("../fixtures/small.json"));
}
