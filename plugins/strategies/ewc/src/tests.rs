//! The conformance tests; the penalty by hand; the strategy holds weights that mattered, and restores its state.

use std::collections::BTreeMap;

use alluvium_model::{Learning, Seed, Values, Weights};
use alluvium_strategy::conformance::{central, check, check_config, expert, samples};
use alluvium_strategy::{
    ClassificationLoss, Context, DataAccess, Expert, FisherLabels, ModelState, NewHead, RunDescription, Strategy,
    StrategyConfig, StrategyState, TaskDataset, TrainingSettings,
};
use burn::tensor::Device;

use super::{Ewc, Penalties};

#[test]
fn the_defaults_conform() {
    check("ewc");
}

#[test]
fn other_options_conform() {
    check_config(&Ewc { penalties: Penalties::Online, fisher_labels: FisherLabels::True, ..Default::default() });
    let learning = Learning { weight_decay: 0.01, momentum: 0.0, gradient_clip: 1.0, ..Default::default() };
    let training = TrainingSettings { new_head: NewHead::Fresh, learning, ..Default::default() };
    check_config(&Ewc { penalty_weight: 1e12, fisher_samples: 3, training, ..Default::default() });
    let training = TrainingSettings { loss: ClassificationLoss::AllHeads, ..Default::default() };
    check_config(&Ewc { training, ..Default::default() });
}

#[test]
fn it_needs_the_current_task_and_no_more() {
    assert_eq!(Ewc::default().data_access(), DataAccess::CurrentTask);
}

/// Consolidates the expert of device `device`.
fn next(strategy: &mut dyn Strategy, previous: &ModelState, head: &str, device: usize) -> ModelState {
    let (expert, own) = (expert(head, 1 + device as u64), samples(head));
    let task = TaskDataset { head: expert.head(), samples: &own };
    let mut context = Context::new(&Device::flex(), Seed::new(3), device).with_tasks(vec![task]);
    strategy.consolidate(previous, &expert, &mut context).unwrap()
}

/// The squared distance of two backbones.
fn moved(from: &ModelState, to: &ModelState) -> f32 {
    let squares = from.backbone_weights().combine(&to.backbone_weights(), |a, b| (a - b) * (a - b)).unwrap();
    squares.iter().flat_map(|(_, tensor)| tensor.as_f32().unwrap().to_vec()).sum()
}

#[test]
fn the_larger_the_penalty_the_less_what_mattered_moves() {
    let distance = |penalty_weight, penalties| {
        let learning = Learning { learning_rate: 0.001, ..Default::default() };
        let training = TrainingSettings { epochs: 200, learning, ..Default::default() };
        let config = Ewc { penalty_weight, penalties, training, ..Default::default() };
        let mut strategy = config.build(&RunDescription::default()).unwrap();
        let first = next(strategy.as_mut(), &central(&[], 0), "a", 0);
        let second = next(strategy.as_mut(), &first, "b", 1);
        // Weighted by F: weights that did not matter may move.
        let fisher = strategy_fisher(&config);
        let squares = first.backbone_weights().combine(&second.backbone_weights(), |a, b| (a - b) * (a - b)).unwrap();
        let weighed = squares.combine(&fisher, |square, fisher| square * fisher).unwrap();
        assert!(moved(&first, &second) > 0.0);
        weighed.iter().flat_map(|(_, tensor)| tensor.as_f32().unwrap().to_vec()).sum::<f32>()
    };
    for penalties in [Penalties::Separate, Penalties::Online] {
        let [none, some, strong] = [0.0, 100.0, 3000.0].map(|weight| distance(weight, penalties));
        assert!(some < 0.5 * none && strong < 0.01 * none, "{none}, {some}, {strong}");
    }
}

/// F of the backbone after the first device.
fn strategy_fisher(config: &Ewc) -> Weights {
    let mut strategy = config.build(&RunDescription::default()).unwrap();
    next(strategy.as_mut(), &central(&[], 0), "a", 0);
    strategy.state().weights.below("fisher").below("backbone")
}

#[test]
fn a_restored_strategy_goes_on_as_the_one_that_was_stored() {
    let config = Ewc::default();
    let mut strategy = config.build(&RunDescription::default()).unwrap();
    let first = next(strategy.as_mut(), &central(&[], 0), "a", 0);
    let state = strategy.state();
    // Two numbers for each weight.
    assert_eq!(state.weights.values(), 2 * first.weights.values());
    let stored = state.weights.to_safetensors(Default::default()).unwrap();

    let mut restored = config.build(&RunDescription::default()).unwrap();
    let weights = Weights::from_safetensors(&stored).unwrap().0;
    restored.restore(StrategyState { weights, values: state.values.clone() }).unwrap();
    assert_eq!(restored.state(), state);
    let after = next(strategy.as_mut(), &first, "b", 1);
    assert_eq!(next(restored.as_mut(), &first, "b", 1).weights, after.weights);
    assert_eq!(restored.state(), strategy.state());

    // The restored state changes the result.
    let mut empty = config.build(&RunDescription::default()).unwrap();
    assert_ne!(next(empty.as_mut(), &first, "b", 1).weights, after.weights);
}

#[test]
fn a_state_of_another_strategy_is_refused() {
    let mut strategy = Ewc::default().build(&RunDescription::default()).unwrap();
    for name in ["base.w", "fisher.w"] {
        let weights: Weights = [(name.to_owned(), Values::new(vec![1], vec![1.0]))].into_iter().collect();
        let error = strategy.restore(StrategyState { weights, ..Default::default() }).unwrap_err().to_string();
        assert!(error.contains("cannot be restored"), "{error}");
    }
}

fn one(value: f32) -> Weights {
    [("backbone.w".to_owned(), Values::new(vec![1], vec![value]))].into_iter().collect()
}

/// F and θ* after two tasks.
fn after(penalties: Penalties) -> (f32, f32) {
    let mut ewc = Ewc { penalties, decay: 0.5, ..Default::default() };
    ewc.add(&one(3.0), &one(1.0)).unwrap();
    ewc.add(&one(1.0), &one(5.0)).unwrap();
    let value = |weights: &Weights| weights.get("backbone.w").unwrap().as_f32().unwrap()[0];
    (value(&ewc.fisher), value(&ewc.anchors))
}

#[test]
fn separate_penalties_are_one_around_the_mean() {
    // 3(θ − 1)² + (θ − 5)² = 4θ² − 16θ + 28 = 4(θ − 2)² + 12
    assert_eq!(after(Penalties::Separate), (4.0, 2.0));
}

#[test]
fn online_the_old_one_decays_and_the_newest_weights_are_the_anchor() {
    // 0.5·3 + 1 = 2.5
    assert_eq!(after(Penalties::Online), (2.5, 5.0));
}

#[test]
fn a_weight_that_never_mattered_is_anchored_anywhere() {
    let mut ewc = Ewc::default();
    ewc.add(&one(0.0), &one(1.0)).unwrap();
    ewc.add(&one(0.0), &one(5.0)).unwrap();
    assert!(ewc.fisher.get("backbone.w").unwrap().as_f32().unwrap() == [0.0]);
    assert!(ewc.anchors.get("backbone.w").unwrap().as_f32().unwrap() == [5.0]);
}

/// A tensor of `tests/fixtures/ewc.json`.
#[derive(serde::Deserialize)]
struct Written {
    shape: Vec<usize>,
    values: Vec<f32>,
}

fn numbers(shape: &[usize], salt: usize) -> Values {
    let count = shape.iter().product();
    let number = |k: usize| (((31 * k + 17 * salt) % 257) as f32 - 128.0) / 256.0;
    Values::new(shape.to_vec(), (0..count).map(number).collect())
}

/// An expert with the weights of `tests/fixtures/generate.py`.
fn written_expert(head: &str, salt: usize) -> Expert {
    let mut expert = expert(head, 1);
    let tensors = [("backbone.layer", [6, 4], 0), (&*format!("heads.{head}"), [4, 2], salt)];
    for (name, shape, salt) in tensors {
        expert.model.weights.insert(format!("{name}.weight"), numbers(&shape, salt));
        expert.model.weights.insert(format!("{name}.bias"), numbers(&shape[1..], salt + 1));
    }
    expert
}

fn assert_written(found: &Weights, expected: &BTreeMap<String, Written>, tolerance: f32) {
    assert_eq!(found.len(), expected.len());
    for (name, expected) in expected {
        let found = found.get(name).unwrap();
        assert_eq!(found.shape, expected.shape);
        let near = |(a, b): (&f32, &f32)| (a - b).abs() <= tolerance * b.abs().max(0.1);
        let found = found.as_f32().unwrap();
        assert!(found.iter().zip(&expected.values).all(near), "{name}: {found:?}, expected {:?}", expected.values);
    }
}

#[test]
fn fisher_and_the_second_task_are_those_of_pytorch() {
    let expected: BTreeMap<String, BTreeMap<String, Written>> =
        serde_json::from_str(include_str!("../tests/fixtures/ewc.json")).unwrap();
    let learning = Learning { learning_rate: 0.05, ..Learning::default() };
    // All ten samples in every step.
    let training = TrainingSettings { epochs: 40, batch_size: 10, learning, ..Default::default() };
    let mut ewc = Ewc { penalty_weight: 30.0, training, ..Default::default() };
    let mut central = central(&[], 0);
    for (device, (head, salt)) in [("a", 2), ("b", 4)].into_iter().enumerate() {
        let (expert, own) = (written_expert(head, salt), samples(head));
        let task = TaskDataset { head: expert.head(), samples: &own };
        let mut context = Context::new(&Device::flex(), Seed::new(3), device).with_tasks(vec![task]);
        central = ewc.consolidate(&central, &expert, &mut context).unwrap();
        if device == 0 {
            assert_written(&ewc.fisher, &expected["fisher"], 1e-5);
        }
    }
    assert_written(&central.weights, &expected["second"], 1e-5);
}
