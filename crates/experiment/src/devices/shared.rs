//! The setup that all cells of one seed share: the stream, the test sets, the initial weights, and the devices.

use std::sync::Arc;
use std::time::Instant;

use alluvium_config::{Experiment, KnownParts, Protocol};
use alluvium_device::{Device, DeviceSettings, DeviceStatistic, InProcessDevice};
use alluvium_evaluate::{TestSet, evaluate};
use alluvium_model::{BackboneFacts, ClassifierFacts, Digest, Expert, HeadShape, Model, ModelState, Seed};
use alluvium_strategy::{RunDescription, StrategyConfig};
use alluvium_stream::{Task, TaskStream};
use burn::tensor::Device as Compute;
use serde_json::{Value, json};

use crate::ExperimentError;
use crate::context::RunContext;
use crate::devices::{SharedHeads, TaskNote};
use crate::progress::{Ending, Observer, Stage, Steps, Unobserved, Work};
use crate::protocol::{HandedOutModel, Visit};
use crate::stored::{
    AdaptationRecord, AdaptedDevice, CentralModel, Computation, EXPERT, Interruption, LATENTS, identity,
    latents_to_bytes, redo,
};

/// What a device is asked to do.
#[derive(Clone, Copy)]
pub(crate) struct DeviceRequest<'a> {
    /// How it adapts.
    pub(crate) settings: &'a DeviceSettings,
    /// The statistics that it computes of its samples.
    pub(crate) statistics: &'a Statistics,
    /// The fractions of its budget after which it is judged as well.
    pub(crate) budgets: &'a [f64],
}

/// The statistics that a strategy asks its devices for.
#[derive(Default)]
pub(crate) struct Statistics {
    asked: Vec<Arc<dyn DeviceStatistic>>,
    /// The options of the strategy, on which the statistics depend. `null` if there are none, so that strategies without
    /// statistics have devices in common.
    options: Value,
}

impl Statistics {
    pub(crate) fn asked_by(config: &dyn StrategyConfig) -> Result<Self, ExperimentError> {
        let statistics = config.statistics();
        let options = if statistics.is_empty() {
            Value::Null
        } else {
            serde_json::to_value(config).map_err(|error| ExperimentError::Record(error.to_string()))?
        };
        Ok(Statistics { asked: statistics, options })
    }
}

/// The stream, the test sets and the initial weights under one seed.
pub(crate) struct SharedSetup {
    pub(crate) seed: u64,
    pub(crate) root: Seed,
    /// Each task without its samples.
    pub(crate) tasks: Vec<TaskNote>,
    stream: Box<dyn TaskStream>,
    /// All test sets, if they are small enough to stay on the compute device.
    tests: Option<Vec<TestSet>>,
    pub(crate) initial: CentralModel,
    /// The heads that tasks share, if they share any.
    pub(crate) heads: Option<SharedHeads>,
    pub(crate) class_names: Vec<String>,
    known: KnownParts,
    pub(crate) compute: Compute,
}

/// Test sets of at most this many bytes stay on the compute device. Larger ones are moved there each time.
const MOST_TEST_BYTES: usize = 256 << 20;

impl SharedSetup {
    pub(crate) fn new(experiment: &Experiment, seed: u64, compute: &Compute) -> Result<Self, ExperimentError> {
        let root = Seed::new(seed);
        let stream = experiment.stream.build(root)?;
        let mut tasks = vec![];
        let mut tests = Some(vec![]);
        let mut test_bytes = 0;
        // One task at a time: all samples together may not fit into memory.
        for index in 0..stream.tasks() {
            let task = stream.task(index)?;
            // Streams of other crates are checked, too.
            task.check()?;
            test_bytes += task.test.bytes().saturating_mul(size_of::<f32>());
            match &mut tests {
                Some(kept) if test_bytes <= MOST_TEST_BYTES => kept.push(TestSet::new(&task, compute)),
                _ => tests = None,
            }
            tasks.push(TaskNote::of(&task)?);
        }
        let initial = ModelState::initial(experiment.backbone.clone(), stream.input(), root, compute)?;
        let initial = initial.with_classifier(experiment.classifier.clone());
        let heads = SharedHeads::of(&tasks, &initial, root, compute)?;
        let initial = CentralModel::initial(initial)?;
        let class_names = stream.class_names().to_vec();
        let facts = BackboneFacts::of(experiment.backbone.as_ref(), stream.input(), compute)?;
        let head = HeadShape { input: stream.input(), latent_size: facts.latent_size, classes: 2 };
        let classifier = ClassifierFacts::of(experiment.classifier.as_ref(), head, compute)?;
        let known = KnownParts {
            stream: Some((stream.input(), tasks.len())),
            backbone: Some(facts.into()),
            classifier: Some(classifier.into()),
        };
        Ok(SharedSetup {
            seed,
            root,
            tasks,
            stream,
            tests,
            initial,
            heads,
            class_names,
            known,
            compute: compute.clone(),
        })
    }

    /// What strategies and surrogate data are told about a run under this protocol.
    pub(crate) fn describe(&self, experiment: &Experiment, protocol: &Protocol) -> RunDescription {
        experiment.describe(protocol, &self.known)
    }

    /// A task with its samples.
    pub(crate) fn task(&self, index: usize) -> Result<Task, ExperimentError> {
        Ok(self.stream.task(index)?)
    }

    /// The test samples of a task.
    pub(crate) fn test(&self, index: usize) -> Result<TestSet, ExperimentError> {
        match self.tests.as_ref().and_then(|tests| tests.get(index)) {
            Some(test) => Ok(test.clone()),
            None => Ok(TestSet::new(&self.task(index)?, &self.compute)),
        }
    }

    /// Lets a device adapt the model that it took.
    pub(crate) fn adapt(
        &self,
        run: &RunContext<'_>,
        row: &str,
        taken: &HandedOutModel,
        asked: DeviceRequest<'_>,
    ) -> Result<AdaptedDevice, Interruption> {
        self.adapt_from(run, row, taken.visit(), taken.model(), asked)
    }

    /// Lets a device adapt a model, and judges it on its own task. For each requested fraction of its budget, a separate device
    /// adapts and stops there.
    fn adapt_from(
        &self,
        run: &RunContext<'_>,
        row: &str,
        visit: Visit,
        central: &CentralModel,
        asked: DeviceRequest<'_>,
    ) -> Result<AdaptedDevice, Interruption> {
        let mut adapted = self.adapt_once(run, run.observer, row, visit, central, asked)?;
        for fraction in asked.budgets {
            let settings = DeviceSettings { budget: asked.settings.budget * fraction, ..asked.settings.clone() };
            let called_away = DeviceRequest { settings: &settings, statistics: &Statistics::default(), budgets: &[] };
            // Unobserved: the plan knows one adaptation of each device.
            let early = self.adapt_once(run, &Unobserved, row, visit, central, called_away)?;
            adapted.early.push(early.record.accuracy);
        }
        Ok(adapted)
    }

    fn adapt_once(
        &self,
        run: &RunContext<'_>,
        observer: &dyn Observer,
        row: &str,
        visit: Visit,
        central: &CentralModel,
        asked: DeviceRequest<'_>,
    ) -> Result<AdaptedDevice, Interruption> {
        let Visit { device: index, number } = visit;
        let (devices, stage) = (self.tasks.len(), Stage::Adapting);
        let work = Work { row, seed: self.seed, device: index + 1, devices, stage, before: number };
        let DeviceRequest { settings, statistics, .. } = asked;
        let inputs = json!({
            "what": "adaptation",
            "central": central.digest,
            "task": self.tasks[index].digest,
            "device": settings,
            "statistics": statistics.options,
            "seed": self.seed,
            "index": index,
            "visit": number,
        });
        let compute = || {
            observer.begins(work);
            let central = central.load(run.stages)?;
            let task = self.task(index)?;
            let started = Instant::now();
            let device =
                InProcessDevice::new(&task, settings.clone(), &self.compute).with_statistics(statistics.asked.clone());
            let steps = Steps { observer, work };
            let expert = device.adapt(&central, visit.seed(self.root), &steps);
            let expert = expert.map_err(|cause| ExperimentError::Device {
                row: row.to_owned(),
                seed: self.seed,
                cause: Box::new(cause),
            })?;
            let seconds = started.elapsed().as_secs_f64();
            let scores = evaluate(&Model::load(&expert.model, &self.compute)?, &self.test(index)?);
            let bytes = expert.to_bytes()?;
            let record = AdaptationRecord {
                accuracy: scores.task_aware,
                seconds,
                bytes: bytes.len() as u64,
                digest: expert_digest(&expert)?,
                statistics: expert.manifest.statistics.keys().cloned().collect(),
            };
            let files = vec![(EXPERT, bytes), (LATENTS, latents_to_bytes(&scores.latents)?)];
            Ok(Computation { record, files, at_hand: Arc::new(expert) })
        };
        let stage = run.stages.stage(inputs, compute)?;
        observer.ends(work, Ending { seconds: stage.record.seconds, found: stage.at_hand.is_none() });
        Ok(AdaptedDevice::new(stage))
    }

    /// Lets a device adapt the initial weights, as if it were alone.
    pub(crate) fn adapt_alone(
        &self,
        run: &RunContext<'_>,
        row: &str,
        index: usize,
    ) -> Result<AdaptedDevice, ExperimentError> {
        // Without a centre, a penalty for leaving the central model has no meaning.
        let settings = DeviceSettings { proximal: 0.0, ..run.experiment.device.clone() };
        let budgets = &run.experiment.evaluation.budgets;
        let asked = DeviceRequest { settings: &settings, statistics: &Statistics::default(), budgets };
        redo(|| self.adapt_from(run, row, Visit { device: index, number: 0 }, &self.initial, asked))
    }
}

/// The digest of what a device sends, with its manifest. The bytes are not used, because safetensors writes metadata in any
/// order.
fn expert_digest(expert: &Expert) -> Result<Digest, ExperimentError> {
    let parts = json!([identity(&expert.model)?, expert.manifest]);
    Ok(Digest::of(parts.to_string().as_bytes()))
}
