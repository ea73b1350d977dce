//! Outputs computed by another program: with the same weights, a backbone must give the same outputs.

use std::collections::BTreeMap;

use alluvium_checkpoint::{Dtype, NameMap, Tensor as Stored, Values as Numbers};
use burn::tensor::Device;
use serde::Deserialize;
use serde_json::Value;

use super::host;
use crate::{BackboneConfig, InputShape, Inputs, Values, Weights};

/// The tolerance for an output. The outputs of a fixture are of order 1.
const TOLERANCE: f64 = 1e-4;

/// The file that a generator writes. `fixture.py` beside this file writes the same format.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixture {
    /// The script that wrote it, and the versions of its libraries.
    generator: String,
    /// The `[backbone]` table.
    options: Value,
    /// The batch, then the sizes of an input.
    inputs: Vec<usize>,
    /// The shapes of PyTorch's tensors by their names.
    tensors: BTreeMap<String, Vec<usize>>,
    layers: Vec<Layer>,
}

/// A layer's output, flat: some of its values at even distances, and means over all of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Layer {
    mean: f64,
    mean_square: f64,
    every: usize,
    values: Vec<f64>,
}

/// Checks a backbone against a fixture: the JSON text that a generator wrote with PyTorch. It has the names and shapes of
/// PyTorch's tensors and the outputs of every layer. `names` maps the names to ours, as for a file of weights.
///
/// Weights and inputs are not stored. Each value is `middle` + `spread` · u, where u in [−1, 1) depends on the name of the
/// tensor and the index of the value. `fill` gives middle and spread for a name and a shape; the inputs are called `inputs`.
/// The generator fills its tensors in the same way, see [`spread`].
///
/// # Panics
/// When the outputs differ. The message names options and layer.
pub fn check_fixture(json: &str, names: &NameMap, fill: impl Fn(&str, &[usize]) -> (f64, f64)) {
    let fixture: Fixture = serde_json::from_str(json).unwrap_or_else(|error| panic!("not a fixture: {error}"));
    let Fixture { generator, options, inputs, tensors, layers } = &fixture;
    let filled = |name: &str, shape: &[usize]| {
        let (middle, spread) = fill(name, shape);
        let values = numbers(name, shape.iter().product()).map(|number| (middle + spread * number) as f32);
        values.collect::<Vec<_>>()
    };

    let compute = Device::flex();
    let config: Box<dyn BackboneConfig> =
        serde_json::from_value(options.clone()).unwrap_or_else(|error| panic!("{options}: {error}"));
    let input = InputShape::try_from(&inputs[1..]).unwrap_or_else(|error| panic!("{options}: {error}"));
    let mut backbone = config.build(input, &compute).expect("it can be built");
    // Refuses a tensor that is missing, unknown or of another shape.
    let written = backbone.set_parameters(&weights(tensors, names, filled));
    written.unwrap_or_else(|error| panic!("{options}: {error}"));

    let inputs = Inputs::from_values(filled("inputs", inputs), input, &compute);
    let outputs = backbone.forward_layers(inputs.clone());
    assert!(!layers.is_empty() && outputs.len() == layers.len(), "{options}: {} layers", outputs.len());
    let latents = backbone.forward(inputs);
    for (index, (output, expected)) in
        outputs.into_iter().chain([latents]).zip(layers.iter().chain(layers.last())).enumerate()
    {
        let found: Vec<_> = host(output).into_iter().map(f64::from).collect();
        let mean =
            |values: &dyn Fn(f64) -> f64| found.iter().map(|value| values(*value)).sum::<f64>() / found.len() as f64;
        let means = [(mean(&|value| value), expected.mean), (mean(&|value| value * value), expected.mean_square)];
        let stored: Vec<_> = found.iter().copied().step_by(expected.every).collect();
        assert_eq!(stored.len(), expected.values.len(), "{options}: layer {index}");
        for (found, expected) in stored.into_iter().zip(expected.values.iter().copied()).chain(means) {
            let near = (found - expected).abs() < TOLERANCE;
            assert!(near, "{options}: layer {index} has {found}, {generator} has {expected}");
        }
    }
}

/// Middle and spread of a tensor for [`check_fixture`]. Weights shrink with their fan-in, by √(`gain` / fan-in), so that outputs
/// stay of order 1. Scales and running variances are near 1, everything else near 0. `fixture.py` has the same rule.
pub fn spread(name: &str, shape: &[usize], gain: f64) -> (f64, f64) {
    match shape {
        _ if name.ends_with("running_var") => (1.0, 0.5),
        [_, inner @ ..] if !inner.is_empty() => (0.0, (gain / inner.iter().product::<usize>() as f64).sqrt()),
        _ if name.ends_with("weight") => (1.0, 0.1),
        _ => (0.0, 0.1),
    }
}

/// Numbers in [−1, 1) that depend on a name, as in `fixture.py`.
fn numbers(name: &str, count: usize) -> impl Iterator<Item = f64> {
    let fnv = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    let seed = name.bytes().fold(0x811c_9dc5, fnv);
    (0..count as u32).map(move |index| {
        let mut x = seed.wrapping_add(index.wrapping_mul(0x9e37_79b9));
        x = (x ^ (x >> 16)).wrapping_mul(0x85eb_ca6b);
        x = (x ^ (x >> 13)).wrapping_mul(0xc2b2_ae35);
        x ^= x >> 16;
        f64::from(x) / f64::from(1u32 << 31) - 1.0
    })
}

/// The backbone's weights, converted from PyTorch's names and layout.
fn weights(
    tensors: &BTreeMap<String, Vec<usize>>,
    names: &NameMap,
    filled: impl Fn(&str, &[usize]) -> Vec<f32>,
) -> Weights {
    let mapping = names.apply(tensors.keys().map(String::as_str)).unwrap_or_else(|error| panic!("{error}"));
    let of_backbone = mapping.iter().filter(|(ours, _)| !ours.starts_with("head."));
    let weights = of_backbone.map(|(ours, foreign)| {
        let shape = tensors[foreign].clone();
        let stored = Stored { dtype: Dtype::F32, values: Numbers::Floats(filled(foreign, &shape)), shape };
        let turned = mapping.turned(ours, stored).unwrap_or_else(|error| panic!("{error}"));
        let Numbers::Floats(values) = turned.values else { unreachable!("floats stay floats") };
        (ours.to_owned(), Values::new(turned.shape, values))
    });
    weights.collect()
}

#[cfg(test)]
mod tests {
    use burn::module::Module;
    use burn::nn::{Linear, LinearConfig};
    use burn::tensor::Tensor;
    use serde::Serialize;
    use serde_json::json;

    use super::*;
    use crate::{Backbone, BoxedBackbone, ModelError};

    /// A backbone with one layer and one output.
    #[derive(Debug, Serialize, Deserialize)]
    struct OneNumber {}

    #[typetag::serde(name = "fixture-test")]
    impl BackboneConfig for OneNumber {
        fn build(&self, input: InputShape, compute: &Device) -> Result<BoxedBackbone, ModelError> {
            Ok(Box::new(OneLayer { layer: LinearConfig::new(input.values(), 1).init(compute) }))
        }
    }

    #[derive(Module, Debug)]
    struct OneLayer {
        layer: Linear,
    }

    impl Backbone for OneLayer {
        fn forward(&self, inputs: Inputs) -> Tensor<2> {
            self.layer.forward(inputs.vectors())
        }

        fn latent_size(&self) -> usize {
            1
        }
    }

    /// Inputs of two values 2, weights of 3 and a bias of 1 give 2·3 + 2·3 + 1 = 13; the fixture has `value`.
    fn check(value: f64) {
        let layer = json!({ "mean": value, "mean_square": value * value, "every": 1, "values": [value] });
        let fixture = json!({
            "generator": "by hand",
            "options": { "kind": "fixture-test" },
            "inputs": [1, 1, 1, 2],
            "tensors": { "fc.weight": [1, 2], "fc.bias": [1] },
            "layers": [layer],
        });
        let names =
            "transposed = [\"layer.weight\"]\n[names]\n\"fc.weight\" = \"layer.weight\"\n\"fc.bias\" = \"layer.bias\"";
        let fill = |name: &str, _: &[usize]| match name {
            "inputs" => (2.0, 0.0),
            "fc.weight" => (3.0, 0.0),
            _ => (1.0, 0.0),
        };
        check_fixture(&fixture.to_string(), &NameMap::parse(names).unwrap(), fill);
    }

    #[test]
    fn the_number_worked_out_by_hand_passes() {
        check(13.0);
    }

    #[test]
    #[should_panic(expected = "layer 0 has 13, by hand has 13.5")]
    fn another_number_is_named() {
        check(13.5);
    }
}
