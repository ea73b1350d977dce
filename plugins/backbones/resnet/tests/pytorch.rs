//! Every kind against PyTorch: the same names, the same shapes, and from the same weights the same outputs.
//!
//! The numbers are those of `fixtures/generate.py`, from torchvision's networks. A fixture holds the names and shapes of
//! PyTorch's tensors, which come in by the table `torchvision-resnet` as a file of weights would, and the outputs; weights
//! and inputs follow from their names.

use std::collections::BTreeMap;

use alluvium_checkpoint::{Dtype, NameMap, Tensor as Stored, Values as Numbers};
use alluvium_model::{BackboneConfig, Values, Weights};
use burn::tensor::{Device, Tensor, TensorData};
use serde::Deserialize;
use serde_json::Value;

// Links the kinds.
use alluvium_backbone_resnet as _;

/// How far an output may be from PyTorch's, which are of order 1.
const TOLERANCE: f64 = 1e-4;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixture {
    /// The script that wrote it, and the versions of what it used.
    generator: String,
    /// The `[backbone]` table.
    options: Value,
    /// `[batch, channels, height, width]`.
    inputs: [usize; 4],
    /// The shapes of PyTorch's tensors by their names.
    tensors: BTreeMap<String, Vec<usize>>,
    layers: Vec<Layer>,
}

/// A layer's output, flat: every so many of its values, and means over all of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Layer {
    mean: f64,
    mean_square: f64,
    every: usize,
    values: Vec<f64>,
}

/// Numbers in [−1, 1) that follow from a name, as in `generate.py`.
fn numbers(name: &str, count: usize) -> impl Iterator<Item = f64> {
    let fnv = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    let seed = name.bytes().fold(0x811c_9dc5, fnv);
    (0..count as u32).map(move |place| {
        let mut x = seed.wrapping_add(place.wrapping_mul(0x9e37_79b9));
        x = (x ^ (x >> 16)).wrapping_mul(0x85eb_ca6b);
        x = (x ^ (x >> 13)).wrapping_mul(0xc2b2_ae35);
        x ^= x >> 16;
        f64::from(x) / f64::from(1u32 << 31) - 1.0
    })
}

/// A tensor's values, as in `generate.py`.
fn filled(name: &str, shape: &[usize]) -> Vec<f32> {
    let (middle, spread) = match shape {
        _ if name == "inputs" => (0.0, 2.0),
        _ if name.ends_with("running_var") => (1.0, 0.5),
        [_, inner @ ..] if !inner.is_empty() => (0.0, (2.0 / inner.iter().product::<usize>() as f64).sqrt()),
        _ if name.ends_with("weight") => (1.0, 0.1),
        _ => (0.0, 0.1),
    };
    numbers(name, shape.iter().product()).map(|number| (middle + spread * number) as f32).collect()
}

/// The backbone's weights, which come in under PyTorch's names and in its layout.
fn weights(fixture: &Fixture) -> Weights {
    let table = NameMap::shipped("torchvision-resnet").unwrap();
    let mapping = table.apply(fixture.tensors.keys().map(String::as_str)).unwrap();
    let of_backbone = mapping.iter().filter(|(ours, _)| !ours.starts_with("head."));
    let weights = of_backbone.map(|(ours, foreign)| {
        let shape = fixture.tensors[foreign].clone();
        let stored = Stored { dtype: Dtype::F32, values: Numbers::Floats(filled(foreign, &shape)), shape };
        let turned = mapping.turned(ours, stored).unwrap();
        let Numbers::Floats(values) = turned.values else { unreachable!("floats stay floats") };
        (ours.to_owned(), Values::new(turned.shape, values))
    });
    weights.collect()
}

fn check(json: &str) {
    let fixture: Fixture = serde_json::from_str(json).unwrap();
    let Fixture { generator, options, inputs, layers, .. } = &fixture;
    let compute = Device::flex();
    let config: Box<dyn BackboneConfig> = serde_json::from_value(options.clone()).unwrap();
    let [_, channels, height, width] = *inputs;
    let mut backbone = config.build([channels, height, width].into(), &compute).unwrap();
    // Refuses a tensor that is missing, unknown or of another shape.
    backbone.set_parameters(&weights(&fixture)).unwrap();
    let inputs = Tensor::from_data(TensorData::new(filled("inputs", inputs), *inputs), &compute);
    let outputs = backbone.forward_layers(inputs.clone());
    assert_eq!(outputs.len(), layers.len(), "{options}");
    let latents = backbone.forward(inputs);
    for (place, (output, expected)) in
        outputs.into_iter().chain([latents]).zip(layers.iter().chain(layers.last())).enumerate()
    {
        let found: Vec<_> = output.into_data().try_into_vec::<f32>().unwrap().into_iter().map(f64::from).collect();
        let mean =
            |values: &dyn Fn(f64) -> f64| found.iter().map(|value| values(*value)).sum::<f64>() / found.len() as f64;
        let means = [(mean(&|value| value), expected.mean), (mean(&|value| value * value), expected.mean_square)];
        let stored: Vec<_> = found.iter().copied().step_by(expected.every).collect();
        assert_eq!(stored.len(), expected.values.len(), "{options}: layer {place}");
        for (found, expected) in stored.into_iter().zip(expected.values.iter().copied()).chain(means) {
            let near = (found - expected).abs() < TOLERANCE;
            assert!(near, "{options}: layer {place} has {found}, {generator} has {expected}");
        }
    }
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
