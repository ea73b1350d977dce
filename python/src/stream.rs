//! Streams that are written in Python: their class gives the tasks as arrays.

use std::collections::BTreeMap;
use std::sync::Arc;

use alluvium_model::{Digest, HeadSpec, InputShape};
use alluvium_registry::{Family, schemars};
use alluvium_stream::{Scenario, Seed, StreamConfig, StreamError, Task, TaskStream, Tasks, plugin};
use pyo3::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::drive::Caller;
use crate::plugins::Plugin;
use crate::samples::given;

/// A stream that is written in Python. A class registers itself under a kind of its own, and a configuration names that kind.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "alluvium_registry::schemars")]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PythonStreamConfig {
    /// The kind under which the class is registered.
    class: String,
    /// The options of the class.
    options: BTreeMap<String, Value>,
    /// Where its code runs.
    #[serde(skip, default = "Caller::current")]
    #[schemars(skip)]
    caller: Caller,
}

/// What a class states about its tasks.
#[derive(Deserialize)]
struct StatedStream {
    /// The sizes of one input.
    input: Vec<usize>,
    class_names: Vec<String>,
    tasks: Vec<StatedTask>,
}

#[derive(Deserialize)]
struct StatedTask {
    name: String,
    head: String,
    classes: Vec<usize>,
}

/// Inputs and labels.
type Part<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>);

#[plugin(kind = "_python")]
impl StreamConfig for PythonStreamConfig {
    fn scenario(&self) -> Scenario {
        plugin_of(&self.class).map_or(Scenario::ClassShift, |plugin| plugin.settings.scenario)
    }

    fn revision(&self) -> Option<Digest> {
        plugin_of(&self.class).ok().map(|plugin| plugin.revision.clone())
    }

    fn kinds(&self) -> Vec<String> {
        vec![self.class.clone()]
    }

    fn build(&self, seed: Seed) -> Result<Box<dyn TaskStream>, StreamError> {
        let own = |problem: String| StreamError::Own(format!("the stream \"{}\": {problem}", self.class).into());
        let plugin = plugin_of(&self.class).map_err(own)?;
        let options = json!(self.options).to_string();
        let built = self.caller.call(move |py| {
            let instance = plugin.adapter.call_method1(py, "build", (options,))?;
            let returned = instance.call_method1(py, "run_tasks", (seed.number(),))?;
            let (stated, parts): (String, Vec<(Part<'_>, Part<'_>)>) = returned.extract(py)?;
            Ok(tasks(&stated, parts))
        });
        let tasks = built.map_err(|cause| own(cause.to_string()))?.map_err(own)?;
        Ok(Box::new(tasks.map_err(|error| own(error.to_string()))?))
    }
}

fn plugin_of(class: &str) -> Result<Arc<Plugin>, String> {
    crate::plugins::plugin(Family::Stream, class)
}

/// The tasks of arrays.
fn tasks(stated: &str, parts: Vec<(Part<'_>, Part<'_>)>) -> Result<Result<Tasks, StreamError>, String> {
    let StatedStream { input, class_names, tasks } = serde_json::from_str(stated).map_err(|error| error.to_string())?;
    let input: InputShape =
        serde_json::from_value(json!(input)).map_err(|error| format!("the shape of its inputs: {error}"))?;
    let task = |(index, (stated, (train, test))): (usize, (StatedTask, (Part<'_>, Part<'_>)))| {
        let StatedTask { name, head, classes } = stated;
        let part = |(inputs, labels): Part<'_>, what: &str| {
            given(&inputs, &labels, input).map_err(|problem| format!("the task \"{name}\", {what}: {problem}"))
        };
        let (train, test) = (part(train, "training samples")?, part(test, "test samples")?);
        Ok::<_, String>(Task { index, head: HeadSpec { name: head, classes }, train, test, name: name.clone() })
    };
    let tasks = tasks.into_iter().zip(parts).enumerate().map(task).collect::<Result<Vec<_>, _>>()?;
    Ok(Tasks::new(input, class_names, tasks))
}
