//! The check of strategies that take experts whose backbone is not the centre's.

use std::sync::Arc;

use alluvium_model::{
    Backbone, BackboneConfig, BackboneFacts, BoxedBackbone, Expert, InputShape, Inputs, Manifest, Model, ModelError,
    ModelState, Seed, options, plugin,
};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use super::doubles::{self, INPUT, central, granted, head, run_description, sent};
use crate::{RunDescription, StrategyConfig};

/// A test double of the conformance tests: one fully connected layer with three outputs, one less than the layer of
/// the other test double has.
#[options]
pub struct NarrowConfig {}

#[plugin(kind = "_conformance-narrow")]
impl BackboneConfig for NarrowConfig {
    fn accepts(&self, _input: InputShape) -> Result<(), ModelError> {
        Ok(())
    }

    fn build(&self, input: InputShape, compute: &Device) -> Result<BoxedBackbone, ModelError> {
        Ok(Box::new(Narrow { only: LinearConfig::new(input.values(), LATENT).init(compute) }))
    }
}

const LATENT: usize = 3;

#[derive(Module, Debug)]
struct Narrow {
    only: Linear,
}

impl Backbone for Narrow {
    fn forward(&self, inputs: Inputs) -> Tensor<2> {
        self.only.forward(inputs.vectors())
    }

    fn latent_size(&self) -> usize {
        LATENT
    }
}

/// An expert with a backbone of its own, [`NarrowConfig`], whose task has the head `head_name`. The weights depend on the seed.
///
/// # Panics
/// Never: the backbone can always be built.
pub fn unlike_expert(head_name: &str, seed: u64) -> Expert {
    let seed = Seed::new(seed);
    let initial = ModelState::initial(Arc::new(NarrowConfig {}), INPUT.into(), seed, &Device::flex());
    let mut model = initial.expect("the narrow backbone can always be built");
    let parent = model.digest();
    model.grow_head(&head(head_name), LATENT, seed);
    let (task_name, digest) = (head_name.to_owned(), model.digest());
    let manifest =
        Manifest { task: 0, task_name, samples: 10, steps: 5, parent, digest, statistics: Default::default() };
    Expert::new(model, manifest).expect("the manifest was made from the model")
}

/// The run of the conformance tests, with some experts of [`NarrowConfig`].
///
/// # Panics
/// Never: the backbone can always be built.
pub fn unlike_run_description() -> RunDescription {
    let facts = BackboneFacts::of(&NarrowConfig {}, INPUT.into(), &Device::flex()).expect("the backbone runs");
    RunDescription { unlike_backbone: Some(facts.into()), ..run_description() }
}

/// Checks a stream whose experts with another backbone come first, in the middle and with a head that returns: the centre keeps
/// its backbone, has all heads, and is the same when the stream is repeated.
pub(super) fn takes_unlike_experts(config: &dyn StrategyConfig) {
    // With some options a strategy may still refuse networks of these sizes.
    if !config.accepts_unlike_networks() || config.validate(&unlike_run_description()).is_err() {
        return;
    }
    let stream = [unlike_expert("a", 1), doubles::expert("b", 2), unlike_expert("c", 3), unlike_expert("b", 4)];
    let consolidated = || {
        let mut strategy = doubles::build(config, &unlike_run_description());
        let mut previous = central(&[], 0);
        for (device, expert) in stream.iter().enumerate() {
            let expert = &sent(config, expert);
            previous = granted(config, config.data_access(), Seed::new(7), device, expert, |context| {
                let central = strategy.consolidate(&previous, expert, context);
                central.expect("a strategy that accepts unlike networks consolidates an expert of another backbone")
            });
            assert!(
                previous.has_the_backbone_of(&central(&[], 0)),
                "the centre must keep its backbone when an expert has another one"
            );
            previous.weights.check_finite().unwrap_or_else(|error| panic!("the weights must be numbers: {error}"));
        }
        previous
    };
    let found = consolidated();
    let names: Vec<_> = found.heads.iter().map(|head| head.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"], "the heads of all experts, each once");
    assert!(Model::load(&found, &Device::flex()).is_ok(), "the model must run");
    assert_eq!(consolidated().digest(), found.digest(), "the same seed must give the same models");
}
