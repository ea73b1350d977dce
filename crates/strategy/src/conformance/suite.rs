//! The conformance tests of strategies.

use alluvium_model::conformance::check_options;
use alluvium_model::{Expert, LowRank, Manifest, Model, ModelState, Seed, Values};
use alluvium_registry::Family;
use burn::tensor::Device;
use serde_json::json;

use super::doubles::{self, central, expert, granted, granted_round, run_description, sent};
use super::pieces::is_the_same_in_pieces;
use super::unlike::takes_unlike_experts;
use crate::{BesideRequest, DataAccess, ExpertStart, RunDescription, Strategy, StrategyConfig};

/// Checks the strategy of a kind with its default options.
///
/// # Panics
/// When the strategy does not conform. The message says which check failed.
pub fn check(kind: &str) {
    let config: Box<dyn StrategyConfig> = serde_json::from_value(json!({ "kind": kind }))
        .unwrap_or_else(|error| panic!("kind = \"{kind}\" without options is not a configuration: {error}"));
    check_options(Family::Strategy, &config);
    check_config(config.as_ref());
}

/// Checks a strategy with the given options.
///
/// # Panics
/// When the strategy does not conform. The message says which check failed.
pub fn check_config(config: &dyn StrategyConfig) {
    survives_serialisation(config);
    is_completed_once(config);
    consolidates_a_stream(config);
    repeats_itself(config);
    resumes_from_its_state(config);
    needs_what_it_declares(config);
    takes_a_returning_head(config);
    takes_a_difference_as_a_model(config);
    consolidates_a_round(config);
    asks_for_what_it_uses(config);
    is_the_same_in_pieces(config);
    takes_unlike_experts(config);
}

fn survives_serialisation(config: &dyn StrategyConfig) {
    let written = serde_json::to_value(config).expect("a configuration can be written");
    let read: Box<dyn StrategyConfig> =
        serde_json::from_value(written.clone()).expect("a written configuration can be read");
    let again = serde_json::to_value(read).expect("a configuration can be written");
    assert_eq!(again, written, "a configuration must not change when it is written and read");
}

/// Checks that completing a configuration twice changes nothing, and that it gives the same strategy before and after.
fn is_completed_once(config: &dyn StrategyConfig) {
    let written = |config: &dyn StrategyConfig| serde_json::to_value(config).expect("a configuration can be written");
    let started = |start| RunDescription { start, ..run_description() };
    for (start, other) in [(ExpertStart::Previous, ExpertStart::Common), (ExpertStart::Common, ExpertStart::Previous)] {
        let Some(completed) = config.completed(&started(start)) else { continue };
        let (own, before) = (written(completed.as_ref()), written(config));
        assert_eq!(own.get("kind"), before.get("kind"), "completing a configuration must keep its kind");
        let again = completed.completed(&started(other)).map_or_else(|| own.clone(), |again| written(again.as_ref()));
        assert_eq!(again, own, "completing a complete configuration must not change it");
    }
    let Some(completed) = config.completed(&run_description()) else { return };
    let centres =
        |config: &dyn StrategyConfig| run(config).iter().map(|left| left.central.digest()).collect::<Vec<_>>();
    assert_eq!(
        centres(completed.as_ref()),
        centres(config),
        "a configuration must give the same strategy before and after completion"
    );
}

/// The experts of a stream of three tasks.
fn stream() -> [Expert; 3] {
    [expert("a", 1), expert("b", 2), expert("c", 3)]
}

fn build(config: &dyn StrategyConfig) -> Box<dyn Strategy> {
    doubles::build(config, &run_description())
}

fn step(
    config: &dyn StrategyConfig,
    strategy: &mut dyn Strategy,
    previous: &ModelState,
    expert: &Expert,
    device: usize,
) -> ModelState {
    let expert = &sent(config, expert);
    granted(config, config.data_access(), Seed::new(7), device, expert, |context| {
        strategy
            .consolidate(previous, expert, context)
            .unwrap_or_else(|error| panic!("the strategy must consolidate: {error}"))
    })
}

/// The outcome of a consolidation: the central model, and the model that is handed out in its place.
struct RunOutcome {
    central: ModelState,
    handed_out: Option<ModelState>,
}

impl RunOutcome {
    /// The model that the next device takes.
    fn taken(&self) -> &ModelState {
        self.handed_out.as_ref().unwrap_or(&self.central)
    }
}

/// Consolidates a whole stream, and returns the outcome after each device.
fn run(config: &dyn StrategyConfig) -> Vec<RunOutcome> {
    let mut strategy = build(config);
    let mut previous = central(&[], 0);
    let consolidate = |(device, expert): (usize, &Expert)| {
        previous = step(config, strategy.as_mut(), &previous, expert, device);
        RunOutcome { handed_out: strategy.handed_out(&previous), central: previous.clone() }
    };
    stream().iter().enumerate().map(consolidate).collect()
}

/// A new strategy with the state of another.
fn resumed(config: &dyn StrategyConfig, before: &dyn Strategy) -> Box<dyn Strategy> {
    let mut resumed = build(config);
    resumed.restore(before.state()).unwrap_or_else(|error| panic!("its own state must be restored: {error}"));
    resumed
}

fn consolidates_a_stream(config: &dyn StrategyConfig) {
    for (device, left) in run(config).iter().enumerate() {
        let state = &left.central;
        let names: Vec<_> = state.heads.iter().map(|head| head.name.as_str()).collect();
        let expected = &["a", "b", "c"][..=device];
        assert_eq!(names, expected, "the heads after device {device}: all old ones, then the expert's");
        state.weights.check_finite().unwrap_or_else(|error| panic!("the weights must be numbers: {error}"));
        let shapes = |state: &ModelState| -> Vec<_> {
            state.backbone_weights().iter().map(|(name, tensor)| (name.to_owned(), tensor.shape.clone())).collect()
        };
        let kind = |state: &ModelState| serde_json::to_value(&state.backbone).expect("a backbone can be written");
        // A device takes a model of the same shapes as the first device did; usually the central model.
        let (taken, first) = (left.taken(), central(&[], 0));
        assert_eq!(kind(taken), kind(&first), "the model that a device takes must keep its backbone");
        assert_eq!(shapes(taken), shapes(&first), "the backbone must keep the names and shapes of its tensors");
        taken.weights.check_finite().unwrap_or_else(|error| panic!("the weights must be numbers: {error}"));
        for model in [state, taken] {
            let back = ModelState::from_bytes(&model.to_bytes().expect("written")).expect("the model can be stored");
            assert!(Model::load(&back, &Device::flex()).is_ok(), "the model must run");
        }
    }
}

fn repeats_itself(config: &dyn StrategyConfig) {
    let digests = |all: Vec<RunOutcome>| {
        all.iter().map(|left| [left.central.digest(), left.taken().digest()]).collect::<Vec<_>>()
    };
    assert_eq!(digests(run(config)), digests(run(config)), "the same seed must give the same models");
}

fn resumes_from_its_state(config: &dyn StrategyConfig) {
    let undisturbed = run(config);
    let mut strategy = build(config);
    let mut previous = central(&[], 0);
    for (device, expert) in stream().iter().enumerate() {
        strategy = resumed(config, strategy.as_ref());
        previous = step(config, strategy.as_mut(), &previous, expert, device);
        let same = previous.digest() == undisturbed[device].central.digest();
        assert!(same, "a strategy resumed from its state before device {device} gives another model");
        let handed_out = resumed(config, strategy.as_ref()).handed_out(&previous);
        let digest = |model: &Option<ModelState>| model.as_ref().map(ModelState::digest);
        let same = digest(&handed_out) == digest(&undisturbed[device].handed_out);
        assert!(same, "a strategy resumed from its state after device {device} hands out another model");
    }
}

/// Checks a strategy without its data. If it succeeds, it declared too much; if it fails, the error must name the missing data.
fn needs_what_it_declares(config: &dyn StrategyConfig) {
    if config.data_access() == DataAccess::None {
        return;
    }
    let (run, initial, compute) = (run_description(), central(&[], 0), Device::flex());
    let mut request =
        BesideRequest { run: &run, initial: &initial, surrogate: None, compute: &compute, seed: Seed::new(0) };
    let made = config.handed_beside(&mut request);
    if made.is_err_and(|error| error.to_string().contains("was not granted")) {
        return; // It needs the data for what it hands out.
    }
    let (previous, expert) = (central(&["a"], 1), sent(config, &expert("b", 2)));
    let alone = granted(config, DataAccess::None, Seed::new(7), 1, &expert, |context| {
        build(config).consolidate(&previous, &expert, context)
    });
    let error = alone.err().map(|error| error.to_string());
    let error = error.expect("a strategy that works without data must declare `DataAccess::None`");
    assert!(
        error.contains("was not granted"),
        "without its data the strategy must fail with \"was not granted\", but it says: {error}"
    );
}

/// Checks a task that returns, or a new domain of the same task: the centre already has the expert's head.
fn takes_a_returning_head(config: &dyn StrategyConfig) {
    let central = super::consolidate(config, &central(&["a", "b"], 1), &expert("a", 2));
    let names: Vec<_> = central.heads.iter().map(|head| head.name.as_str()).collect();
    assert_eq!(names, ["a", "b"], "a head that returns must not be added a second time");
}

/// Checks an expert that came as the difference to its parent: the strategy sees the complete model, and nothing else.
fn takes_a_difference_as_a_model(config: &dyn StrategyConfig) {
    let (parent, own) = (central(&[], 2), expert("b", 2));
    let weight = parent.weights.get("backbone.layer.weight").expect("the tiny backbone has one layer");
    let (rows, columns) = (weight.shape[0], weight.shape[1]);
    let ramp = |size: usize| (0..size).map(|index| index as f32 / size as f32 - 0.25).collect();
    let (left, right) = (Values::new(vec![rows, 1], ramp(rows)), Values::new(vec![1, columns], ramp(columns)));
    let factors = [("backbone.layer.weight".to_owned(), LowRank { left, right, scale: 0.5 })].into();
    let sent = Expert::difference(&parent, own.model, factors, own.manifest).expect("the factors fit");
    let received = Expert::received(&sent.to_bytes().expect("written"), &parent).expect("the difference can be read");
    let manifest = Manifest { digest: received.model.digest(), ..received.manifest.clone() };
    let whole = Expert::new(received.model.clone(), manifest).expect("the manifest was made from the model");
    let consolidated = |expert| super::consolidate(config, &central(&["a"], 1), expert).digest();
    assert_eq!(
        consolidated(&received),
        consolidated(&whole),
        "an expert that came as a difference must be consolidated as its complete model"
    );
}

/// Checks the call of federated protocols: all experts of a round at once. A round of one expert equals a consolidation.
fn consolidates_a_round(config: &dyn StrategyConfig) {
    let round = |experts: &[&Expert]| {
        let experts: Vec<_> = experts.iter().map(|expert| sent(config, expert)).collect();
        let experts: Vec<_> = experts.iter().collect();
        granted_round(config, config.data_access(), Seed::new(7), 0, &experts, |context| {
            let mut strategy = build(config);
            let central = strategy.consolidate_round(&central(&[], 0), &experts, context);
            let central = central.unwrap_or_else(|error| panic!("the strategy must consolidate a round: {error}"));
            assert_eq!(context.device(), 0, "after a round the context must be the context of the round again");
            (central, strategy.state())
        })
    };
    let stream = stream();
    let (central, _) = round(&stream.each_ref());
    let mut names: Vec<_> = central.heads.iter().map(|head| head.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["a", "b", "c"], "after a round, the centre must have the heads of all its experts");
    central.weights.check_finite().unwrap_or_else(|error| panic!("the weights must be numbers: {error}"));
    assert_eq!(round(&stream.each_ref()).0.digest(), central.digest(), "the same round must give the same model");

    let mut strategy = build(config);
    let alone = step(config, strategy.as_mut(), &super::central(&[], 0), &stream[0], 0);
    let (central, state) = round(&[&stream[0]]);
    assert_eq!(central.digest(), alone.digest(), "a round of one expert must equal a consolidation");
    assert_eq!(state, strategy.state(), "a round of one expert must leave the same state as a consolidation");
}

/// Checks a strategy without the statistics that it requests. If it succeeds, every device sends them for nothing.
fn asks_for_what_it_uses(config: &dyn StrategyConfig) {
    if config.statistics().is_empty() {
        return;
    }
    let (previous, expert) = (central(&["a"], 1), expert("b", 2));
    let without = granted(config, config.data_access(), Seed::new(7), 1, &expert, |context| {
        build(config).consolidate(&previous, &expert, context)
    });
    let error = without.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(
        error.contains("carries no statistic"),
        "without the device's statistics the strategy must fail with \"carries no statistic\", but it says: {error:?}"
    );
}
