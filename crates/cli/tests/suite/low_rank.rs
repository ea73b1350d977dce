//! Low-rank updates of the network, sent as differences and merged, against dense merging in numpy.
//!
//! The numbers are those of `tests/fixtures/low_rank.py`. Weights and factors follow its formulas.

use std::collections::BTreeMap;
use std::sync::Arc;

use alluvium_backbone_vit_tiny::VitTinyConfig;
use alluvium_model::{Expert, HeadSpec, LowRank, Manifest, ModelState, Seed, Values};
use alluvium_strategy::{Context, RunDescription, StrategyConfig};
use burn::tensor::Device;
use serde_json::json;

// Link the kinds.
use alluvium_strategy_task_arithmetic as _;
use alluvium_strategy_weight_averaging as _;

/// The weights with factors, in the order of the script.
const NAMES: [&str; 5] = [
    "backbone.blocks.0.attention.output.weight",
    "backbone.blocks.0.attention.qkv.weight",
    "backbone.blocks.0.mlp.first.weight",
    "backbone.blocks.0.mlp.second.weight",
    "backbone.patches.weight",
];

fn numbers(shape: &[usize], salt: usize) -> Values {
    let count = shape.iter().product();
    let number = |k: usize| (((31 * k + 17 * salt) % 257) as f32 - 128.0) / 256.0;
    Values::new(shape.to_vec(), (0..count).map(number).collect())
}

fn start() -> ModelState {
    let backbone = Arc::new(VitTinyConfig { patch_size: 4, depth: 1, width: 8, heads: 2 });
    let mut state = ModelState::initial(backbone, [1, 8, 8].into(), Seed::new(0), &Device::flex()).unwrap();
    for (salt, name) in NAMES.into_iter().enumerate() {
        let shape = state.weights.get(name).unwrap().shape.clone();
        state.weights.insert(name, numbers(&shape, salt));
    }
    state
}

/// What the centre receives from the device with this number, from 1: the bytes of a difference, read beside the parent.
fn received(parent: &ModelState, number: usize) -> (Expert, usize) {
    let head = HeadSpec { name: format!("task-{number}"), classes: vec![2 * number, 2 * number + 1] };
    let mut model = parent.clone();
    model.grow_head(&head, 8, Seed::new(number as u64));
    let factors = NAMES.into_iter().enumerate().map(|(salt, name)| {
        let shape = &parent.weights.get(name).unwrap().shape;
        let (rows, columns) = (shape[0], shape[1..].iter().product());
        let (left, right) = (numbers(&[rows, 2], salt + number), numbers(&[2, columns], salt + number + 5));
        (name.to_owned(), LowRank { left, right, scale: 6.0 / 2.0 })
    });
    let manifest = Manifest {
        task: number - 1,
        task_name: head.name,
        samples: 1,
        steps: 1,
        parent: parent.digest(),
        digest: model.digest(),
        statistics: BTreeMap::new(),
    };
    let expert = Expert::difference(parent, model, factors.collect(), manifest).unwrap();
    let bytes = expert.to_bytes().unwrap();
    (Expert::received(&bytes, parent).unwrap(), bytes.len())
}

#[test]
fn merged_updates_are_those_of_dense_weights() {
    let expected: BTreeMap<String, BTreeMap<String, Vec<f32>>> =
        serde_json::from_str(include_str!("../fixtures/low_rank.json")).unwrap();
    let start = start();
    let experts = [1, 2].map(|number| received(&start, number));
    for (_, bytes) in &experts {
        // Five weights of 896 numbers are sent as 2·(16 + 32 + 40 + 40 + 24) = 304.
        assert!(*bytes < start.to_bytes().unwrap().len(), "{bytes}");
    }
    for options in [
        json!({"kind": "weight-averaging"}),
        json!({"kind": "task-arithmetic", "scaling": 0.4, "relative_to": "initial"}),
    ] {
        let config: Box<dyn StrategyConfig> = serde_json::from_value(options.clone()).unwrap();
        let mut strategy = config.build(&RunDescription::default()).unwrap();
        let mut central = start.clone();
        for (device, (expert, _)) in experts.iter().enumerate() {
            let mut context = Context::new(&Device::flex(), Seed::new(0), device);
            central = strategy.consolidate(&central, expert, &mut context).unwrap();
        }
        for (name, expected) in &expected[options["kind"].as_str().unwrap()] {
            let found = central.weights.get(name).unwrap().as_f32().unwrap();
            let near = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-5 * b.abs().max(1.0);
            assert!(found.len() == expected.len() && found.iter().zip(expected).all(near), "{options}, {name}");
        }
    }
}
