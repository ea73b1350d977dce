//! Tests of the distances, on a model whose only layers are batch normalisations.

use std::sync::Arc;

use alluvium_model::{BackboneFacts, Expert, HeadSpec, Manifest, ModelState, Seed};

use super::*;
use crate::RunDescription;
use crate::conformance::NormsConfig;

/// One channel of two pixels.
pub(crate) const INPUT: [usize; 3] = [1, 1, 2];

/// A model with these heads, and these running statistics of its first normalisation. Those of the second are 0 and 1.
pub(crate) fn model(heads: &[&str], mean: f32, variance: f32) -> ModelState {
    let seed = Seed::new(0);
    let mut state = ModelState::initial(Arc::new(NormsConfig {}), INPUT.into(), seed, &Device::flex()).unwrap();
    for name in heads {
        state.grow_head(&HeadSpec { name: (*name).to_owned(), classes: vec![0, 1] }, 2, seed);
    }
    for (statistic, value) in [("running_mean", mean), ("running_var", variance)] {
        state.weights.insert(format!("backbone.first.{statistic}"), Values::new(vec![1], vec![value]));
    }
    state
}

/// An expert with this model.
pub(crate) fn expert(model: ModelState) -> Expert {
    let digest = model.digest();
    let (task_name, parent) = ("b".to_owned(), digest.clone());
    let manifest =
        Manifest { task: 0, task_name, samples: 1, steps: 1, parent, digest, statistics: Default::default() };
    Expert::new(model, manifest).unwrap()
}

/// A run with such models.
pub(crate) fn run() -> RunDescription {
    let facts = BackboneFacts::of(&NormsConfig {}, INPUT.into(), &Device::flex()).unwrap();
    RunDescription { input: Some(INPUT.into()), backbone: Some(facts.into()), ..Default::default() }
}

fn loaded(mean: f32, variance: f32) -> Model {
    let mut model = Model::load(&model(&["a"], mean, variance), &Device::flex()).unwrap();
    model.freeze_training_behaviour();
    model
}

fn inputs(values: &[f32], compute: &Device) -> Inputs {
    Inputs::from_values(values.to_vec(), INPUT.into(), compute)
}

#[test]
fn the_distance_of_an_input_worked_out_by_hand() {
    let (model, compute) = (loaded(2.0, 4.0), Device::flex());
    let running = RunningStatistics::of(&model, &compute);
    assert_eq!((running.len(), running.is_empty()), (2, false));
    // 1, 5: mean 3, deviation 2. First: ((3 − 2)² + (2 − 2)²)/(4 + 0.04) = 0.247524. It becomes −0.5, 1.5: mean 0.5, deviation 1.
    // Second: (0.5² + 0²)/(1 + 0.01) = 0.247525. The mean of both is 0.24752.
    // 2, 2: mean 2, deviation 0. First: 2²/4.04 = 0.990099; it becomes 0, 0. Second: 1/1.01 = 0.990099.
    let found = running.of_each(&model, inputs(&[1.0, 5.0, 2.0, 2.0], &compute));
    assert_eq!(found.len(), 2);
    for (found, expected) in found.iter().zip([0.24752, 0.99010]) {
        assert!((found - expected).abs() < 2e-5, "{found} for {expected}");
    }
}

#[test]
fn a_channel_that_never_varied_does_not_decide_alone() {
    let compute = Device::flex();
    let x = Tensor::<4>::from_floats([[[[1.0, 3.0]], [[0.1, 0.1]]]], &compute);
    // The mean variance is 0.5, so the floor is 0.005. First channel: mean 2, deviation 1, at distance 4/1.005 = 3.98010; second
    // one: 0.1²/0.005 = 2, with ε 1.99601. Their mean is 2.98804. Without the floor, the second one would have 0.01/1e-5 = 1000.
    let running = Running::new(&[0.0, 0.0], &[1.0, 0.0], &compute);
    let found = running.relative(x, &[2, 3]).into_scalar::<f32>();
    assert!((found - 2.98804).abs() < 1e-3, "{found}");
}

#[test]
fn the_distances_of_a_batch_worked_out_by_hand() {
    let compute = Device::flex();
    // One channel with the values 1, 3, 1, 3 in two samples of two pixels: mean 2, variance 1.
    let x = Tensor::<4>::from_floats([[[[1.0, 3.0]]], [[[1.0, 3.0]]]], &compute);
    // From 5 and 0: 3 + 1.
    let norms = Running::new(&[5.0], &[0.0], &compute).norms(x.clone()).into_scalar::<f32>();
    assert!((norms - 4.0).abs() < 1e-5, "{norms}");
    // From 5 and 4: (3² + (1 − 2)²)/4.04001 = 2.47524.
    let relative = Running::new(&[5.0], &[4.0], &compute).relative(x, &[0, 2, 3]);
    assert_eq!(relative.dims(), [1]);
    let relative = relative.into_scalar::<f32>();
    assert!((relative - 2.47524).abs() < 1e-4, "{relative}");
}

#[test]
fn the_gradient_of_a_batchs_distance_is_that_of_finite_differences() {
    // The values' own mean is 0.5. There, a norm would have a kink.
    let (model, compute) = (loaded(0.1, 2.0), Device::flex());
    let tracked = compute.clone().autodiff();
    let running = RunningStatistics::of(&model, &tracked);
    let values = [0.3, -1.2, 2.5, 0.7, -0.4, 1.1];
    for distance in [StatisticsDistance::Norms, StatisticsDistance::Relative] {
        let loss = |inputs: Inputs| {
            let mut parts = vec![];
            model.forward_normalised(inputs, &mut |name, x| parts.extend(running.of_batch(distance, name, x)));
            assert_eq!(parts.len(), 2);
            parts.into_iter().reduce(|a, b| a + b).unwrap()
        };
        let leaf = inputs(&values, &compute).vectors().autodiff().require_grad();
        let gradients = loss(Inputs::new(leaf.clone(), INPUT.into())).backward();
        let found = leaf.grad(&gradients).unwrap().into_data().try_into_vec::<f32>().unwrap();
        for index in 0..values.len() {
            let at = |step: f32| {
                let mut moved = values;
                moved[index] += step;
                loss(inputs(&moved, &compute).map(|values| values.autodiff())).into_scalar::<f32>()
            };
            let expected = (at(0.01) - at(-0.01)) / 0.02;
            let error = (found[index] - expected).abs();
            assert!(error < 2e-3 * expected.abs().max(1.0), "{distance:?}, {index}: {} for {expected}", found[index]);
        }
    }
}
