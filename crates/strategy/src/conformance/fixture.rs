//! Consolidations computed by another program: a fixture holds devices and the central model after each of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use alluvium_model::{Expert, Manifest, ModelState, Seed, Values, Weights};
use burn::tensor::Device;
use serde::Deserialize;
use serde_json::Value;

use super::doubles::{INPUT, TinyConfig, head, run_description};
use crate::{Context, StrategyConfig};

/// The tolerance for a weight: absolute up to a size of 1, relative above.
const TOLERANCE: f64 = 1e-5;

/// The file that a generator writes. `fixture.py` beside this file writes the same format.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixture {
    /// The script that wrote it.
    generator: String,
    /// The cell's seed.
    seed: u64,
    /// The weights of the central model before the first device.
    initial: BTreeMap<String, Tensor>,
    experts: Vec<Sender>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tensor {
    shape: Vec<usize>,
    values: Vec<f32>,
}

/// One device's expert: the name of its head, the device's number of samples, all weights, and the statistics by their
/// names.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sender {
    head: String,
    #[serde(default = "ten")]
    samples: usize,
    weights: BTreeMap<String, Tensor>,
    #[serde(default)]
    statistics: BTreeMap<String, BTreeMap<String, Tensor>>,
}

/// One set of options, and the central model after each device. With `rounds`, which holds the number of experts of each
/// round, it is the central model after each round.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    options: Value,
    #[serde(default)]
    rounds: Option<Vec<usize>>,
    centres: Vec<BTreeMap<String, Tensor>>,
}

fn ten() -> usize {
    10
}

/// Checks a strategy that needs no data against a fixture: the JSON text that a generator wrote from the paper's
/// equations. Before each device the strategy is built again and restores its own state.
///
/// # Panics
/// When a number differs. The message names options, device and tensor.
pub fn check_fixture(json: &str) {
    let fixture: Fixture = serde_json::from_str(json).unwrap_or_else(|error| panic!("not a fixture: {error}"));
    let experts: Vec<_> = fixture.experts.iter().map(expert).collect();
    assert!(experts.len() >= 3 && !fixture.cases.is_empty(), "{}: too little to compare", fixture.generator);
    for case in &fixture.cases {
        let build = || -> Box<dyn StrategyConfig> {
            serde_json::from_value(case.options.clone()).unwrap_or_else(|error| panic!("{}: {error}", case.options))
        };
        let rounds = case.rounds.clone().unwrap_or_else(|| vec![1; experts.len()]);
        assert_eq!(case.centres.len(), rounds.len(), "{}: one central model a device, or a round", case.options);
        assert_eq!(rounds.iter().sum::<usize>(), experts.len(), "{}: every expert has its round", case.options);
        let mut state = Default::default();
        let mut central = model(&[], &fixture.initial);
        let mut device = 0;
        for (size, expected) in rounds.into_iter().zip(&case.centres) {
            let mut strategy = super::doubles::build(build().as_ref(), &run_description());
            if device > 0 {
                strategy.restore(state).unwrap_or_else(|error| panic!("its own state must be restored: {error}"));
            }
            let mut context = Context::new(&Device::flex(), Seed::new(fixture.seed), device);
            let of_round: Vec<_> = experts[device..device + size].iter().collect();
            let consolidated = match case.rounds {
                None => strategy.consolidate(&central, of_round[0], &mut context),
                Some(_) => strategy.consolidate_round(&central, &of_round, &mut context),
            };
            central = consolidated.unwrap_or_else(|error| panic!("the strategy must consolidate: {error}"));
            state = strategy.state();
            device += size;
            let prefix = format!("{} after device {}", case.options, device - 1);
            assert_close(&central.weights, &weights(expected), &prefix);
        }
    }
}

fn weights(tensors: &BTreeMap<String, Tensor>) -> Weights {
    tensors.iter().map(|(name, t)| (name.clone(), Values::new(t.shape.clone(), t.values.clone()))).collect()
}

fn model(heads: &[&str], tensors: &BTreeMap<String, Tensor>) -> ModelState {
    let heads = heads.iter().map(|name| head(name)).collect();
    ModelState { heads, weights: weights(tensors), ..ModelState::bare(Arc::new(TinyConfig {}), INPUT.into()) }
}

fn expert(device: &Sender) -> Expert {
    let model = model(&[&device.head], &device.weights);
    let digest = model.digest();
    let (task_name, parent) = (device.head.clone(), digest.clone());
    let manifest = Manifest {
        task: 0,
        task_name,
        samples: device.samples,
        steps: 5,
        parent,
        digest,
        statistics: Default::default(),
    };
    let expert = Expert::new(model, manifest).expect("the manifest was made from the model");
    expert.with_statistics(device.statistics.iter().map(|(name, sent)| (name.clone(), weights(sent))).collect())
}

/// Compares weights with the expected ones. The tolerance is 10⁻⁵, absolute up to a size of 1 and relative above. The message
/// begins with `prefix`.
///
/// # Panics
/// When a tensor is missing, has another shape or holds another number; the message names it.
pub fn assert_close(found: &Weights, expected: &Weights, prefix: &str) {
    let compare = |name: &str, found: &Values, expected: &Values| {
        for (index, (found, expected)) in found.numbers.exact().iter().zip(&*expected.numbers.exact()).enumerate() {
            let near = (found - expected).abs() <= TOLERANCE * expected.abs().max(1.0);
            assert!(near, "{prefix}: `{name}`[{index}] is {found}, expected {expected}");
        }
        found.numbers.clone()
    };
    found.combine_named(expected, compare).unwrap_or_else(|error| panic!("{prefix}: {error}"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DataAccess, RunDescription, Strategy, StrategyError};
    use serde::Serialize;
    use serde_json::json;

    /// Returns each expert unchanged.
    #[derive(Debug, Serialize, Deserialize)]
    struct Newest {}

    #[typetag::serde(name = "fixture-test")]
    impl StrategyConfig for Newest {
        fn data_access(&self) -> DataAccess {
            DataAccess::None
        }

        fn build(&self, _run: &RunDescription) -> Result<Box<dyn Strategy>, StrategyError> {
            Ok(Box::new(Newest {}))
        }
    }

    impl Strategy for Newest {
        fn consolidate(
            &mut self,
            _previous: &ModelState,
            expert: &Expert,
            _context: &mut Context<'_>,
        ) -> Result<ModelState, StrategyError> {
            Ok(expert.model.clone())
        }
    }

    /// Three devices; the central model after the last one should be `last`.
    fn fixture(last: f32) -> String {
        let weights = |value: f32| json!({ "backbone.w": { "shape": [2], "values": [0.5, value] } });
        let experts = [1.0, 2.0, 3.0].map(|value| json!({ "head": "a", "weights": weights(value) }));
        let centres = [weights(1.0), weights(2.0), weights(last)];
        let case = json!({ "options": { "kind": "fixture-test" }, "centres": centres });
        json!({ "generator": "", "seed": 0, "initial": weights(0.0), "experts": experts, "cases": [case] }).to_string()
    }

    #[test]
    fn numbers_within_the_tolerance_pass() {
        check_fixture(&fixture(3.00002));
    }

    #[test]
    #[should_panic(expected = "after device 2: `backbone.w`[1] is 3, expected 3.5")]
    fn another_number_is_named() {
        check_fixture(&fixture(3.5));
    }
}
