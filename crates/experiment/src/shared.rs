//! What all cells of one seed share: the stream, the test sets, the initial weights, and each device alone.

use std::sync::Arc;
use std::time::Instant;

use alluvium_device::{Device, InProcessDevice};
use alluvium_evaluate::{TestSet, evaluate};
use alluvium_model::{Expert, Model, ModelState, Seed};
use alluvium_stream::Task;
use burn::tensor::Device as Compute;

use crate::observe::Steps;
use crate::{Experiment, ExperimentError, Observer, Reference, Stage, Work};

/// The stream, the test sets and the initial weights under one seed.
pub(crate) struct Shared {
    pub(crate) seed: u64,
    pub(crate) root: Seed,
    pub(crate) tasks: Vec<Task>,
    pub(crate) tests: Vec<TestSet>,
    pub(crate) initial: ModelState,
    pub(crate) class_names: Vec<String>,
    pub(crate) compute: Compute,
}

/// A device that was adapted, and what it is worth.
#[derive(Clone)]
pub(crate) struct Adapted {
    pub(crate) expert: Arc<Expert>,
    /// The expert's accuracy on its own task.
    pub(crate) accuracy: f64,
    /// The expert's latents on its own task's test samples.
    pub(crate) latents: burn::tensor::Tensor<2>,
    /// How long it took to adapt, in seconds.
    pub(crate) seconds: f64,
}

impl Shared {
    pub(crate) fn new(experiment: &Experiment, seed: u64, compute: &Compute) -> Result<Self, ExperimentError> {
        let root = Seed::new(seed);
        let stream = experiment.stream.build(root)?;
        let tasks = (0..stream.tasks()).map(|index| stream.task(index)).collect::<Result<Vec<_>, _>>()?;
        let tests = tasks.iter().map(|task| TestSet::new(task, compute)).collect();
        let initial = ModelState::initial(experiment.backbone.clone(), stream.input(), root, compute)?;
        let class_names = stream.class_names().to_vec();
        Ok(Shared { seed, root, tasks, tests, initial, class_names, compute: compute.clone() })
    }

    /// A device takes a central model, adapts it, and is judged on its own task.
    pub(crate) fn adapt(
        &self,
        experiment: &Experiment,
        row: &str,
        index: usize,
        central: &ModelState,
        observer: &dyn Observer,
    ) -> Result<Adapted, ExperimentError> {
        let work = Work { row, seed: self.seed, device: index + 1, devices: self.tasks.len(), stage: Stage::Adapting };
        observer.begins(work);
        let started = Instant::now();
        let device = InProcessDevice::new(&self.tasks[index], experiment.device.clone(), &self.compute);
        let expert =
            device.adapt(central, self.root.at("device", index), &Steps { observer, work }).map_err(|cause| {
                ExperimentError::Device { row: row.to_owned(), seed: self.seed, cause: Box::new(cause) }
            })?;
        let seconds = started.elapsed().as_secs_f64();
        let scores = evaluate(&Model::load(&expert.model, &self.compute)?, &self.tests[index]);
        Ok(Adapted { expert: Arc::new(expert), accuracy: scores.task_aware, latents: scores.latents, seconds })
    }

    /// A device that starts from the initial weights, as if it were alone.
    pub(crate) fn adapt_alone(
        &self,
        experiment: &Experiment,
        index: usize,
        observer: &dyn Observer,
    ) -> Result<Adapted, ExperimentError> {
        self.adapt(experiment, Reference::DevicesAlone.name(), index, &self.initial, observer)
    }
}
