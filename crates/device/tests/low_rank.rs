//! Low-rank updates: the first step in closed form, on fully connected layers and on convolutions; what learns, and what stays.

use std::collections::BTreeMap;
use std::sync::Arc;

use alluvium_backbone_mlp::MlpConfig;
use alluvium_backbone_small_cnn::SmallCnnConfig;
use alluvium_device::cross_entropy;
use alluvium_model::{
    BackboneConfig, HeadSpec, InputShape, Inputs, Learning, LowRank, LowRankSettings, Model, ModelError, ModelState,
    Seed, Weights,
};
use burn::tensor::{Device, Int, Tensor, TensorData};

const INPUT: [usize; 3] = [1, 8, 8];

fn start(backbone: Arc<dyn BackboneConfig>) -> ModelState {
    let compute = Device::flex();
    let mut state = ModelState::initial(backbone, InputShape::from(INPUT), Seed::new(3), &compute).unwrap();
    let latent_size = Model::load(&state, &compute).unwrap().latent_size();
    state.grow_head(&HeadSpec { name: "own".to_owned(), classes: vec![0, 1] }, latent_size, Seed::new(3));
    state
}

/// The cross-entropy of four inputs.
fn loss(model: &Model) -> Tensor<1> {
    let learning = Device::flex().autodiff();
    let values: Vec<f32> = (0..256).map(|k| ((7 * k) % 31) as f32 / 15.5 - 1.0).collect();
    let inputs = Inputs::from(Tensor::<4>::from_data(TensorData::new(values, [4, 1, 8, 8]), &learning));
    cross_entropy(model.forward(inputs), Tensor::<1, Int>::from_ints([0, 1, 1, 0], &learning))
}

/// Model and factors after `steps` steps at the learning rate 0.1.
fn after(start: &ModelState, settings: &LowRankSettings, steps: usize) -> (ModelState, BTreeMap<String, LowRank>) {
    let mut model = Model::load(start, &Device::flex().autodiff()).unwrap();
    model.add_low_rank(settings, Seed::new(5));
    let learning = Learning { learning_rate: 0.1, momentum: 0.0, ..Learning::default() };
    let taken = learning.descend(&mut model, steps, |_, model| Ok::<_, ModelError>(Some(loss(model))));
    assert_eq!(taken.unwrap(), steps);
    model.into_state_and_factors()
}

/// The product of two matrices, row by row.
fn product(a: &[f32], b: &[f32], rows: usize, inner: usize, columns: usize) -> Vec<f64> {
    let cell = |at: usize| {
        let (row, column) = (at / columns, at % columns);
        (0..inner).map(|k| f64::from(a[row * inner + k]) * f64::from(b[k * columns + column])).sum()
    };
    (0..rows * columns).map(cell).collect()
}

fn turned(a: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..rows * columns).map(|at| a[at % rows * columns + at / rows]).collect()
}

fn assert_near(found: &[f32], expected: impl Iterator<Item = f64>, what: &str) {
    let expected: Vec<_> = expected.collect();
    let near = |(a, b): (&f32, &f64)| (f64::from(*a) - b).abs() <= 1e-6 + 1e-4 * b.abs();
    assert!(found.len() == expected.len() && found.iter().zip(&expected).all(near), "{what}: {found:?}, {expected:?}");
}

#[test]
fn the_first_step_of_both_factors_has_a_closed_form() {
    let settings = LowRankSettings { rank: 2, alpha: 6.0, ..Default::default() };
    let backbones: [Arc<dyn BackboneConfig>; 2] =
        [Arc::new(MlpConfig { layers: vec![12, 10] }), Arc::new(SmallCnnConfig::default())];
    for backbone in backbones {
        let start = start(backbone);
        let dense = Model::load(&start, &Device::flex().autodiff()).unwrap();
        let gradients = dense.gradients(loss(&dense));
        let (untouched, before) = after(&start, &settings, 0);
        assert_eq!(untouched.weights, start.weights);
        let (_, step) = after(&start, &settings, 1);
        assert!(before.len() >= 2 && before.keys().eq(step.keys()), "{:?}", before.keys());
        for (name, before) in &before {
            let (step, gradient) = (&step[name], gradients[name].to_data().try_into_vec::<f32>().unwrap());
            let (rows, columns) = (before.left.shape[0], before.right.shape[1]);
            let own = |factors: &LowRank| [&factors.left, &factors.right].map(|one| one.as_f32().unwrap().to_vec());
            let ([left, right], [new_left, new_right]) = (own(before), own(step));
            // W + s·L·R with s = 6/2: ∂/∂R = s·Lᵀ·G, ∂/∂L = s·G·Rᵀ, and a step of 0.1 down.
            let of_right = product(&turned(&left, rows, 2), &gradient, 2, rows, columns);
            let of_left = product(&gradient, &turned(&right, 2, columns), rows, columns, 2);
            let moved = |old: &[f32], slope: &[f64]| {
                old.iter().zip(slope).map(|(old, slope)| f64::from(*old) - 0.1 * 3.0 * slope).collect::<Vec<_>>()
            };
            assert_near(&new_right, moved(&right, &of_right).into_iter(), name);
            assert_near(&new_left, moved(&left, &of_left).into_iter(), name);
            assert_ne!(own(before), own(step), "{name}");
        }
    }
}

/// The names of the tensors that differ.
fn changed(before: &Weights, after: &Weights) -> Vec<String> {
    let differs = |(name, tensor): &(&str, &alluvium_model::Values)| before.get(name) != Some(*tensor);
    after.iter().filter(differs).map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn only_factors_and_what_is_named_learn() {
    let start = start(Arc::new(MlpConfig { layers: vec![12, 10] }));
    let (state, factors) = after(&start, &LowRankSettings { rank: 2, ..Default::default() }, 3);
    assert_eq!(changed(&start.weights, &state.weights), ["heads.own.bias", "heads.own.weight"]);
    assert_eq!(factors.keys().collect::<Vec<_>>(), ["backbone.layers.0.weight", "backbone.layers.1.weight"]);

    let settings = LowRankSettings {
        rank: 2,
        weights: vec!["*.0.weight".into()],
        whole: vec!["*.bias".into()],
        ..Default::default()
    };
    let (state, factors) = after(&start, &settings, 3);
    let expected = ["backbone.layers.0.bias", "backbone.layers.1.bias", "heads.own.bias", "heads.own.weight"];
    assert_eq!(changed(&start.weights, &state.weights), expected);
    assert_eq!(factors.keys().collect::<Vec<_>>(), ["backbone.layers.0.weight"]);

    // 6·(12 + 10) = 132 numbers would stand for 120: the second layer learns whole.
    let (state, factors) = after(&start, &LowRankSettings { rank: 6, ..Default::default() }, 3);
    assert!(changed(&start.weights, &state.weights).contains(&"backbone.layers.1.weight".to_owned()));
    assert_eq!(factors.keys().collect::<Vec<_>>(), ["backbone.layers.0.weight"]);
}

#[test]
fn frozen_parameters_stay_and_the_rest_learns() {
    let start = start(Arc::new(MlpConfig { layers: vec![12, 10] }));
    let mut model = Model::load(&start, &Device::flex().autodiff()).unwrap();
    let freeze = vec!["backbone.layers.0.*".into(), "*.bias".into()];
    let learning = Learning { weight_decay: 0.1, freeze, ..Learning::default() };
    learning.descend(&mut model, 3, |_, model| Ok::<_, ModelError>(Some(loss(model)))).unwrap();
    let expected = ["backbone.layers.1.weight", "heads.own.weight"];
    assert_eq!(changed(&start.weights, &model.state().weights), expected);
}
