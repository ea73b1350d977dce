//! The tests that every kind of devices must pass, ours and those of third parties.
//!
//! A plugin enables the feature `conformance` under `[dev-dependencies]` and calls [`check_kind`] with its kind, or
//! [`check_config`] with options. The devices take part in a stream of two tasks of two classes; a sample is one pixel beside
//! another.

mod doubles;

use std::sync::Arc;
use std::time::{Duration, Instant};

use alluvium_model::conformance::check_options;
use alluvium_model::{BackboneConfig, Expert, HeadSpec, ModelState, Seed, Silent};
use alluvium_registry::Family;
use alluvium_stream::{TaskStream, Tasks};
use burn::tensor::Device as Compute;
use serde_json::json;

use crate::{Answer, Device, DeviceConfig, DevicePlace, DeviceRun, DeviceStart, HandOut, Terms, check_expert};

pub use doubles::{PixelPairConfig, pixel_pairs};

/// The longest time that an answer may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// [`check_config`] with the defaults.
///
/// # Panics
/// When the kind does not conform. The message says which check failed.
pub fn check_kind(kind: &str) {
    let config: Box<dyn DeviceConfig> = serde_json::from_value(json!({ "kind": kind }))
        .unwrap_or_else(|error| panic!("kind = \"{kind}\" without options is not a configuration: {error}"));
    check_config(config.as_ref());
}

/// Checks that options are described and survive being written; that a device states the same task twice, and the one that the
/// stream gives it; that its expert agrees with what it stated and took; that it answers once; and that the same seed gives the
/// same expert. A kind whose devices never answer passes, too.
///
/// # Panics
/// When the kind does not conform. The message says which check failed.
pub fn check_config(config: &dyn DeviceConfig) {
    let written = serde_json::to_value(config).expect("a configuration can be written");
    let boxed: Box<dyn DeviceConfig> = serde_json::from_value(written).expect("a written configuration can be read");
    check_options(Family::Device, &boxed);
    let fixture = Fixture::new(config);
    config.check(&fixture.run()).unwrap_or_else(|error| panic!("`check` refuses the tests' experiment: {error}"));
    for index in 0..fixture.stream.tasks() {
        let first = fixture.visit(config, index);
        let again = fixture.visit(config, index);
        let digest = |expert: &Option<Expert>| expert.as_ref().map(|expert| expert.model.digest());
        assert_eq!(digest(&first), digest(&again), "the same seed must give the same expert");
    }
}

/// A stream and a centre to try devices on.
struct Fixture {
    stream: Tasks,
    backbone: Arc<dyn BackboneConfig>,
    central: Arc<ModelState>,
    compute: Compute,
}

impl Fixture {
    fn new(config: &dyn DeviceConfig) -> Self {
        let (compute, stream) = (Compute::flex(), pixel_pairs());
        let backbone: Arc<dyn BackboneConfig> = Arc::new(PixelPairConfig {});
        let initial = ModelState::initial(backbone.clone(), stream.input(), Seed::new(3), &compute);
        let mut central = initial.expect("the tests' backbone takes the tests' inputs");
        if config.start() == DeviceStart::HandedOut {
            let other = HeadSpec { name: "other".to_owned(), classes: vec![0, 3] };
            central.grow_head(&other, doubles::LATENT, Seed::new(4));
        }
        Fixture { stream, backbone, central: Arc::new(central), compute }
    }

    fn run(&self) -> DeviceRun<'_> {
        DeviceRun {
            input: self.stream.input(),
            value_type: self.stream.value_type(),
            backbone: &self.backbone,
            classifier: &self.central.classifier,
            class_names: self.stream.class_names(),
            tasks: self.stream.tasks(),
            compute: &self.compute,
        }
    }

    /// One visit: request, model, answer.
    fn visit(&self, config: &dyn DeviceConfig, index: usize) -> Option<Expert> {
        let outline = self.stream.outline(index).expect("a task of the tests");
        let place = DevicePlace {
            device: index,
            entry: index,
            task: outline.name.clone(),
            head: outline.head.clone(),
            class_names: self.stream.class_names(),
            input: self.stream.input(),
            backbone: &self.backbone,
            stream: &self.stream,
            announced: None,
            statistics: vec![],
            origin: None,
            compute: self.compute.clone(),
        };
        let mut device = config.build(place).unwrap_or_else(|error| panic!("a device cannot be built: {error}"));
        let announced = device.request().unwrap_or_else(|error| panic!("a device cannot request: {error}"));
        assert_eq!(Some(&announced), device.request().ok().as_ref(), "two requests must state the same");
        assert_eq!((&announced.task, &announced.head), (&outline.name, &outline.head), "the task is the stream's");
        let early = device.answer(&Silent);
        assert!(!matches!(early, Ok(Answer::Expert(_))), "a device without a model must not answer with an expert");
        let taken = HandOut {
            model: self.central.clone(),
            teacher: None,
            terms: Terms {
                device: index,
                visit: 0,
                seed: Seed::new(5).at("device", index),
                settings: serde_json::to_value(config).expect("a configuration can be written"),
                statistics: vec![],
                beside: Arc::default(),
                backbone: None,
            },
        };
        device.take(taken.clone()).unwrap_or_else(|error| panic!("a device cannot take the model: {error}"));
        let expert = answer(device.as_mut())?;
        check_expert(&expert, &announced, &taken).unwrap_or_else(|error| panic!("{error}"));
        let twice = device.answer(&Silent);
        assert!(!matches!(twice, Ok(Answer::Expert(_))), "a device must answer once for a model");
        Some(expert)
    }
}

/// Waits for a device's answer.
fn answer(device: &mut dyn Device) -> Option<Expert> {
    let begun = Instant::now();
    loop {
        match device.answer(&Silent).unwrap_or_else(|error| panic!("a device cannot answer: {error}")) {
            Answer::Expert(expert) => return Some(*expert),
            Answer::Never => return None,
            Answer::Later => assert!(begun.elapsed() < PATIENCE, "no answer within {} s", PATIENCE.as_secs()),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
