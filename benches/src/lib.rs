//! The objects that the benches measure, built by name from the plugins of the shipped binary.
//!
//! The benches iterate over the registry, so they measure every linked strategy, backbone and backend. Some backbones are left
//! out by name.

use std::sync::Arc;

use alluvium_backend::BackendConfig;
use alluvium_device::{DeviceError, DeviceSettings, DeviceStatistic, HandOut, OwnTask, TaskDataset, Terms, adapt};
use alluvium_model::{BackboneConfig, Expert, HeadSpec, InputShape, ModelState, Seed, Silent};
use alluvium_registry::{Description, Family, described};
use alluvium_strategy::StrategyConfig;
use alluvium_stream::{Samples, Task};
use burn::tensor::Device;
use rand::RngExt;
use serde_json::{Value, json};

// Links the plugins.
use alluvium_cli as _;

/// The kinds of a family that ship, without the conformance tests' doubles.
pub fn kinds(family: Family) -> Vec<&'static str> {
    let kinds = described(family).into_iter().map(|description| description.kind);
    kinds.filter(|kind| !kind.starts_with("conformance-")).collect()
}

/// Backbones that are not measured. `resnet32` behaves like `slim-resnet18`. The others are for larger images, on which strategies
/// that solve for whole matrices take minutes.
const NOT_MEASURED: [&str; 5] = ["resnet18", "resnet32", "resnet34", "resnet50", "vit-tiny"];

/// The backbones that are measured.
pub fn backbones() -> Vec<&'static str> {
    kinds(Family::Backbone).into_iter().filter(|kind| !NOT_MEASURED.contains(kind)).collect()
}

/// A backend's compute device; `None` if this machine does not have one.
pub fn compute(kind: &str) -> Option<Device> {
    let config: Box<dyn BackendConfig> = serde_json::from_value(json!({ "kind": kind })).ok()?;
    config.open().ok()
}

/// A backbone with its default options.
///
/// # Panics
/// When the kind is not linked.
pub fn backbone(kind: &str) -> Arc<dyn BackboneConfig> {
    serde_json::from_value(json!({ "kind": kind })).expect("a linked backbone")
}

/// A strategy with its default options, except that a strategy with gradient steps takes [`STEPS`] of them.
///
/// # Panics
/// When the kind is not linked.
pub fn strategy(description: &Description) -> Box<dyn StrategyConfig> {
    let mut table = json!({ "kind": description.kind });
    if description.options().iter().any(|option| option.name == "steps") {
        table["steps"] = Value::from(STEPS);
    }
    serde_json::from_value(table).expect("a linked strategy")
}

/// Gradient steps of one consolidation.
pub const STEPS: usize = 4;

/// The shape of the inputs: three channels for the network made for them, a spectrogram for that of sounds, and one channel for the
/// others, as in the examples.
pub fn input(backbone: &str) -> InputShape {
    match backbone {
        "slim-resnet18" => [3, 32, 32].into(),
        "ds-cnn" => [1, 32, 51].into(),
        _ => [1, 28, 28].into(),
    }
}

/// A task of six classes with `samples` random images.
pub fn task(input: InputShape, samples: usize) -> Task {
    let mut random = Seed::new(0).of("bench").random();
    let mut train = Samples::new(input);
    for number in 0..samples {
        let image: Vec<u8> = (0..input.values()).map(|_| random.random()).collect();
        train.push(&image, number % 6);
    }
    let head = HeadSpec { name: "task-1".to_owned(), classes: (0..6).collect() };
    Task { index: 0, name: "bench".to_owned(), head, test: train.clone(), train }
}

/// A central model with ten heads of six classes.
///
/// # Panics
/// When the backbone cannot be built.
pub fn central(backbone_kind: &str, compute: &Device) -> ModelState {
    let seed = Seed::new(1);
    let backbone = backbone(backbone_kind);
    let input = input(backbone_kind);
    let latent = backbone.build(input, compute).expect("a backbone").latent_size();
    let mut state = ModelState::initial(backbone, input, seed, compute).expect("a model");
    for number in 0..10 {
        let head = HeadSpec { name: format!("old-{number}"), classes: (6 * number..6 * number + 6).collect() };
        state.grow_head(&head, latent, seed);
    }
    state
}

/// The expert of a device that adapts `central` without a step.
///
/// # Panics
/// When the expert's manifest does not fit its weights.
pub fn expert(central: &ModelState, compute: &Device) -> Expert {
    let latent = central.backbone.build(central.input, compute).expect("a backbone").latent_size();
    let mut model = central.with_heads(|_| false);
    let head = HeadSpec { name: "new".to_owned(), classes: (60..66).collect() };
    model.grow_head(&head, latent, Seed::new(2));
    let manifest = alluvium_model::Manifest {
        task: 10,
        task_name: "bench".to_owned(),
        samples: 1,
        steps: 0,
        parent: central.digest(),
        digest: model.digest(),
        statistics: Default::default(),
    };
    Expert::new(model, manifest).expect("an expert")
}

/// A model as a device takes it.
pub fn taken(model: &ModelState) -> HandOut {
    let (settings, beside) = (serde_json::Value::Null, Arc::default());
    let terms = Terms { device: 0, visit: 0, seed: Seed::new(3), settings, statistics: vec![], beside, backbone: None };
    HandOut { model: Arc::new(model.clone()), teacher: None, terms }
}

/// Lets a device of this process adapt a model to a task.
///
/// # Errors
/// As [`adapt`].
pub fn adapted(
    taken: &HandOut,
    task: &Task,
    settings: &DeviceSettings,
    statistics: &[Arc<dyn DeviceStatistic>],
    compute: &Device,
) -> Result<Expert, DeviceError> {
    let dataset = TaskDataset { head: &task.head, samples: &task.train };
    adapt(taken, OwnTask { name: &task.name, dataset }, settings, statistics, compute, &Silent)
}
