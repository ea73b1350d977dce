//! Tests of the averaging: against numpy, and against numbers worked out by hand.

use alluvium_model::Values;
use alluvium_strategy::conformance::{self, assert_close, central, context, expert};

use super::*;

#[test]
fn conforms() {
    conformance::check("fedavg");
    conformance::check_config(&FedavgConfig {
        weighting: Weighting::Uniform,
        server_momentum: 0.9,
        server_learning_rate: 0.5,
    });
}

/// The numbers are those of tests/fixtures/generate.py, written from the papers' equations.
#[test]
fn the_central_models_are_those_of_the_papers_equations() {
    conformance::check_fixture(include_str!("../tests/fixtures/devices.json"));
}

/// An expert for the head `a`, from a device with `samples` samples. All its weights have the same value.
fn flat(value: f32, samples: usize) -> Expert {
    let mut expert = expert("a", 1);
    let same = |(name, tensor): (&str, &Values)| {
        (name.to_owned(), Values::new(tensor.shape.clone(), vec![value; tensor.len()]))
    };
    expert.model.weights = expert.model.weights.iter().map(same).collect();
    expert.manifest.samples = samples;
    expert
}

/// The value of all the centre's weights, which are the same.
fn value(central: &ModelState) -> f32 {
    let all: Vec<_> = central.weights.iter().flat_map(|(_, tensor)| tensor.as_f32().unwrap().to_vec()).collect();
    assert!(all.iter().all(|value| (value - all[0]).abs() < 1e-6), "{all:?}");
    all[0]
}

#[test]
fn two_clients_by_hand() {
    let round = |weighting, samples: [usize; 2]| {
        let mut strategy = FedavgConfig { weighting, ..Default::default() }.build(&RunDescription::default()).unwrap();
        let [one, other] = [flat(1.0, samples[0]), flat(5.0, samples[1])];
        value(&strategy.consolidate_round(&central(&[], 0), &[&one, &other], &mut context()).unwrap())
    };
    // (30·1 + 10·5) / 40 = 2; (1 + 5) / 2 = 3
    assert!((round(Weighting::Samples, [30, 10]) - 2.0).abs() < 1e-6);
    assert!((round(Weighting::Uniform, [30, 10]) - 3.0).abs() < 1e-6);
    assert!((round(Weighting::Samples, [0, 0]) - 3.0).abs() < 1e-6, "with 0 samples each, all experts count the same");
}

#[test]
fn momentum_by_hand() {
    let config = FedavgConfig { server_momentum: 0.5, server_learning_rate: 0.5, ..Default::default() };
    let mut strategy = config.build(&RunDescription::default()).unwrap();
    let start = flat(4.0, 1).model;
    // Δ = 4 − 2 = 2, v = 2, w = 4 − 0.5·2 = 3. Then Δ = 3 − 2 = 1, v = 0.5·2 + 1 = 2, w = 3 − 0.5·2 = 2.
    let first = strategy.consolidate_round(&start, &[&flat(2.0, 7)], &mut context()).unwrap();
    let second = strategy.consolidate_round(&first, &[&flat(2.0, 7)], &mut context()).unwrap();
    assert!((value(&first) - 3.0).abs() < 1e-6 && (value(&second) - 2.0).abs() < 1e-6);
}

#[test]
fn heads_that_nobody_brings_stay_and_new_ones_are_the_mean() {
    let mut strategy = FedavgConfig::default().build(&RunDescription::default()).unwrap();
    let previous = central(&["a", "b"], 9);
    let experts = [expert("a", 1), expert("c", 2), expert("c", 3)];
    let after = strategy.consolidate_round(&previous, &experts.each_ref(), &mut context()).unwrap();
    let names: Vec<_> = after.heads.iter().map(|head| head.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    let head = |model: &ModelState, name: &str| model.weights.below(&format!("heads.{name}"));
    assert_eq!(head(&after, "b"), head(&previous, "b"));
    assert_close(&head(&after, "a"), &head(&experts[0].model, "a"), "one expert has the head a");
    let mean = head(&experts[1].model, "c").combine(&head(&experts[2].model, "c"), |one, other| (one + other) / 2.0);
    assert_close(&head(&after, "c"), &mean.unwrap(), "two experts have the head c");
}

#[test]
fn what_does_not_fit_is_named_and_leaves_the_momentum_as_it_was() {
    let config = FedavgConfig { server_momentum: 0.9, ..Default::default() };
    let mut strategy = config.build(&RunDescription::default()).unwrap();
    let first = strategy.consolidate(&central(&[], 0), &expert("a", 1), &mut context()).unwrap();
    let state = strategy.state();
    assert!(!state.weights.is_empty());
    let mut other = expert("a", 2);
    other.model.weights.insert("backbone.layer.weight", Values::new(vec![2], vec![1.0; 2]));
    let error = strategy.consolidate(&first, &other, &mut context()).unwrap_err().to_string();
    assert!(error.contains("`backbone.layer.weight`"), "{error}");
    assert_eq!(strategy.state(), state);
    let error =
        FedavgConfig::default().build(&RunDescription::default()).unwrap().restore(state).unwrap_err().to_string();
    assert!(error.contains("`server_momentum` is 0"), "{error}");
}
