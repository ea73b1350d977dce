//! The device's side of a centre that is driven from outside: what it states, how it adapts what it took, and what it sends.

use std::sync::Arc;

use alluvium_backend::BackendConfig;
use alluvium_device::{Announcement, Answer, DeviceConfig, DevicePlace, DeviceStatistic, HandOut, check_expert};
use alluvium_evaluate::{TestSet, evaluate};
use alluvium_experiment::one_thread;
use alluvium_model::{Digest, Expert, HeadSpec, InputShape, Model, Seed, Silent};
use alluvium_registry::{Family, carried};
use alluvium_strategy::StrategyConfig;
use alluvium_stream::{Samples, StreamConfig, StreamError, Task, TaskStream};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::arrays::to_arrays;
use crate::drive::work;
use crate::failure::Failure;
use crate::models::description;
use crate::plugins::{CARRIER, plugin};
use crate::sources::part;

/// What a device states: classes by their names, because it may number them as it likes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeviceStatement {
    pub(crate) task: String,
    pub(crate) head: String,
    pub(crate) classes: Vec<String>,
    pub(crate) samples: Option<usize>,
    pub(crate) digest: Digest,
}

/// What goes with a hand-out: what the device stated, in the numbers of the centre's stream.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Slip {
    pub(crate) visit: usize,
    pub(crate) announced: Announcement,
    /// The names of the head's classes, in its order.
    pub(crate) classes: Vec<String>,
    /// The table of the strategy, if it asks for statistics: the device computes them as it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) strategy: Option<Value>,
    /// The number of the task in the stream, if device and centre have the same one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) entry: Option<usize>,
}

/// A hand-out as bytes: the slip's length (8 bytes, little-endian), the slip as JSON, the hand-out.
pub(crate) fn packed(slip: &Slip, hand_out: &HandOut) -> Result<Vec<u8>, Failure> {
    let broken = |error: String| Failure::run(error);
    let slip = serde_json::to_vec(slip).map_err(|error| broken(error.to_string()))?;
    let hand_out = hand_out.to_bytes().map_err(|error| broken(error.to_string()))?;
    Ok([&(slip.len() as u64).to_le_bytes()[..], &slip, &hand_out].concat())
}

/// Reads what [`packed`] wrote.
pub(crate) fn unpacked(bytes: &[u8]) -> Result<(Slip, HandOut), Failure> {
    let broken = |problem: String| Failure::file(format!("these bytes are not a hand-out: {problem}"));
    let cut = || broken("they are cut short".to_owned());
    let (length, rest) = bytes.split_first_chunk::<8>().ok_or_else(cut)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| cut())?;
    let (slip, hand_out) = rest.split_at_checked(length).ok_or_else(cut)?;
    let slip = serde_json::from_slice(slip).map_err(|error| broken(error.to_string()))?;
    let hand_out = HandOut::from_bytes(hand_out).map_err(|error| broken(error.to_string()))?;
    Ok((slip, hand_out))
}

fn stream_of(table: &str, seed: u64) -> Result<Box<dyn TaskStream>, Failure> {
    let table: Value = serde_json::from_str(table).map_err(|error| Failure::config(error.to_string()))?;
    let (_, config) = part::<dyn StreamConfig>(Family::Stream, "stream", &table)?;
    Ok(config.build(Seed::new(seed))?)
}

/// The task of this name, or of this number.
fn task_of(stream: &dyn TaskStream, wanted: &str) -> Result<Task, Failure> {
    let mut names = vec![];
    for index in 0..stream.tasks() {
        let name = stream.outline(index)?.name;
        if name == wanted {
            return Ok(stream.task(index)?);
        }
        names.push(format!("\"{name}\""));
    }
    match wanted.parse::<usize>() {
        Ok(index) if index < stream.tasks() => Ok(stream.task(index)?),
        _ => Err(Failure::config(format!(
            "the device's stream has no task \"{wanted}\"; accepted: {}",
            names.join(", ")
        ))),
    }
}

/// What a device states about its task, as JSON.
#[pyfunction]
pub(crate) fn announce(py: Python<'_>, stream: String, task: String, seed: u64) -> PyResult<String> {
    work(py, move || {
        let stream = stream_of(&stream, seed)?;
        let task = task_of(stream.as_ref(), &task)?;
        let name = |class: &usize| stream.class_names().get(*class).cloned().unwrap_or_default();
        let stated = DeviceStatement {
            task: task.name.clone(),
            head: task.head.name.clone(),
            classes: task.head.classes.iter().map(name).collect(),
            samples: Some(task.train.len()),
            digest: task.training_digest()?,
        };
        Ok(json!(stated).to_string())
    })
}

/// Adapts what a device took to its own samples, as the settings that were handed out say, or as `device` says. Returns the expert as
/// bytes; and if `judge`, its accuracy on the device's own test samples, if there are any.
#[pyfunction]
#[pyo3(signature = (hand_out, stream, seed, device, judge))]
pub(crate) fn adapt<'py>(
    py: Python<'py>,
    hand_out: Vec<u8>,
    stream: String,
    seed: u64,
    device: Option<String>,
    judge: bool,
) -> PyResult<(Bound<'py, PyBytes>, Option<f64>)> {
    let (bytes, accuracy) = work(py, move || {
        let (slip, taken) = unpacked(&hand_out)?;
        let own = OwnTask::of(stream_of(&stream, seed)?, &slip)?;
        adapted(&slip, &taken, &own, device.as_deref(), judge)
    })?;
    Ok((PyBytes::new(py, &bytes), accuracy))
}

fn adapted(
    slip: &Slip,
    taken: &HandOut,
    own: &OwnTask,
    device: Option<&str>,
    judge: bool,
) -> Result<(Vec<u8>, Option<f64>), Failure> {
    let table: Value = match device {
        Some(device) => serde_json::from_str(device).map_err(|error| Failure::config(error.to_string()))?,
        None => taken.terms.settings.clone(),
    };
    let config: Box<dyn DeviceConfig> = match (device, &table) {
        (None, Value::Object(table)) => {
            // The settings that were handed out are written out in full already.
            let table = Value::Object(carried(Family::Device, table.clone()));
            let wrong = |problem: String| Failure::config(format!("the centre's [device]: {problem}"));
            let config: Box<dyn DeviceConfig> =
                serde_json::from_value(table).map_err(|error| wrong(error.to_string()))?;
            permitted(config.as_ref(), slip).map_err(wrong)?;
            config
        }
        _ => part::<dyn DeviceConfig>(Family::Device, "device", &table)?.1,
    };
    let (_, backend) = part::<dyn BackendConfig>(Family::Backend, "backend", &json!("flex"))?;
    let compute = backend.open().map_err(|error| Failure::run(error.to_string()))?;
    let place = DevicePlace {
        device: taken.terms.device,
        entry: taken.terms.device,
        task: slip.announced.task.clone(),
        head: slip.announced.head.clone(),
        class_names: own.class_names(),
        input: taken.model.input,
        backbone: &taken.model.backbone,
        stream: own,
        announced: Some(slip.announced.clone()),
        statistics: statistics(slip, taken)?,
        origin: None,
        compute: compute.clone(),
    };
    let failed = |error: alluvium_device::DeviceError| Failure::run(error.to_string());
    // On one thread, also inside an operation, as the devices of a comparison work: the numbers are the same.
    let pool = one_thread().map_err(|error| Failure::run(error.to_string()))?;
    let expert = pool.install(|| {
        let mut device = config.build(place).map_err(failed)?;
        device.take(taken.clone()).map_err(failed)?;
        loop {
            match device.answer(&Silent).map_err(failed)? {
                Answer::Expert(expert) => return Ok(expert),
                Answer::Later => std::thread::sleep(std::time::Duration::from_millis(20)),
                Answer::Never => return Err(Failure::run("the device will never answer")),
            }
        }
    })?;
    // What the centre will check, said where it can be mended.
    check_expert(&expert, &slip.announced, taken).map_err(failed)?;
    let broken = |error: alluvium_model::ModelError| Failure::run(error.to_string());
    let accuracy = || {
        let test = TestSet::new(&own.task.clone().into(), &compute);
        let model = Model::load(&expert.model, &compute).map_err(broken)?;
        Ok::<_, Failure>(Some(evaluate(&model, &test).task_aware))
    };
    let accuracy = if judge && !own.task.test.is_empty() { pool.install(accuracy)? } else { None };
    Ok((expert.to_bytes().map_err(broken)?, accuracy))
}

/// Checks that a device which the centre names runs no program and reads no file of this machine. The operator of a worker of a pool
/// permits the files.
fn permitted(config: &dyn DeviceConfig, slip: &Slip) -> Result<(), String> {
    let kind = config.typetag_name();
    // Classes in Python were registered by the operator of this machine.
    if config.training().is_none() && kind != CARRIER {
        return Err(format!(
            "devices of the kind \"{kind}\" run programs or read files of this machine, so the centre may not name them; accepted: \
             that you name them here, with `device`"
        ));
    }
    let files = config.files().map_err(|error| error.to_string())?;
    match files.first().filter(|_| slip.entry.is_none()) {
        None => Ok(()),
        Some(file) => Err(format!(
            "it reads {} of this machine, which the centre may not ask for; accepted: that you name the devices here, with `device`",
            file.display()
        )),
    }
}

/// The statistics that the device is asked for.
fn statistics(slip: &Slip, taken: &HandOut) -> Result<Vec<Arc<dyn DeviceStatistic>>, Failure> {
    let wrong = |problem: String| Failure::file(format!("the statistics that the centre asks for: {problem}"));
    let asked = match &slip.strategy {
        None => vec![],
        Some(Value::Object(table)) => {
            let table = Value::Object(carried(Family::Strategy, table.clone()));
            // Code of a strategy in Python never travels: whoever runs this machine installs it.
            if let (Some(CARRIER), Some(class)) = (table["kind"].as_str(), table["class"].as_str()) {
                plugin(Family::Strategy, class).map_err(Failure::config)?;
            }
            let strategy = serde_json::from_value::<Box<dyn StrategyConfig>>(table);
            strategy.map_err(|error| wrong(error.to_string()))?.statistics()
        }
        Some(_) => return Err(wrong("its strategy is not a table".to_owned())),
    };
    let names: Vec<_> = asked.iter().map(|statistic| statistic.name().to_owned()).collect();
    if names != taken.terms.statistics {
        let list = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let (own, theirs) = (list(&names), list(&taken.terms.statistics));
        return Err(wrong(format!("its strategy asks for {own}, the hand-out for {theirs}")));
    }
    Ok(asked)
}

/// A device's own stream, seen as the centre numbers it: one task, at the place that the centre gave it.
#[derive(Debug)]
struct OwnTask {
    input: InputShape,
    /// The names of the classes by the centre's numbers; those of other tasks are empty.
    class_names: Vec<String>,
    task: Task,
    tasks: usize,
}

impl OwnTask {
    fn of(stream: Box<dyn TaskStream>, slip: &Slip) -> Result<Self, Failure> {
        let own = match slip.entry {
            None => task_of(stream.as_ref(), &slip.announced.task)?,
            Some(entry) => stream.task(entry)?,
        };
        if slip.entry.is_some() && own.training_digest()? != slip.announced.digest {
            return Err(Failure::config(format!(
                "the samples of the task \"{}\" here are not those of the process that asks; accepted: a stream that gives the same \
                 samples on both machines",
                slip.announced.task
            )));
        }
        let HeadSpec { classes, .. } = &slip.announced.head;
        let mut class_names = vec![String::new(); classes.iter().max().map_or(0, |most| most + 1)];
        for (class, name) in classes.iter().zip(&slip.classes) {
            class_names[*class].clone_from(name);
        }
        let names = stream.class_names();
        let number = |own: usize| {
            let name = names.get(own)?;
            classes.iter().zip(&slip.classes).find(|(_, other)| *other == name).map(|(class, _)| *class)
        };
        let renumbered = |samples: Samples| {
            let labels: Option<Vec<_>> = samples.labels().iter().map(|label| number(*label)).collect();
            let labels = labels.ok_or_else(|| {
                let stated = slip.classes.join(", ");
                Failure::config(format!("the device's samples have classes beside those that it stated: {stated}"))
            })?;
            Ok::<_, Failure>(samples.relabelled(|index, _| labels[index]))
        };
        let (train, test) = (renumbered(own.train)?, renumbered(own.test)?);
        let head = slip.announced.head.clone();
        let task = Task { index: own.index, name: own.name, head, train, test };
        Ok(OwnTask { input: stream.input(), class_names, task, tasks: usize::MAX })
    }
}

impl TaskStream for OwnTask {
    fn input(&self) -> InputShape {
        self.input
    }

    fn value_type(&self) -> alluvium_stream::ValueType {
        self.task.train.value_type()
    }

    fn class_names(&self) -> &[String] {
        &self.class_names
    }

    fn tasks(&self) -> usize {
        self.tasks
    }

    fn task(&self, _index: usize) -> Result<Task, StreamError> {
        Ok(self.task.clone())
    }
}

/// A hand-out in parts: the slip and the terms as JSON, the model's description, and its arrays.
#[pyfunction]
pub(crate) fn hand_out_parts<'py>(
    py: Python<'py>,
    bytes: &[u8],
) -> PyResult<(String, String, String, Bound<'py, PyDict>)> {
    let (slip, hand_out) = unpacked(bytes).map_err(|failure| failure.raise(py, None))?;
    let HandOut { model, terms, .. } = hand_out;
    let described = description(&model).to_string();
    let arrays = to_arrays(py, Arc::unwrap_or_clone(model).weights)?;
    Ok((json!(slip).to_string(), terms.declared().to_string(), described, arrays))
}

/// An expert's bytes in parts: its manifest as JSON, the model's description, and its arrays. It is checked against the hand-out.
#[pyfunction]
pub(crate) fn expert_parts<'py>(
    py: Python<'py>,
    bytes: &[u8],
    hand_out: &[u8],
) -> PyResult<(String, String, Bound<'py, PyDict>)> {
    let raised = |failure: Failure| failure.raise(py, None);
    let (slip, taken) = unpacked(hand_out).map_err(raised)?;
    let wrong = |error: String| Failure::file(error).raise(py, None);
    let expert = Expert::received(bytes, &taken.model).map_err(|error| wrong(error.to_string()))?;
    check_expert(&expert, &slip.announced, &taken).map_err(|error| wrong(error.to_string()))?;
    let described = description(&expert.model).to_string();
    let manifest = json!(expert.manifest).to_string();
    Ok((manifest, described, to_arrays(py, expert.model.weights)?))
}
