//! Tests of the merging: against numpy, and against numbers worked out by hand.

use alluvium_strategy::{Beside, RunDescription, StatisticRequest, TaskDataset, conformance};
use burn::tensor::Device;

use super::*;

#[test]
fn conforms() {
    conformance::check("fisher-merging");
    conformance::check_config(&FisherMergingConfig {
        fisher_labels: FisherLabels::Empirical,
        normalise: false,
        ..Default::default()
    });
}

/// The numbers are those of tests/fixtures/generate.py, written from the paper's equation.
#[test]
fn the_central_models_are_those_of_the_paper_s_equation() {
    conformance::check_fixture(include_str!("../tests/fixtures/devices.json"));
}

/// An expert for the head `a` whose every weight has this Fisher information.
fn expert(seed: u64, fisher: f32) -> Expert {
    let expert = conformance::expert("a", seed);
    let of = |(name, tensor): (&str, &Values)| {
        (name.to_owned(), Values::new(tensor.shape.clone(), vec![fisher; tensor.len()]))
    };
    let information = expert.model.weights.iter().map(of).collect();
    expert.with_statistics([(FISHER.to_owned(), information)].into())
}

/// Merges two experts, and compares each weight with `share` of the first and the rest of the second.
fn assert_share(config: FisherMergingConfig, fishers: [f32; 2], share: f64) {
    let mut strategy = config.build(&RunDescription::default()).unwrap();
    let [first, second] = [expert(1, fishers[0]), expert(2, fishers[1])];
    let initial = conformance::central(&[], 0);
    let before = strategy.consolidate(&initial, &first, &mut conformance::context()).unwrap();
    conformance::assert_close(&before.weights, &first.model.weights, "one expert");
    let after = strategy.consolidate(&before, &second, &mut conformance::context()).unwrap();
    let expected = first.model.weights.combine(&second.model.weights, |a, b| share * a + (1.0 - share) * b).unwrap();
    conformance::assert_close(&after.weights, &expected, &format!("{fishers:?}"));
}

#[test]
fn two_experts_by_hand() {
    let raw = FisherMergingConfig { normalise: false, ..Default::default() };
    // θ = (3θ₁ + 1θ₂) / (3 + 1) = ¾θ₁ + ¼θ₂, of the head that comes back too.
    assert_share(raw.clone(), [3.0, 1.0], 0.75);
    // F is 0 for both: both have the minimum, so the mean is plain.
    assert_share(raw.clone(), [0.0, 0.0], 0.5);
    // F is 0 only for the first: its share is 10⁻⁶ / (1 + 10⁻⁶).
    assert_share(raw, [0.0, 1.0], 1e-6);
    // With the same norm, the first counts as much as the second.
    assert_share(FisherMergingConfig::default(), [3.0, 1.0], 0.5);
}

#[test]
fn the_device_sends_one_number_for_each_of_its_weights() {
    let config = FisherMergingConfig::default();
    let expert = conformance::expert("a", 1);
    let samples = conformance::samples("a");
    let own = TaskDataset { head: expert.head(), samples: &samples };
    let [statistic] = config.statistics().try_into().unwrap();
    let compute = |seed| {
        let (taken, beside, compute) = (&expert.model, &Beside::new(), &Device::flex());
        let seed = alluvium_model::Seed::new(seed);
        statistic.compute(&StatisticRequest { taken, adapted: &expert.model, own, beside, compute, seed }).unwrap()
    };
    let sent = compute(1);
    assert_eq!(sent.values(), expert.model.weights.values());
    assert!(
        sent.combine(&expert.model.weights, |fisher, _| fisher).is_ok(),
        "names and shapes are those of the weights"
    );
    assert_eq!(sent, compute(1), "the same seed must draw the same labels");
    assert!(sent.iter().flat_map(|(_, tensor)| tensor.as_f32().unwrap()).all(|value| *value >= 0.0));
    assert!(root_mean_square(&sent) > 0.0);
}

#[test]
fn fisher_information_of_another_model_is_refused() {
    let mut strategy = FisherMergingConfig::default().build(&RunDescription::default()).unwrap();
    let other = Weights::from_iter([("backbone.layer.weight".to_owned(), Values::new(vec![2], vec![1.0; 2]))]);
    let expert = conformance::expert("a", 1).with_statistics([(FISHER.to_owned(), other)].into());
    let error = strategy.consolidate(&conformance::central(&[], 0), &expert, &mut conformance::context()).unwrap_err();
    assert!(error.to_string().contains("`backbone.layer.weight`"), "{error}");
}

#[test]
fn a_state_that_lacks_something_is_refused() {
    let mut strategy = FisherMergingConfig::default().build(&RunDescription::default()).unwrap();
    strategy.consolidate(&conformance::central(&[], 0), &expert(1, 1.0), &mut conformance::context()).unwrap();
    let mut state = strategy.state();
    state.weights = state.weights.iter().skip(1).map(|(name, tensor)| (name.to_owned(), tensor.clone())).collect();
    let error = strategy.restore(state).unwrap_err().to_string();
    assert!(error.contains("the stored state"), "{error}");
}
