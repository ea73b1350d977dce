//! Small models, experts and data to try a strategy on.

use std::sync::Arc;

use alluvium_model::{
    Backbone, BackboneConfig, BackboneFacts, BoxedBackbone, Expert, HeadSpec, InputShape, Inputs, Manifest, ModelError,
    ModelState, Seed, options, plugin,
};
use alluvium_stream::{Samples, TaskDataset};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use crate::{
    Beside, BesideRequest, Context, DataAccess, DeviceStatistic, RunDescription, StatisticRequest, Strategy,
    StrategyConfig, Surrogate, SurrogateError, SurrogateRequest,
};

/// A test double of the conformance tests: one fully connected layer with four outputs.
#[options]
pub struct TinyConfig {}

#[plugin(kind = "_conformance-tiny")]
impl BackboneConfig for TinyConfig {
    fn accepts(&self, _input: InputShape) -> Result<(), ModelError> {
        Ok(())
    }

    fn build(&self, input: InputShape, compute: &Device) -> Result<BoxedBackbone, ModelError> {
        Ok(Box::new(Tiny { layer: LinearConfig::new(input.values(), LATENT).init(compute) }))
    }
}

const LATENT: usize = 4;
pub(super) const INPUT: [usize; 3] = [1, 2, 3];

#[derive(Module, Debug)]
struct Tiny {
    layer: Linear,
}

impl Backbone for Tiny {
    fn forward(&self, inputs: Inputs) -> Tensor<2> {
        relu(self.layer.forward(inputs.vectors()))
    }

    fn latent_size(&self) -> usize {
        LATENT
    }

    fn forward_maps(&self, inputs: Inputs, map: &mut dyn FnMut(&str, Tensor<2>)) -> Tensor<2> {
        map("layer.weight", inputs.clone().vectors());
        self.forward(inputs)
    }
}

/// Two classes for a head named by a letter: `a` has 0 and 1, `b` has 2 and 3, and so on.
pub(super) fn head(name: &str) -> HeadSpec {
    let first = 2 * usize::from(name.bytes().next().unwrap_or(b'a') - b'a');
    HeadSpec { name: name.to_owned(), classes: vec![first, first + 1] }
}

/// A central model with these heads. The weights depend on the seed.
pub fn central(heads: &[&str], seed: u64) -> ModelState {
    let seed = Seed::new(seed);
    let mut state = ModelState::initial(Arc::new(TinyConfig {}), INPUT.into(), seed, &Device::flex())
        .expect("the tiny backbone can always be built");
    heads.iter().for_each(|name| state.grow_head(&head(name), LATENT, seed));
    state
}

/// An expert whose task has the head `head`. The weights depend on the seed.
pub fn expert(head: &str, seed: u64) -> Expert {
    let model = central(&[head], seed);
    let digest = model.digest();
    let manifest = Manifest {
        task: 0,
        task_name: head.to_owned(),
        samples: 10,
        steps: 5,
        parent: central(&[], seed).digest(),
        digest,
        statistics: Default::default(),
    };
    Expert::new(model, manifest).expect("the manifest was made from the model")
}

/// Some samples of a head's two classes.
pub fn samples(head_name: &str) -> Samples {
    let mut samples = Samples::new(INPUT.into());
    for (index, class) in head(head_name).classes.into_iter().enumerate() {
        for shade in 0..5 {
            samples.push(&[40 * shade, 200 * index as u8, 10, 20, 30, 250 - 40 * shade], class);
        }
    }
    samples
}

/// Surrogate data: reproducible noise.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomInputs;

impl Surrogate for RandomInputs {
    fn samples(&self) -> usize {
        32
    }

    fn draw(&mut self, count: usize, request: &SurrogateRequest<'_>) -> Result<Inputs, SurrogateError> {
        let drawn = alluvium_model::initial_linear(1, count * request.input.values(), &mut request.seed.random());
        let values = drawn.get("weight").and_then(|weight| Some(weight.as_f32()?.to_vec())).unwrap_or_default();
        Ok(request.inputs(values))
    }
}

/// The run of the conformance tests: three tasks on models of [`TinyConfig`], under no protocol.
///
/// # Panics
/// Never: the tiny backbone can always be built.
pub fn run_description() -> RunDescription {
    description_of(&central(&[], 0))
}

/// The run of the conformance tests, on models like this one.
fn description_of(model: &ModelState) -> RunDescription {
    let facts = BackboneFacts::of(model.backbone.as_ref(), model.input, &Device::flex()).expect("the backbone runs");
    RunDescription { input: Some(model.input), backbone: Some(facts.into()), tasks: Some(3), ..Default::default() }
}

/// Builds a strategy for a run, after its own check.
///
/// # Panics
/// When the strategy refuses the run, or cannot be built.
pub fn build(config: &dyn StrategyConfig, run: &RunDescription) -> Box<dyn Strategy> {
    config.validate(run).unwrap_or_else(|error| panic!("{config:?} does not fit the run: {error}"));
    config.build(run).unwrap_or_else(|error| panic!("{config:?} cannot be built: {error}"))
}

/// A context that grants no data.
pub fn context() -> Context<'static> {
    Context::new(&Device::flex(), Seed::new(0), 0)
}

/// Consolidates one expert with a new strategy, which gets only the data that it declares.
///
/// # Panics
/// When the strategy cannot be built or fails.
pub fn consolidate(config: &dyn StrategyConfig, previous: &ModelState, expert: &Expert) -> ModelState {
    let mut strategy = build(config, &description_of(previous));
    let expert = &sent(config, expert);
    granted(config, config.data_access(), Seed::new(0), 1, expert, |context| {
        strategy
            .consolidate(previous, expert, context)
            .unwrap_or_else(|error| panic!("the strategy must consolidate: {error}"))
    })
}

/// What the strategy hands out beside the model, in a run on models like this one.
///
/// # Panics
/// When it cannot be made.
pub fn handed_beside(config: &dyn StrategyConfig, model: &ModelState) -> Beside {
    let (run, initial, compute) = (description_of(model), central(&[], 0), Device::flex());
    let mut surrogate = RandomInputs;
    let granted = config.data_access() == DataAccess::Surrogate;
    let surrogate = granted.then_some(&mut surrogate as &mut dyn Surrogate);
    let mut request = BesideRequest { run: &run, initial: &initial, surrogate, compute: &compute, seed: Seed::new(0) };
    config
        .handed_beside(&mut request)
        .unwrap_or_else(|error| panic!("the tensors beside the model must be made: {error}"))
}

/// The expert as its device sends it: with the statistics that the strategy requests, computed on the samples of its head.
///
/// # Panics
/// When a statistic cannot be computed.
pub fn sent(config: &dyn StrategyConfig, expert: &Expert) -> Expert {
    let own = samples(&expert.head().name);
    let own = TaskDataset { head: expert.head(), samples: &own };
    let beside = handed_beside(config, &expert.model);
    let (taken, compute) = (central(&[], 0), Device::flex());
    let request = StatisticRequest {
        taken: &taken,
        adapted: &expert.model,
        own,
        beside: &beside,
        compute: &compute,
        seed: Seed::new(0),
    };
    let compute = |statistic: Arc<dyn DeviceStatistic>| {
        let computed = statistic.compute(&request);
        (
            statistic.name().to_owned(),
            computed.unwrap_or_else(|error| panic!("the device must compute its statistics: {error}")),
        )
    };
    expert.clone().with_statistics(config.statistics().into_iter().map(compute).collect())
}

/// Runs `run` with a context that grants only the declared data.
pub(super) fn granted<T>(
    config: &dyn StrategyConfig,
    access: DataAccess,
    seed: Seed,
    device: usize,
    expert: &Expert,
    run: impl FnOnce(&mut Context<'_>) -> T,
) -> T {
    granted_round(config, access, seed, device, &[expert], run)
}

/// Runs `run` with a context for a round of experts. The context grants only the declared data.
pub(super) fn granted_round<T>(
    config: &dyn StrategyConfig,
    access: DataAccess,
    seed: Seed,
    device: usize,
    experts: &[&Expert],
    run: impl FnOnce(&mut Context<'_>) -> T,
) -> T {
    let own: Vec<_> = experts.iter().map(|expert| samples(&expert.head().name)).collect();
    let mut surrogate = RandomInputs;
    let beside = experts.first().map(|expert| handed_beside(config, &expert.model)).unwrap_or_default();
    let mut context = Context::new(&Device::flex(), seed, device).with_beside(&beside);
    if access == DataAccess::Surrogate {
        context = context.with_surrogate(&mut surrogate);
    }
    let tasks = experts.iter().zip(&own).map(|(expert, samples)| TaskDataset { head: expert.head(), samples });
    let before = match access {
        DataAccess::None | DataAccess::Surrogate => return run(&mut context),
        DataAccess::CurrentTask => 0,
        DataAccess::AllTasks => device,
    };
    let first = tasks.clone().next();
    context = context.with_tasks(first.into_iter().cycle().take(before).chain(tasks).collect());
    run(&mut context)
}
