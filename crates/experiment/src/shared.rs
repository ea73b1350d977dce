//! What all cells of one seed share: the stream, the test sets, the initial weights, and the devices.

use std::sync::Arc;
use std::time::Instant;

use alluvium_device::{Device, DeviceStatistic, InProcessDevice};
use alluvium_evaluate::{TestSet, evaluate};
use alluvium_model::{Digest, Expert, HeadSpec, Model, ModelState, Seed};
use alluvium_strategy::StrategyConfig;
use alluvium_stream::{Samples, Task};
use burn::tensor::Device as Compute;
use serde_json::{Value, json};

use crate::adapted::{AdaptationRecord, Adapted, EXPERT, LATENTS, latents_to_bytes};
use crate::central::{Central, identity};
use crate::observe::Steps;
use crate::run::Run;
use crate::stages::{Computed, Interruption, redo};
use crate::{Ending, Experiment, ExperimentError, Stage, Work};

/// The statistics that a strategy asks its devices for.
#[derive(Default)]
pub(crate) struct Asked {
    statistics: Vec<Arc<dyn DeviceStatistic>>,
    /// The options of the strategy, which they follow from; `null` where none are asked for, so that strategies that ask
    /// for nothing have devices in common.
    options: Value,
}

impl Asked {
    pub(crate) fn by(config: &dyn StrategyConfig) -> Result<Self, ExperimentError> {
        let statistics = config.statistics();
        let options = match statistics.is_empty() {
            true => Value::Null,
            false => serde_json::to_value(config).map_err(|error| ExperimentError::Record(error.to_string()))?,
        };
        Ok(Asked { statistics, options })
    }
}

/// The stream, the test sets and the initial weights under one seed.
pub(crate) struct Shared {
    pub(crate) seed: u64,
    pub(crate) root: Seed,
    pub(crate) tasks: Vec<Task>,
    /// The digest of each task with its samples.
    pub(crate) digests: Vec<Digest>,
    pub(crate) tests: Vec<TestSet>,
    pub(crate) initial: Central,
    pub(crate) class_names: Vec<String>,
    pub(crate) compute: Compute,
}

impl Shared {
    pub(crate) fn new(experiment: &Experiment, seed: u64, compute: &Compute) -> Result<Self, ExperimentError> {
        let root = Seed::new(seed);
        let stream = experiment.stream.build(root)?;
        let tasks = (0..stream.tasks()).map(|index| stream.task(index)).collect::<Result<Vec<_>, _>>()?;
        let digests = tasks.iter().map(digest).collect();
        let tests = tasks.iter().map(|task| TestSet::new(task, compute)).collect();
        let initial = ModelState::initial(experiment.backbone.clone(), stream.input(), root, compute)?;
        let initial = Central::initial(initial)?;
        let class_names = stream.class_names().to_vec();
        Ok(Shared { seed, root, tasks, digests, tests, initial, class_names, compute: compute.clone() })
    }

    /// A device takes a central model, adapts it, and is judged on its own task.
    pub(crate) fn adapt(
        &self,
        run: &Run<'_>,
        row: &str,
        index: usize,
        central: &Central,
        asked: &Asked,
    ) -> Result<Adapted, Interruption> {
        let work = Work { row, seed: self.seed, device: index + 1, devices: self.tasks.len(), stage: Stage::Adapting };
        let settings = &run.experiment.device;
        let inputs = json!({
            "what": "adaptation",
            "central": central.digest,
            "task": self.digests[index],
            "device": settings,
            "statistics": asked.options,
            "seed": self.seed,
            "index": index,
        });
        let compute = || {
            run.observer.begins(work);
            let central = central.load(run.stages)?;
            let started = Instant::now();
            let device = InProcessDevice::new(&self.tasks[index], settings.clone(), &self.compute)
                .with_statistics(asked.statistics.clone());
            let steps = Steps { observer: run.observer, work };
            let expert = device.adapt(&central, self.root.at("device", index), &steps);
            let expert = expert.map_err(|cause| ExperimentError::Device {
                row: row.to_owned(),
                seed: self.seed,
                cause: Box::new(cause),
            })?;
            let seconds = started.elapsed().as_secs_f64();
            let scores = evaluate(&Model::load(&expert.model, &self.compute)?, &self.tests[index]);
            let bytes = expert.to_bytes()?;
            let record = AdaptationRecord {
                accuracy: scores.task_aware,
                seconds,
                bytes: bytes.len() as u64,
                digest: expert_digest(&expert)?,
            };
            let files = vec![(EXPERT, bytes), (LATENTS, latents_to_bytes(&scores.latents)?)];
            Ok(Computed { record, files, at_hand: (Arc::new(expert), scores.latents) })
        };
        let stage = run.stages.stage(inputs, compute)?;
        run.observer.ends(work, Ending { seconds: stage.record.seconds, found: stage.at_hand.is_none() });
        Ok(Adapted::new(stage))
    }

    /// A device that starts from the initial weights, as if it were alone.
    pub(crate) fn adapt_alone(&self, run: &Run<'_>, row: &str, index: usize) -> Result<Adapted, ExperimentError> {
        redo(|| self.adapt(run, row, index, &self.initial, &Asked::default()))
    }
}

/// The digest of what a device sends, manifest and all. Not of the bytes: safetensors writes metadata in any order.
fn expert_digest(expert: &Expert) -> Result<Digest, ExperimentError> {
    let parts = json!([identity(&expert.model)?, expert.manifest]);
    Ok(Digest::of(parts.to_string().as_bytes()))
}

/// The digest of a task: its head, its name and all its samples.
fn digest(task: &Task) -> Digest {
    let samples = |samples: &Samples| {
        let images = (0..samples.len()).flat_map(|index| samples.image(index));
        let labels = samples.labels().iter().flat_map(|label| (*label as u64).to_le_bytes());
        Digest::of(&images.copied().chain(labels).collect::<Vec<_>>())
    };
    let HeadSpec { name, classes } = &task.head;
    let parts = json!([task.name, name, classes, task.train.input(), samples(&task.train), samples(&task.test)]);
    Digest::of(parts.to_string().as_bytes())
}
