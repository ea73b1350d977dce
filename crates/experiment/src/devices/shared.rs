//! The setup that all cells of one seed share: the stream, the test sets, the initial weights, and the devices.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alluvium_config::{Experiment, KnownParts, Protocol};
use alluvium_device::{
    Announcement, Answer, Beside, Device, DeviceConfig, DeviceError, DeviceOrigin, DevicePlace, DeviceSettings,
    DeviceStatistic, Terms, check_expert,
};
use alluvium_evaluate::{TestSet, evaluate};
use alluvium_model::{BackboneFacts, ClassifierFacts, Digest, Expert, HeadShape, HeadSpec, Model, Progress, Seed};
use alluvium_strategy::{RunDescription, StrategyConfig};
use alluvium_stream::{SoundClip, Task, TaskStream};
use burn::tensor::Device as Compute;
use serde_json::{Value, json};

use crate::ExperimentError;
use crate::context::RunContext;
use crate::devices::outlines::Outlines;
use crate::devices::stated::StatedByDevices;
use crate::devices::{FurtherTests, OwnModels, SharedHeads, TaskNote, first_model};
use crate::progress::{Ending, Observer, Stage, Steps, Unobserved, Work};
use crate::protocol::{HandedOutModel, Visit};
use crate::stored::{
    AdaptationRecord, AdaptedDevice, CentralModel, Computation, EXPERT, Interruption, LATENTS, expert_digest,
    latents_to_bytes, redo,
};

/// What a device is asked to do.
#[derive(Clone, Copy)]
pub(crate) struct DeviceRequest<'a> {
    /// Which devices, and how they adapt.
    pub(crate) devices: &'a dyn DeviceConfig,
    /// The statistics that it computes of its samples.
    pub(crate) statistics: &'a Statistics,
    /// The tensors that are handed out beside the model.
    pub(crate) beside: &'a Arc<Beside>,
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
    /// The digest of code that the strategy runs outside this program, and that may compute them.
    revision: Option<Digest>,
}

impl Statistics {
    pub(crate) fn asked_by(config: &dyn StrategyConfig) -> Result<Self, ExperimentError> {
        let asked = config.statistics();
        if asked.is_empty() {
            return Ok(Statistics::default());
        }
        let options = serde_json::to_value(config).map_err(|error| ExperimentError::Record(error.to_string()))?;
        Ok(Statistics { asked, options, revision: config.revision() })
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.asked.iter().map(|statistic| statistic.name().to_owned()).collect()
    }
}

/// The stream, the test sets and the initial weights under one seed.
pub(crate) struct SharedSetup {
    pub(crate) seed: u64,
    pub(crate) root: Seed,
    /// Each task without its samples.
    pub(crate) tasks: Vec<TaskNote>,
    stream: Box<dyn TaskStream>,
    outlines: Outlines,
    /// The test sets that no task has.
    pub(crate) further: FurtherTests,
    /// Whether the centre has test samples, so that it can judge models.
    pub(crate) judges: bool,
    /// All test sets, if they are small enough to stay on the compute device.
    tests: Option<Vec<TestSet>>,
    pub(crate) initial: CentralModel,
    /// The devices with networks of their own, if there are any.
    own: Option<OwnModels>,
    /// The heads that tasks share, if they share any.
    pub(crate) heads: Option<Arc<SharedHeads>>,
    pub(crate) class_names: Vec<String>,
    known: KnownParts,
    pub(crate) compute: Compute,
    /// Whether the devices are outside of this process: they state what they learn, and no sample is read to find it out.
    outside: bool,
    stated: StatedByDevices,
}

/// Test sets of at most this many bytes stay on the compute device. Larger ones are moved there each time.
const MOST_TEST_BYTES: usize = 256 << 20;

impl SharedSetup {
    pub(crate) fn new(experiment: &Experiment, seed: u64, compute: &Compute) -> Result<Self, ExperimentError> {
        let root = Seed::new(seed);
        let stream = experiment.stream.build(root)?;
        let outlines = Outlines::of(stream.as_ref(), experiment.device.tasks(), root)?;
        // Devices that define their tasks may have other heads than the stream.
        let further = match &outlines {
            Outlines::Stream => FurtherTests::of(stream.as_ref(), compute)?,
            Outlines::Devices(_) => FurtherTests::default(),
        };
        let mut tasks = vec![];
        let judges = experiment.stream.holds_samples();
        let mut tests = judges.then(Vec::new);
        let mut test_bytes = 0;
        // One task at a time: all samples together may not fit into memory. Training samples are not read here.
        for index in 0..outlines.len(stream.as_ref()) {
            let (entry, outline) = outlines.get(stream.as_ref(), index)?;
            // Streams of other crates are checked, too.
            if judges {
                outline.check()?;
            }
            test_bytes += outline.test.values().saturating_mul(size_of::<f32>());
            match &mut tests {
                Some(kept) if test_bytes <= MOST_TEST_BYTES => kept.push(TestSet::new(&outline, compute)),
                _ => tests = None,
            }
            tasks.push(TaskNote::of(&outline, entry)?);
        }
        let initial = first_model(experiment, stream.as_ref(), &tasks, root, compute)?;
        let heads = SharedHeads::of(&tasks, &initial, root, compute)?;
        let initial = CentralModel::initial(initial)?;
        let class_names = stream.class_names().to_vec();
        let facts = BackboneFacts::of(experiment.backbone.as_ref(), stream.input(), compute)?;
        let head = HeadShape { input: stream.input(), latent_size: facts.latent_size, classes: 2 };
        let classifier = ClassifierFacts::of(experiment.classifier.as_ref(), head, compute)?;
        let own = experiment.own_networks.as_ref();
        let unlike = own.map(|own| BackboneFacts::of(own.backbone.as_ref(), stream.input(), compute)).transpose()?;
        let known = KnownParts {
            stream: Some((stream.input(), tasks.len())),
            backbone: Some(facts.into()),
            classifier: Some(classifier.into()),
            unlike_backbone: unlike.map(Arc::new),
        };
        Ok(SharedSetup {
            seed,
            root,
            tasks,
            own: OwnModels::of(experiment, stream.input(), root, compute),
            stream,
            outlines,
            further,
            judges,
            tests,
            initial,
            heads: heads.map(Arc::new),
            class_names,
            known,
            compute: compute.clone(),
            outside: false,
            stated: StatedByDevices::default(),
        })
    }

    /// The setup of a centre whose devices are outside of this process.
    pub(crate) fn with_devices_outside(self) -> Self {
        SharedSetup { outside: true, ..self }
    }

    /// What strategies and surrogate data are told about a run under this protocol.
    pub(crate) fn describe(&self, experiment: &Experiment, protocol: &Protocol) -> RunDescription {
        experiment.describe(protocol, &self.known)
    }

    /// A task with its training samples, for a run whose devices live in this process.
    pub(crate) fn task(&self, index: usize) -> Result<Task, ExperimentError> {
        let task = self.stream.task(index)?;
        task.check()?;
        Ok(task)
    }

    /// A device of the stream, which has read no samples yet.
    fn device<'a>(
        &'a self,
        run: &RunContext<'a>,
        devices: &dyn DeviceConfig,
        index: usize,
        announced: Option<Announcement>,
        statistics: &'a Statistics,
    ) -> Result<Box<dyn Device + 'a>, DeviceError> {
        let task = &self.tasks[index];
        devices.build(DevicePlace {
            device: index,
            entry: task.entry,
            task: task.name.clone(),
            head: task.head.clone(),
            class_names: &self.class_names,
            input: self.stream.input(),
            backbone: run.experiment.backbone_of(index),
            stream: self.stream.as_ref(),
            announced,
            statistics: statistics.asked.clone(),
            origin: Some(DeviceOrigin {
                stream: run.experiment.stream.as_ref(),
                seed: self.seed,
                strategy: &statistics.options,
            }),
            compute: self.compute.clone(),
        })
    }

    /// Keeps what a device stated when it took a model.
    pub(crate) fn heard(&self, devices: &dyn DeviceConfig, index: usize, stated: &Announcement) {
        self.stated.keep(devices, index, stated);
    }

    /// The number of training samples that a device states, if it is known.
    pub(crate) fn training_samples(&self, run: &RunContext<'_>, index: usize) -> Option<usize> {
        if self.outside {
            return self.stated.by_any(index)?.samples;
        }
        self.announced(run, "", run.experiment.device.as_ref(), index).ok()?.samples
    }

    /// What a device states when it asks for the model. A device of a seed states the same to every row.
    pub(crate) fn announced(
        &self,
        run: &RunContext<'_>,
        row: &str,
        devices: &dyn DeviceConfig,
        index: usize,
    ) -> Result<Announcement, ExperimentError> {
        self.stated.or_ask(devices, index, || {
            let failed = |cause| self.failed(row, cause);
            let none = Statistics::default();
            let mut device = self.device(run, devices, index, None, &none).map_err(failed)?;
            let announced = device.request().map_err(failed)?;
            let task = &self.tasks[index];
            if announced.head != task.head {
                let shown = |head: &HeadSpec| format!("the head \"{}\" of the classes {:?}", head.name, head.classes);
                let (problem, accepted) = (format!("has {}", shown(&announced.head)), shown(&task.head));
                return Err(failed(DeviceError::Contradiction { task: task.name.clone(), problem, accepted }));
            }
            Ok(announced)
        })
    }

    fn failed(&self, row: &str, cause: DeviceError) -> ExperimentError {
        ExperimentError::Device { row: row.to_owned(), seed: self.seed, cause: Box::new(cause) }
    }

    /// The sound of a training sample, if the stream has sounds.
    pub(crate) fn sound(&self, task: usize, sample: usize) -> Option<SoundClip> {
        self.stream.sound(task, sample)
    }

    /// The test samples of a task.
    pub(crate) fn test(&self, index: usize) -> Result<TestSet, ExperimentError> {
        match self.tests.as_ref().and_then(|tests| tests.get(index)) {
            Some(test) => Ok(test.clone()),
            None => Ok(TestSet::new(&self.outlines.get(self.stream.as_ref(), index)?.1, &self.compute)),
        }
    }

    /// Lets a device answer for the model that it took, and judges its expert on its own task. For each requested fraction of
    /// its budget, a separate device adapts and stops there.
    ///
    /// # Errors
    /// [`ExperimentError::Lost`] if the device will never answer.
    pub(crate) fn answer(
        &self,
        run: &RunContext<'_>,
        row: &str,
        taken: &HandedOutModel,
        asked: DeviceRequest<'_>,
    ) -> Result<AdaptedDevice, Interruption> {
        let mut adapted = self.answer_once(run, run.observer, row, taken, asked)?;
        for fraction in asked.budgets {
            let training = asked.devices.training();
            let early = training.map(|all| DeviceSettings { budget: all.budget * fraction, ..all.clone() });
            let Some(devices) = early.and_then(|settings| asked.devices.with_training(settings)) else { continue };
            let statistics = &Statistics::default();
            let called_away = DeviceRequest { devices: devices.as_ref(), statistics, budgets: &[], ..asked };
            // Unobserved: the plan knows one adaptation of each device.
            let early = self.answer_once(run, &Unobserved, row, taken, called_away)?;
            adapted.early.push(early.record.accuracy.unwrap_or_default());
        }
        Ok(adapted)
    }

    fn answer_once(
        &self,
        run: &RunContext<'_>,
        observer: &dyn Observer,
        row: &str,
        taken: &HandedOutModel,
        asked: DeviceRequest<'_>,
    ) -> Result<AdaptedDevice, Interruption> {
        let Visit { device: index, number } = taken.visit();
        let (devices, stage) = (self.tasks.len(), Stage::Adapting);
        let work = Work { row, seed: self.seed, device: index + 1, devices, stage, before: number };
        let workers = workers(asked.devices);
        let settings = serde_json::to_value(workers).map_err(|error| ExperimentError::Record(error.to_string()))?;
        let files = workers.files().map_err(|cause| self.failed(row, cause))?;
        let announced = taken.announced();
        let mut inputs = json!({
            "what": "adaptation",
            "central": taken.model().digest,
            "task": announced.digest,
            "test": self.tasks[index].digest,
            "device": settings,
            "files": run.inputs.files.of(&files)?,
            "statistics": asked.statistics.options,
            "seed": self.seed,
            "index": index,
            "visit": number,
        });
        if let Some(revision) = workers.revision() {
            inputs["revision"] = json!(revision);
        }
        if let Some(revision) = &asked.statistics.revision {
            inputs["revision of the statistics"] = json!(revision);
        }
        if !asked.beside.is_empty() {
            let digests: BTreeMap<_, _> =
                asked.beside.iter().map(|(name, weights)| (name.clone(), weights.digest())).collect();
            inputs["beside"] = json!(digests);
        }
        if let Some(teacher) = taken.teacher() {
            inputs["teacher"] = json!(teacher.digest);
        }
        let compute = || {
            observer.begins(work);
            let terms = Terms { settings, statistics: asked.statistics.names(), ..taken.terms().clone() };
            let hand_out = taken.loaded(terms, run.stages)?;
            let started = Instant::now();
            let failed = |cause| self.failed(row, cause);
            let mut device =
                self.device(run, asked.devices, index, Some(announced.clone()), asked.statistics).map_err(failed)?;
            device.take(hand_out.clone()).map_err(failed)?;
            let steps = Steps { observer, work };
            let Some(expert) = awaited(device.as_mut(), &steps).map_err(failed)? else {
                let (row, seed) = (row.to_owned(), self.seed);
                return Err(ExperimentError::Lost { row, seed, device: index + 1 }.into());
            };
            check_expert(&expert, announced, &hand_out).map_err(failed)?;
            let seconds = device.worked().unwrap_or_else(|| started.elapsed()).as_secs_f64();
            self.arrival(index, Arc::new(expert), seconds, None)
        };
        let stage = run.stages.stage(inputs, compute)?;
        observer.ends(work, Ending { seconds: stage.record.seconds, found: stage.at_hand.is_none() });
        Ok(AdaptedDevice::new(stage, taken.model().clone()))
    }

    /// An expert that arrived, judged on its own task, as a stage to store. `reported` is what its device says of its accuracy, which
    /// counts where the centre has no test samples.
    pub(crate) fn arrival(
        &self,
        index: usize,
        expert: Arc<Expert>,
        seconds: f64,
        reported: Option<f64>,
    ) -> Result<Computation<AdaptationRecord, Arc<Expert>>, Interruption> {
        let load = || Model::load(&expert.model, &self.compute);
        let scores =
            self.judges.then(|| Ok::<_, ExperimentError>(evaluate(&load()?, &self.test(index)?))).transpose()?;
        let bytes = expert.to_bytes()?;
        let record = AdaptationRecord {
            accuracy: scores.as_ref().map(|scores| scores.task_aware).or(reported),
            seconds,
            bytes: bytes.len() as u64,
            statistics_bytes: expert.statistics_bytes(),
            digest: expert_digest(&expert)?,
            statistics: expert.manifest.statistics.keys().cloned().collect(),
            is_difference: expert.is_difference(),
        };
        let mut files = vec![(EXPERT, bytes)];
        if let Some(scores) = scores {
            files.push((LATENTS, latents_to_bytes(&scores.latents)?));
        }
        Ok(Computation { record, files, at_hand: expert })
    }

    /// The networks of devices' own, if the device at this index has one.
    pub(crate) fn own_network(&self, device: usize) -> Option<&OwnModels> {
        self.own.as_ref().filter(|own| own.has(device))
    }

    /// Lets a device adapt initial weights, those of the centre or of its own network, as if it were alone. The devices must train in
    /// this process.
    pub(crate) fn adapt_alone(
        &self,
        run: &RunContext<'_>,
        row: &str,
        index: usize,
    ) -> Result<AdaptedDevice, ExperimentError> {
        let devices = &run.experiment.device;
        let alone = devices.alone();
        let devices = alone.as_deref().unwrap_or(devices.as_ref());
        let beside = Arc::default();
        let asked = DeviceRequest {
            devices,
            statistics: &Statistics::default(),
            beside: &beside,
            budgets: &run.experiment.evaluation.budgets,
        };
        let announced = self.announced(run, row, devices, index)?;
        let initial = self.own_network(index).map_or_else(|| Ok(self.initial.clone()), |own| own.initial(index))?;
        let taken = HandedOutModel::alone(index, initial, announced, self.root);
        redo(|| self.answer(run, row, &taken, asked))
    }
}

/// The devices whose results these are: those that a pool works for, or they themselves.
pub(crate) fn workers(devices: &dyn DeviceConfig) -> &dyn DeviceConfig {
    devices.stands_for().unwrap_or(devices)
}

/// The time between two questions to a device that has not answered yet.
const PAUSE: Duration = Duration::from_millis(50);

/// Waits for the answer of a device; `None` if it will never come.
fn awaited(device: &mut (dyn Device + '_), progress: &dyn Progress) -> Result<Option<Expert>, DeviceError> {
    loop {
        match device.answer(progress)? {
            Answer::Expert(expert) => return Ok(Some(*expert)),
            Answer::Never => return Ok(None),
            Answer::Later => std::thread::sleep(PAUSE),
        }
    }
}
