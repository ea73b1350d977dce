//! Merging files piece by piece gives bit for bit what the strategy computes from the same models in memory.

use std::ops::ControlFlow;

use alluvium_checkpoint::{Checkpoint, Dtype, Values, WriteOptions};
use alluvium_merge::Pass::{Merge, Survey};
use alluvium_merge::{Request, merge};
use alluvium_model::{Expert, HeadSpec, Manifest, ModelState, Seed, Weights};
use alluvium_strategy::{Context, RelativeTo, RunDescription, StrategyConfig, conformance};
use alluvium_strategy_dare::DareConfig;
use alluvium_strategy_fedavg::FedavgConfig;
use alluvium_strategy_magmax::MagMaxConfig;
use alluvium_strategy_naive::Naive;
use alluvium_strategy_opcm::OpcmConfig;
use alluvium_strategy_slerp::SlerpConfig;
use alluvium_strategy_task_arithmetic::TaskArithmeticConfig;
use alluvium_strategy_ties::TiesConfig;
use alluvium_strategy_weight_averaging::WeightAveraging;
use burn::tensor::Device;
use rand::RngExt as _;

use crate::files::{Files, NamedTensor, floats};

/// A model with tensors of all kinds. `embedding` is several pieces long.
fn tensors(seed: u64) -> Vec<NamedTensor> {
    let mut random = Seed::new(seed).random();
    let mut drawn = |name, shape: &[usize]| {
        let count = shape.iter().product();
        floats(name, shape, &(0..count).map(|_| random.random_range(-1.0..1.0)).collect::<Vec<f32>>())
    };
    let mut all = vec![
        drawn("embedding", &[300_001]),
        drawn("layer.weight", &[12, 10]),
        drawn("layer.bias", &[12]),
        drawn("scale", &[]),
        drawn("nothing", &[0, 4]),
    ];
    let variance = |n: usize| 0.1 + (n as f32) / (seed as f32 + 1.0);
    all.push(floats("norm.running_var", &[12], &(0..12).map(variance).collect::<Vec<_>>()));
    let counter = Values::Integers(vec![100 + seed as i64]);
    all.push(("norm.num_batches_tracked", Dtype::I64, vec![], counter));
    all
}

/// The same model in memory. All floats belong to the backbone.
fn state(checkpoint: &Checkpoint, heads: Vec<HeadSpec>) -> ModelState {
    let mut weights = Weights::new();
    for info in checkpoint.tensors().filter(|info| info.dtype.is_float()) {
        let values = checkpoint.read(&info.name).unwrap().floats().unwrap().to_vec();
        weights.insert(format!("backbone.{}", info.name), alluvium_model::Values::new(info.shape.clone(), values));
    }
    ModelState { weights, heads, ..conformance::central(&[], 0) }
}

fn expert(checkpoint: &Checkpoint, samples: usize) -> Expert {
    let model = state(checkpoint, vec![HeadSpec { name: "head".to_owned(), classes: vec![] }]);
    let digest = model.digest();
    let (parent, statistics) = (digest.clone(), Default::default());
    let manifest = Manifest { task: 0, task_name: String::new(), samples, steps: 0, parent, digest, statistics };
    Expert::new(model, manifest).unwrap()
}

/// Consolidates in memory: first the previous model in a round of its own if it counts, then the experts in one round.
fn whole(files: &Files, strategy: &dyn StrategyConfig, previous_counts: bool) -> ModelState {
    let mut strategy = strategy.build(&RunDescription::default()).unwrap();
    let context = |before| Context::new(&files.compute, Seed::new(3), before);
    let mut central = state(&files.checkpoints[0], vec![]);
    if previous_counts {
        let first = expert(&files.checkpoints[0], 1);
        central = strategy.consolidate_round(&central, &[&first], &mut context(0)).unwrap();
    }
    let experts: Vec<_> = files.checkpoints[1..].iter().zip(2..).map(|(own, samples)| expert(own, samples)).collect();
    let round: Vec<_> = experts.iter().collect();
    strategy.consolidate_round(&central, &round, &mut context(usize::from(previous_counts))).unwrap()
}

fn strategies() -> Vec<(Box<dyn StrategyConfig>, [usize; 2])> {
    // Each with its number of surveys: for three experts, and for four where the previous model counts as one.
    let relative = |relative_to| TaskArithmeticConfig { relative_to: Some(relative_to), ..Default::default() };
    let ties = |relative_to| TiesConfig { relative_to, ..Default::default() };
    vec![
        (Box::new(Naive {}), [0, 0]),
        (Box::new(WeightAveraging::default()), [0, 0]),
        (Box::new(relative(RelativeTo::Initial)), [0, 0]),
        (Box::new(relative(RelativeTo::Previous)), [0, 0]),
        (Box::new(ties(RelativeTo::Initial)), [2, 2]),
        // One survey finds that the previous model changes itself by nothing.
        (Box::new(ties(RelativeTo::Previous)), [6, 7]),
        (Box::new(TiesConfig { density: 1.0, ..Default::default() }), [0, 0]),
        (Box::new(DareConfig::default()), [0, 0]),
        (Box::new(MagMaxConfig::default()), [0, 0]),
        (Box::new(SlerpConfig::default()), [3, 4]),
        (Box::new(OpcmConfig::default()), [3, 4]),
        (Box::new(FedavgConfig { server_momentum: 0.5, ..Default::default() }), [0, 0]),
    ]
}

#[test]
fn every_strategy_gives_the_same_from_files() {
    let files = Files::new(&[tensors(1), tensors(2), tensors(3), tensors(4)]);
    for (strategy, surveys) in strategies() {
        for (previous_counts, surveys) in [false, true].into_iter().zip(surveys) {
            let mut models = files.models();
            for (samples, model) in (1..).zip(&mut models) {
                model.samples = samples;
            }
            let change = |request: &mut Request<'_>| request.previous_counts = previous_counts;
            let merged = files.merge_models(models, strategy.as_ref(), change).unwrap();
            assert_eq!(merged.surveys, surveys, "{strategy:?}");
            assert_eq!((merged.from_last_expert, merged.heads.len()), (vec!["norm.num_batches_tracked".to_owned()], 0));

            let (expected, out) = (whole(&files, strategy.as_ref(), previous_counts), files.merged());
            assert_eq!(out.tensors().count(), 7);
            for (name, tensor) in expected.backbone_weights().iter() {
                let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                let found = out.read(name).unwrap();
                assert_eq!(found.shape, tensor.shape, "{strategy:?}: {name}");
                let same = bits(found.floats().unwrap()) == bits(tensor.as_f32().unwrap());
                assert!(same, "{strategy:?}, {previous_counts}: {name} differs from that of whole models");
            }
            let counter = out.read("norm.num_batches_tracked").unwrap();
            assert_eq!(counter.integers(), Some(&[104][..]), "the last expert's");
        }
    }
}

#[test]
fn pieces_are_told_in_their_order() {
    let files = Files::new(&[tensors(1), tensors(2)]);
    let told = std::sync::Mutex::new(vec![]);
    let push = |progress| {
        told.lock().unwrap().push(progress);
        ControlFlow::Continue(())
    };
    let models = files.models();
    let output = files.output();
    let strategy = TiesConfig::default();
    let mut models = models.into_iter();
    let request = Request {
        previous: models.next().unwrap(),
        previous_counts: false,
        experts: models.collect(),
        strategy: &strategy,
        seed: Seed::new(1),
        compute: &Device::flex(),
        output: Some(&output),
        options: WriteOptions::default(),
        dtype: None,
        progress: &push,
    };
    merge(&request).unwrap();
    let told = told.into_inner().unwrap();
    // 300 001 + 120 + 12 + 1 + 0 + 12 + 1 values, three times.
    let ends: Vec<_> = told.iter().filter(|told| told.done == told.values).map(|told| told.pass).collect();
    assert!(told.iter().all(|told| told.values == 300_147), "{:?}", told[0]);
    assert!(ends.contains(&Survey(1)) && ends.contains(&Survey(2)) && ends.last() == Some(&Merge), "{ends:?}");
    assert!(told.windows(2).all(|pair| pair[0].pass != pair[1].pass || pair[0].done <= pair[1].done));
}

#[test]
fn whoever_is_told_how_far_it_is_can_stop_it_and_nothing_is_left() {
    fn stop(progress: alluvium_merge::MergeProgress) -> ControlFlow<()> {
        match progress.pass {
            Merge => ControlFlow::Break(()),
            Survey(_) => ControlFlow::Continue(()),
        }
    }
    let files = Files::new(&[tensors(1), tensors(2)]);
    let before = files.names();
    let strategy = TiesConfig::default();
    let stopped = files.merge_models(files.models(), &strategy, |request| request.progress = &stop);
    assert!(matches!(stopped, Err(alluvium_merge::MergeError::Stopped)), "{stopped:?}");
    assert_eq!(files.names(), before);
}
