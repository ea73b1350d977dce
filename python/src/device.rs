//! Devices that are written in Python: their class trains the model on the samples of the device's task.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use alluvium_device::{
    Announcement, Answer, Device, DeviceConfig, DeviceError, DevicePlace, DeviceRun, HandOut, OwnTask, TakenModel,
    plugin, with_statistics,
};
use alluvium_model::{Digest, Expert, HeadShape, Manifest, ModelState, Progress, Weights};
use alluvium_registry::{Family, schemars};
use alluvium_stream::{Task, TaskDataset};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::arrays::{to_arrays, to_weights};
use crate::drive::{Caller, NoAnswer};
use crate::models::description;
use crate::plugins::Plugin;
use crate::samples::SentSamples;

/// Devices that are written in Python. A class registers itself under a kind of its own, and a configuration names that kind.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "alluvium_registry::schemars")]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PythonDeviceConfig {
    /// The kind under which the class is registered.
    class: String,
    /// The options of the class.
    options: BTreeMap<String, Value>,
    /// Where its code runs.
    #[serde(skip, default = "Caller::current")]
    #[schemars(skip)]
    caller: Caller,
}

impl PythonDeviceConfig {
    fn plugin(&self) -> Result<Arc<Plugin>, DeviceError> {
        crate::plugins::plugin(Family::Device, &self.class).map_err(|problem| DeviceError::Option {
            option: "class",
            problem: format!("= \"{}\": {problem}", self.class),
            accepted: "a kind of `alluvium.kinds(\"device\")`".to_owned(),
        })
    }
}

#[plugin(kind = "_python")]
impl DeviceConfig for PythonDeviceConfig {
    fn revision(&self) -> Option<Digest> {
        self.plugin().ok().map(|plugin| plugin.revision.clone())
    }

    /// The device's class adapts the model; what a strategy asks for beside it is computed as for other devices.
    fn sends_statistics(&self) -> bool {
        true
    }

    fn check(&self, _run: &DeviceRun<'_>) -> Result<(), DeviceError> {
        self.plugin().map(drop)
    }

    fn build<'a>(&self, place: DevicePlace<'a>) -> Result<Box<dyn Device + 'a>, DeviceError> {
        let plugin = self.plugin()?;
        Ok(Box::new(PythonDevice { config: self.clone(), plugin, place, task: None, taken: TakenModel::default() }))
    }
}

/// One device.
struct PythonDevice<'a> {
    config: PythonDeviceConfig,
    plugin: Arc<Plugin>,
    place: DevicePlace<'a>,
    task: Option<Task>,
    taken: TakenModel,
}

impl fmt::Debug for PythonDevice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PythonDevice").field("kind", &self.config.class).finish_non_exhaustive()
    }
}

impl PythonDevice<'_> {
    /// The task of the stream, read when it is first needed.
    fn task(&mut self) -> Result<Task, DeviceError> {
        if let Some(task) = &self.task {
            return Ok(task.clone());
        }
        let name = self.place.task.clone();
        let task = self.place.stream.task(self.place.device);
        let task = task.map_err(|cause| DeviceError::Samples { task: name, cause: Box::new(cause) })?;
        self.task = Some(task.clone());
        Ok(task)
    }

    fn failed(&self, problem: impl fmt::Display) -> DeviceError {
        let message = format!("\"{}\" in Python: {problem}", self.config.class);
        DeviceError::Own { task: self.place.task.clone(), cause: message.into() }
    }

    /// The names and shapes of the tensors that the expert must have.
    fn wanted(&self, taken: &HandOut) -> Result<Vec<(String, Vec<usize>)>, DeviceError> {
        let broken = |cause| DeviceError::Model { task: self.place.task.clone(), cause: Box::new(cause) };
        let (model, head) = (&taken.model, &self.place.head);
        let latent_size = model.backbone.build(model.input, &self.place.compute).map_err(broken)?.latent_size();
        let shape = HeadShape { input: model.input, latent_size, classes: head.classes.len() };
        let initial = model.classifier.initial(shape, &mut taken.terms.seed.random());
        let mut wanted = Weights::new();
        wanted.extend_below(alluvium_model::BACKBONE, model.backbone_weights());
        wanted.extend_below(&head.prefix(), initial);
        Ok(wanted.iter().map(|(name, tensor)| (name.to_owned(), tensor.shape.clone())).collect())
    }

    /// The expert of these tensors.
    fn expert(&self, taken: &HandOut, weights: Weights, samples: usize, steps: usize) -> Result<Expert, DeviceError> {
        let broken = |cause| DeviceError::Model { task: self.place.task.clone(), cause: Box::new(cause) };
        let wanted = self.wanted(taken)?;
        for (name, expected) in &wanted {
            let found = weights.get(name).map(|tensor| &tensor.shape);
            if found != Some(expected) {
                let has = found.map_or("lacks".to_owned(), |found| format!("has the shape {found:?} for"));
                return Err(
                    self.failed(format!("its model {has} the tensor `{name}`; accepted: the shape {expected:?}"))
                );
            }
        }
        let own = weights.iter().filter(|(name, _)| wanted.iter().any(|(wanted, _)| wanted == name));
        // Heads of other tasks that the model had are left behind; computations in Python easily widen to 64 bits.
        let weights: Weights = own.map(|(name, tensor)| (name.to_owned(), tensor.rounded_to_single())).collect();
        weights.check_finite().map_err(broken)?;
        let model = ModelState { heads: vec![self.place.head.clone()], weights, ..taken.model.with_heads(|_| false) };
        let manifest = Manifest {
            task: taken.terms.device,
            task_name: self.place.task.clone(),
            samples,
            steps,
            parent: taken.parent(),
            digest: model.digest(),
            statistics: BTreeMap::new(),
        };
        Expert::new(model, manifest).map_err(broken)
    }
}

impl Device for PythonDevice<'_> {
    fn request(&mut self) -> Result<Announcement, DeviceError> {
        if let Some(announced) = &self.place.announced {
            return Ok(announced.clone());
        }
        let task = self.task()?;
        let digest = task.training_digest();
        let digest =
            digest.map_err(|cause| DeviceError::Samples { task: task.name.clone(), cause: Box::new(cause) })?;
        Ok(Announcement { task: task.name.clone(), head: task.head.clone(), samples: Some(task.train.len()), digest })
    }

    fn take(&mut self, model: HandOut) -> Result<(), DeviceError> {
        self.taken.take(&self.place.task, model)
    }

    fn answer(&mut self, progress: &dyn Progress) -> Result<Answer, DeviceError> {
        let taken = self.taken.answer(&self.place.task)?;
        let task = self.task()?;
        let count = task.train.len();
        let samples = SentSamples::of(&task.train, &task.head).map_err(|problem| self.failed(problem))?;
        let mut given = ModelState::clone(&taken.model);
        // The head of a new task gets the same initial weights as for a device in Rust.
        let latent_size = given.backbone.build(given.input, &self.place.compute).map(|built| built.latent_size());
        let latent_size = latent_size.map_err(|error| self.failed(error))?;
        given = given.with_heads(|head| head.name == task.head.name);
        given.grow_head(&task.head, latent_size, taken.terms.seed);
        let (described, weights) = (description(&given).to_string(), given.weights);
        let classes: Vec<_> = task
            .head
            .classes
            .iter()
            .map(|class| self.place.class_names.get(*class).cloned().unwrap_or_default())
            .collect();
        let told = json!({"task": task.name, "head": task.head.name, "classes": classes, "device": taken.terms.device});
        let (told, seed) = (told.to_string(), taken.terms.seed.number());
        let (plugin, options) = (self.plugin.clone(), json!(self.config.options).to_string());
        let (sender, from_python) = channel();
        let steps = NativeSteps { sender: sender.clone() };
        let sent = self.config.caller.send(move |py, noted| {
            let adapted = adapted(py, &plugin, (options, described, weights, told, samples, seed), steps);
            _ = sender.send(DeviceMessage::Done(adapted.map_err(|error| noted.note(py, error))));
        });
        sent.map_err(|cause| self.failed(cause))?;
        let adapted = loop {
            match from_python.recv() {
                Ok(DeviceMessage::Step(done, steps)) => progress.step(done, steps),
                Ok(DeviceMessage::Done(done)) => break done,
                Err(_) => break Err(NoAnswer::Stopped),
            }
        };
        let adapted = adapted.map_err(|cause| self.failed(cause))?;
        let (weights, steps) = adapted;
        let weights = weights.map_err(|problem| self.failed(problem))?;
        let expert = self.expert(&taken, weights, count, steps)?;
        let own = OwnTask { name: &task.name, dataset: TaskDataset { head: &task.head, samples: &task.train } };
        let expert = with_statistics(expert, &taken, own, &self.place.statistics, &self.place.compute)?;
        Ok(Answer::Expert(Box::new(expert)))
    }
}

/// The tensors of the adapted model (or what is wrong with them), and the number of steps.
type Adapted = (Result<Weights, String>, usize);

/// What Python code sends while it adapts.
enum DeviceMessage {
    Step(usize, usize),
    Done(Result<Adapted, NoAnswer>),
}

/// Options, description, weights, facts about the task, samples and seed.
type AdaptationInputs = (String, String, Weights, String, SentSamples, u64);

/// Calls the class.
fn adapted(
    py: Python<'_>,
    plugin: &Plugin,
    (options, described, weights, told, samples, seed): AdaptationInputs,
    steps: NativeSteps,
) -> PyResult<Adapted> {
    let instance = plugin.adapter.call_method1(py, "build", (options,))?;
    let arguments = (described, to_arrays(py, weights)?, told, samples.into_python(py)?, seed, steps);
    let returned = instance.call_method1(py, "run_adaptation", arguments)?;
    let (arrays, steps): (Bound<'_, PyDict>, usize) = returned.extract(py)?;
    Ok((to_weights(&arrays), steps))
}

/// Reports the steps of a device.
#[pyclass(frozen, module = "alluvium._alluvium")]
struct NativeSteps {
    sender: Sender<DeviceMessage>,
}

#[pymethods]
impl NativeSteps {
    /// Reports that `done` of `steps` steps are taken.
    fn step(&self, done: usize, steps: usize) {
        _ = self.sender.send(DeviceMessage::Step(done, steps));
    }
}
