//! Every kind against PyTorch: the same names, the same shapes, and from the same weights the same outputs.
//!
//! The numbers are those of `fixtures/generate.py`, from torchvision's networks; their tensors come in by the table
//! `torchvision-resnet`, as a file of weights would.

use alluvium_model::conformance::{NameMap, check_fixture, spread};

// Links the kinds.
use alluvium_backbone_resnet as _;

fn check(json: &str) {
    let fill = |name: &str, shape: &[usize]| if name == "inputs" { (0.0, 2.0) } else { spread(name, shape, 2.0) };
    check_fixture(json, &NameMap::shipped("torchvision-resnet").unwrap(), fill);
}

#[test]
fn slim_resnet18_gives_the_outputs_of_pytorch() {
    check(include_str!("fixtures/slim-resnet18.json"));
}

#[test]
fn resnet18_gives_the_outputs_of_torchvision() {
    check(include_str!("fixtures/resnet18.json"));
}

#[test]
fn resnet34_gives_the_outputs_of_torchvision() {
    check(include_str!("fixtures/resnet34.json"));
}

#[test]
fn resnet50_gives_the_outputs_of_torchvision() {
    check(include_str!("fixtures/resnet50.json"));
}

#[test]
fn resnet32_gives_the_outputs_of_pytorch() {
    check(include_str!("fixtures/resnet32.json"));
    check(include_str!("fixtures/resnet32-convolution.json"));
}
