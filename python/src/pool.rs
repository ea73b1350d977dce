//! Devices of the kind `flower`: a pool does their work, in other processes.

use std::fmt;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use alluvium_device::{
    Announcement, Answer, Device, DeviceConfig, DeviceError, DevicePlace, DeviceRun, DeviceSettings, DeviceStart,
    HandOut, TakenModel, check_expert, plugin,
};
use alluvium_device_in_process::InProcessConfig;
use alluvium_model::{Digest, Expert, Progress};
use alluvium_registry::{Family, schemars};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::drive::Caller;
use crate::failure::Failure;
use crate::plugins::named;
use crate::remote::{Slip, packed};
use crate::sources::part;

/// How long a device waits for its answer before it looks whether the work is being stopped.
const PATIENCE: Duration = Duration::from_millis(100);

/// Devices whose work a pool does, such as the nodes of Flower, in place of this process. The results are those of one process whose
/// devices are `adapt`. Only for comparisons from Python: a server app of `alluvium.flower`, or `alluvium.compare` with `pool=…`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "alluvium_registry::schemars")]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FlowerConfig {
    /// The devices: a table with the `kind` and the options of any other `[device]`. Default: `in-process` with its defaults.
    #[schemars(with = "Map<String, Value>")]
    adapt: Adapting,
    /// Whose pool it is.
    #[serde(skip, default = "Caller::current")]
    #[schemars(skip)]
    caller: Caller,
}

/// The devices whose work it is.
#[derive(Debug, Clone)]
struct Adapting(Arc<dyn DeviceConfig>);

impl Default for Adapting {
    fn default() -> Self {
        Adapting(Arc::new(InProcessConfig::default()))
    }
}

impl Serialize for Adapting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Adapting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut table = Map::deserialize(deserializer)?;
        table.entry("kind").or_insert_with(|| "in-process".into());
        let read = part::<dyn DeviceConfig>(Family::Device, "adapt", &Value::Object(named(table)));
        let (kind, devices) = read.map_err(D::Error::custom)?;
        if kind == "flower" {
            return Err(D::Error::custom("`adapt` names the kind \"flower\"; accepted: any other kind of device"));
        }
        Ok(Adapting(devices.into()))
    }
}

impl FlowerConfig {
    fn of(&self, devices: Box<dyn DeviceConfig>) -> Box<dyn DeviceConfig> {
        Box::new(FlowerConfig { adapt: Adapting(devices.into()), caller: self.caller.clone() })
    }
}

#[plugin(kind = "flower")]
impl DeviceConfig for FlowerConfig {
    fn stands_for(&self) -> Option<&dyn DeviceConfig> {
        Some(self.adapt.0.as_ref())
    }

    fn training(&self) -> Option<&DeviceSettings> {
        self.adapt.0.training()
    }

    fn with_training(&self, settings: DeviceSettings) -> Option<Box<dyn DeviceConfig>> {
        self.adapt.0.with_training(settings).map(|devices| self.of(devices))
    }

    fn alone(&self) -> Option<Box<dyn DeviceConfig>> {
        self.adapt.0.alone().map(|devices| self.of(devices))
    }

    fn start(&self) -> DeviceStart {
        self.adapt.0.start()
    }

    fn sends_statistics(&self) -> bool {
        self.adapt.0.sends_statistics()
    }

    fn files(&self) -> Result<Vec<PathBuf>, DeviceError> {
        self.adapt.0.files()
    }

    fn revision(&self) -> Option<Digest> {
        self.adapt.0.revision()
    }

    fn check(&self, run: &DeviceRun<'_>) -> Result<(), DeviceError> {
        if self.adapt.0.tasks().is_some() {
            let problem = format!("= {} defines the tasks, by files of this machine", self.adapt.0.typetag_name());
            let accepted = "devices that learn the stream's tasks".to_owned();
            return Err(DeviceError::Option { option: "adapt", problem, accepted });
        }
        // Stages are stored as those of the experiment's backend.
        if *run.compute != burn::tensor::Device::flex() {
            let problem = "works on the backend `flex`, and this experiment on another one".to_owned();
            return Err(DeviceError::Option {
                option: "kind",
                problem,
                accepted: "[backend] kind = \"flex\"".to_owned(),
            });
        }
        self.adapt.0.check(run)
    }

    fn build<'a>(&self, place: DevicePlace<'a>) -> Result<Box<dyn Device + 'a>, DeviceError> {
        Ok(Box::new(PoolDevice { config: self.clone(), place, taken: TakenModel::default(), worked: None }))
    }
}

/// One device.
struct PoolDevice<'a> {
    config: FlowerConfig,
    place: DevicePlace<'a>,
    taken: TakenModel,
    worked: Option<Duration>,
}

impl fmt::Debug for PoolDevice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolDevice").field("task", &self.place.task).finish_non_exhaustive()
    }
}

impl PoolDevice<'_> {
    fn failed(&self, problem: impl fmt::Display) -> DeviceError {
        DeviceError::Own { task: self.place.task.clone(), cause: problem.to_string().into() }
    }

    /// The job as bytes, and what its worker needs beside them: the stream's table and the seed.
    fn job(&self, taken: &HandOut, announced: &Announcement) -> Result<(Vec<u8>, String, u64), DeviceError> {
        let origin = self.place.origin.as_ref().ok_or_else(|| self.failed("this process cannot say its stream"))?;
        let stream = serde_json::to_value(origin.stream).map_err(|error| self.failed(error))?;
        let name = |class: &usize| self.place.class_names.get(*class).cloned().unwrap_or_default();
        let slip = Slip {
            visit: taken.terms.visit,
            classes: announced.head.classes.iter().map(name).collect(),
            announced: announced.clone(),
            strategy: Some(origin.strategy.clone()).filter(|strategy| !strategy.is_null()),
            entry: Some(taken.terms.device),
        };
        let bytes = packed(&slip, taken).map_err(|error| self.failed(error))?;
        let Value::Object(stream) = stream else { return Err(self.failed("the stream is not a table")) };
        Ok((bytes, Value::Object(named(stream)).to_string(), origin.seed))
    }
}

impl Device for PoolDevice<'_> {
    fn request(&mut self) -> Result<Announcement, DeviceError> {
        if let Some(announced) = &self.place.announced {
            return Ok(announced.clone());
        }
        self.config.adapt.0.build(self.place.clone())?.request()
    }

    fn take(&mut self, model: HandOut) -> Result<(), DeviceError> {
        self.taken.take(&self.place.task, model)
    }

    fn answer(&mut self, _progress: &dyn Progress) -> Result<Answer, DeviceError> {
        let taken = self.taken.answer(&self.place.task)?;
        let announced = self.request()?;
        let (job, stream, seed) = self.job(&taken, &announced)?;
        let (sender, answered) = channel();
        let task = self.place.task.clone();
        let native =
            NativeJob { sender: Mutex::new(Some(sender)), taken: Box::new(taken), announced, begun: Instant::now() };
        let pool = self.config.caller.pool().ok_or_else(|| {
            self.failed(
                "devices of the kind \"flower\" need a pool; accepted: `flwr run` with an app of `alluvium.flower`, or \
                 `alluvium.compare(…, pool=…)`",
            )
        })?;
        let submitted = self
            .config
            .caller
            .call(move |py| pool.call1(py, (PyBytes::new(py, &job), stream, seed, task, native)).map(drop));
        submitted.map_err(|cause| self.failed(cause))?;
        let (expert, seconds) = self.waited(&answered)?.map_err(|reason| self.failed(reason))?;
        self.worked = Some(seconds);
        Ok(Answer::Expert(Box::new(expert)))
    }

    fn worked(&self) -> Option<Duration> {
        self.worked
    }
}

/// The expert and the time that the device worked, or why there is none.
type Answered = Result<(Expert, Duration), String>;

impl PoolDevice<'_> {
    fn waited(&self, answered: &Receiver<Answered>) -> Result<Answered, DeviceError> {
        loop {
            match answered.recv_timeout(PATIENCE) {
                Ok(answer) => return Ok(answer),
                Err(RecvTimeoutError::Timeout) if !self.config.caller.stopped() => {}
                Err(RecvTimeoutError::Timeout) => return Err(self.failed("the work was stopped")),
                Err(RecvTimeoutError::Disconnected) => return Err(self.failed("the pool dropped the job")),
            }
        }
    }
}

/// A job of a pool, which is answered once.
#[pyclass(frozen, module = "alluvium._alluvium")]
pub(crate) struct NativeJob {
    sender: Mutex<Option<Sender<Answered>>>,
    taken: Box<HandOut>,
    announced: Announcement,
    begun: Instant,
}

#[pymethods]
impl NativeJob {
    /// Answers with an expert, which is checked first.
    #[pyo3(signature = (expert, seconds))]
    fn done(&self, py: Python<'_>, expert: Vec<u8>, seconds: Option<f64>) -> PyResult<()> {
        let expert = py.detach(|| {
            let read = Expert::received(&expert, &self.taken.model).map_err(|error| error.to_string())?;
            check_expert(&read, &self.announced, &self.taken).map_err(|error| error.to_string())?;
            Ok(read)
        });
        let expert = expert.map_err(|error: String| Failure::file(error).raise(py, None))?;
        let seconds = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        self.answer(Ok((expert, seconds.unwrap_or_else(|| self.begun.elapsed()))));
        Ok(())
    }

    /// Answers that there will be no expert, and why.
    fn failed(&self, reason: String) {
        self.answer(Err(reason));
    }
}

impl NativeJob {
    fn answer(&self, answer: Answered) {
        // Nobody waits any more when the work was stopped.
        if let Some(sender) = self.sender.lock().unwrap_or_else(PoisonError::into_inner).take() {
            _ = sender.send(answer);
        }
    }
}
