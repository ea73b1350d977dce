//! 50 steps of every optimiser against PyTorch, with schedule, warm-up, clipping and decay, and both averages.
//!
//! The weights after the last step are those of `tests/fixtures/optimisers.py`. Weights, inputs and labels follow its formulas.

use std::collections::BTreeMap;
use std::sync::Arc;

use alluvium_backbone_mlp::MlpConfig;
use alluvium_device::cross_entropy;
use alluvium_model::{
    AdamOptions, Average, HeadSpec, Inputs, Learning, Model, ModelError, ModelState, OptimizerKind, Schedule, Values,
};
use burn::tensor::{Device, Int, Tensor, TensorData};

const STEPS: usize = 50;
const BATCH: usize = 16;
const INPUTS: usize = 12;
const HIDDEN: [usize; 2] = [10, 8];
const CLASSES: usize = 3;

/// Weights and biases of each layer.
type Layers = Vec<(Vec<f32>, Vec<f32>)>;

fn numbers(count: usize, salt: usize) -> Vec<f32> {
    (0..count).map(|k| (((31 * k + 17 * salt) % 257) as f32 - 128.0) / 256.0).collect()
}

/// The names of the layers' tensors.
const LAYERS: [&str; 3] = ["backbone.layers.0", "backbone.layers.1", "heads.own"];

fn network() -> ModelState {
    let backbone = Arc::new(MlpConfig { layers: HIDDEN.to_vec() });
    let mut state = ModelState::bare(backbone, [1, 1, INPUTS].into());
    state.heads = vec![HeadSpec { name: "own".to_owned(), classes: (0..CLASSES).collect() }];
    let sizes = [INPUTS, HIDDEN[0], HIDDEN[1], CLASSES];
    for (layer, name) in LAYERS.iter().enumerate() {
        let (inputs, outputs) = (sizes[layer], sizes[layer + 1]);
        let weight = Values::new(vec![inputs, outputs], numbers(inputs * outputs, 2 * layer));
        state.weights.insert(format!("{name}.weight"), weight);
        state.weights.insert(format!("{name}.bias"), Values::new(vec![outputs], numbers(outputs, 2 * layer + 1)));
    }
    state
}

fn trained(settings: &Learning) -> ModelState {
    let learning = Device::flex().autodiff();
    let mut model = Model::load(&network(), &learning).unwrap();
    let taken = settings.descend(&mut model, STEPS, |step, model| {
        let inputs: Vec<f32> = numbers(BATCH * INPUTS, 100 + step).iter().map(|number| 2.0 * number).collect();
        let inputs = Inputs::from(Tensor::<4>::from_data(TensorData::new(inputs, [BATCH, 1, 1, INPUTS]), &learning));
        let labels: Vec<i32> = (0..BATCH).map(|k| ((k * k + step) % CLASSES) as i32).collect();
        let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [BATCH]), &learning);
        Ok::<_, ModelError>(Some(cross_entropy(model.forward(inputs), labels)))
    });
    assert_eq!(taken.unwrap(), STEPS);
    model.state()
}

/// Fails unless every tensor is within 1e-5 of PyTorch's, relative to its norm.
fn assert_equal(case: &str, settings: &Learning) {
    let cases: BTreeMap<String, Layers> = serde_json::from_str(include_str!("fixtures/optimisers.json")).unwrap();
    let state = trained(settings);
    assert_ne!(state.weights, network().weights);
    for (name, (weight, bias)) in LAYERS.iter().zip(&cases[case]) {
        for (part, expected) in [("weight", weight), ("bias", bias)] {
            let found = state.weights.get(&format!("{name}.{part}")).unwrap().as_f32().unwrap();
            let norm = |values: &mut dyn Iterator<Item = f32>| values.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
            let away = norm(&mut found.iter().zip(expected).map(|(a, b)| a - b));
            let size = norm(&mut expected.iter().copied());
            assert!(
                away <= 1e-5 * size,
                "{case}, {name}.{part}: {:e} away: {found:?}, expected {expected:?}",
                away / size
            );
        }
    }
}

#[test]
fn sgd_with_momentum() {
    assert_equal(
        "sgd",
        &Learning {
            learning_rate: 0.1,
            weight_decay: 0.01,
            schedule: Schedule::Cosine,
            warmup: 0.1,
            gradient_clip: 1.0,
            ..Learning::default()
        },
    );
}

#[test]
fn adam() {
    let options = AdamOptions { beta1: 0.8, beta2: 0.99, epsilon: 1e-7 };
    assert_equal(
        "adam",
        &Learning {
            optimizer: OptimizerKind::Adam(options),
            weight_decay: 0.01,
            schedule: Schedule::Linear,
            warmup: 0.2,
            gradient_clip: 0.5,
            ..Learning::default()
        },
    );
}

#[test]
fn adamw() {
    assert_equal(
        "adamw",
        &Learning {
            optimizer: OptimizerKind::AdamW(AdamOptions::default()),
            weight_decay: 0.1,
            schedule: Schedule::Cosine,
            warmup: 0.1,
            gradient_clip: 1.0,
            ..Learning::default()
        },
    );
}

#[test]
fn both_averages() {
    let average = Some(Average::Exponential { decay: 0.9 });
    assert_equal("exponential", &Learning { learning_rate: 0.05, average, ..Learning::default() });
    let optimizer = OptimizerKind::Adam(AdamOptions::default());
    let average = Some(Average::Last { steps: 10 });
    assert_equal("last", &Learning { optimizer, learning_rate: 0.005, average, ..Learning::default() });
}
