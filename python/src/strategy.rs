//! Strategies that are written in Python.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::mpsc::{Receiver, Sender, channel};

use alluvium_model::{Digest, Expert, Inputs, ModelState, Weights};
use alluvium_registry::{Family, schemars};
use alluvium_strategy::{
    Context, DataAccess, RunDescription, Strategy, StrategyConfig, StrategyError, StrategyState, TaskDataset, plugin,
};
use numpy::{IntoPyArray, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::arrays::{to_arrays, to_weights};
use crate::drive::{Caller, NoAnswer};
use crate::failure::Failure;
use crate::models::description;
use crate::plugins::Plugin;
use crate::samples::{PythonSamples, SentSamples};

/// A strategy that is written in Python. A class registers itself under a kind of its own, and a configuration names that kind.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(crate = "alluvium_registry::schemars")]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PythonStrategyConfig {
    /// The kind under which the class is registered.
    class: String,
    /// The options of the class.
    options: BTreeMap<String, Value>,
    /// Where its code runs.
    #[serde(skip, default = "Caller::current")]
    #[schemars(skip)]
    caller: Caller,
}

impl PythonStrategyConfig {
    fn plugin(&self) -> Result<std::sync::Arc<Plugin>, StrategyError> {
        crate::plugins::plugin(Family::Strategy, &self.class).map_err(|problem| StrategyError::Misfit {
            problem,
            accepted: "a kind of `alluvium.kinds(\"strategy\")`".to_owned(),
        })
    }
}

#[plugin(kind = "python")]
impl StrategyConfig for PythonStrategyConfig {
    fn data_access(&self) -> DataAccess {
        self.plugin().map_or(DataAccess::None, |plugin| plugin.data)
    }

    fn revision(&self) -> Option<Digest> {
        self.plugin().ok().map(|plugin| plugin.revision.clone())
    }

    fn validate(&self, _run: &RunDescription) -> Result<(), StrategyError> {
        self.plugin().map(drop)
    }

    fn build(&self, _run: &RunDescription) -> Result<Box<dyn Strategy>, StrategyError> {
        let (plugin, options) = (self.plugin()?, json!(self.options).to_string());
        let made = self.caller.call(move |py| {
            let instance = plugin.adapter.call_method1(py, "build", (options,))?;
            let state = python_state(py, &instance)?;
            Ok((instance, state))
        });
        let failed = |cause: NoAnswer| own(format!("the strategy \"{}\" cannot be built: {cause}", self.class));
        let (instance, state) = made.map_err(failed)?;
        Ok(Box::new(PythonStrategy { kind: self.class.clone(), caller: self.caller.clone(), instance, state }))
    }
}

/// An error of the strategy's own.
fn own(message: String) -> StrategyError {
    StrategyError::Own(message.into())
}

/// An instance of a Python class.
struct PythonStrategy {
    kind: String,
    caller: Caller,
    instance: Py<PyAny>,
    /// What it keeps between devices, taken after each consolidation: asking for it must not fail.
    state: StrategyState,
}

impl fmt::Debug for PythonStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PythonStrategy").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl PythonStrategy {
    fn failed(&self, problem: impl fmt::Display) -> StrategyError {
        own(format!("the strategy \"{}\": {problem}", self.kind))
    }
}

impl Strategy for PythonStrategy {
    fn consolidate(
        &mut self,
        previous: &ModelState,
        expert: &Expert,
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        let described = [description(previous), description(&expert.model)].map(|model| model.to_string());
        let weights = [previous.weights.clone(), expert.model.weights.clone()];
        let manifest = serde_json::to_string(&expert.manifest).unwrap_or_default();
        let (to_context, from_python) = channel();
        let native =
            NativeContext { requests: to_context.clone(), seed: context.seed().number(), device: context.device() };
        let instance = Python::attach(|py| self.instance.clone_ref(py));
        self.caller
            .send(move |py, noted| {
                let consolidated = called(py, &instance, described, weights, &manifest, native);
                _ = to_context.send(StrategyMessage::Done(consolidated.map_err(|error| noted.note(py, error))));
            })
            .map_err(|cause| self.failed(cause))?;
        let (weights, state) = serve(&from_python, context, previous, expert)
            .unwrap_or(Err(NoAnswer::Stopped))
            .map_err(|cause| self.failed(cause))?;
        let weights = weights.map_err(|problem| self.failed(problem))?;
        let central = returned(previous, expert, weights).map_err(|problem| self.failed(problem))?;
        self.state = state;
        Ok(central)
    }

    fn state(&self) -> StrategyState {
        self.state.clone()
    }

    fn restore(&mut self, state: StrategyState) -> Result<(), StrategyError> {
        let instance = Python::attach(|py| self.instance.clone_ref(py));
        let given = state.clone();
        let restored = self.caller.call(move |py| {
            let values = json!(given.values).to_string();
            instance.call_method1(py, "restore_state", (values, to_arrays(py, given.weights)?)).map(drop)
        });
        restored.map_err(|cause| StrategyError::State(format!("the strategy \"{}\": {cause}", self.kind)))?;
        self.state = state;
        Ok(())
    }
}

/// What comes back from Python: tensors (or what is wrong with them), and the state.
type Consolidated = (Result<Weights, String>, StrategyState);

/// Calls the instance.
fn called(
    py: Python<'_>,
    instance: &Py<PyAny>,
    described: [String; 2],
    weights: [Weights; 2],
    manifest: &str,
    context: NativeContext,
) -> PyResult<Consolidated> {
    let [previous, expert] = weights;
    let [of_previous, of_expert] = described;
    let (previous, expert) = (to_arrays(py, previous)?, to_arrays(py, expert)?);
    let arguments = (of_previous, previous, of_expert, expert, manifest, context);
    let returned = instance.call_method1(py, "run_consolidation", arguments)?;
    let returned = returned.bind(py);
    let weights = match returned.cast::<PyDict>() {
        Ok(arrays) => to_weights(arrays),
        Err(_) => Err("returns something else than tensors".to_owned()),
    };
    Ok((weights, python_state(py, instance)?))
}

fn python_state(py: Python<'_>, instance: &Py<PyAny>) -> PyResult<StrategyState> {
    let (values, arrays): (String, Bound<'_, PyDict>) = instance.call_method0(py, "stored_state")?.extract(py)?;
    let values = serde_json::from_str(&values).map_err(|error| Failure::run(error.to_string()).raise(py, None))?;
    let weights =
        to_weights(&arrays).map_err(|problem| Failure::run(format!("the state: {problem}")).raise(py, None))?;
    Ok(StrategyState { values, weights })
}

/// The new central model, from the tensors that Python code returned. They must be those of the previous model and of the expert's
/// head, of the same shapes, and finite.
fn returned(previous: &ModelState, expert: &Expert, weights: Weights) -> Result<ModelState, String> {
    let mut central = previous.with_backbone_weights(previous.backbone_weights());
    if central.head(&expert.head().name).is_none() {
        central.set_head(expert.head().clone(), expert.model.head_weights(expert.head()));
    }
    for (name, expected) in central.weights.iter() {
        match weights.get(name) {
            Some(tensor) if tensor.shape == expected.shape => {}
            Some(tensor) => {
                let (found, expected) = (&tensor.shape, &expected.shape);
                return Err(format!("returned `{name}` with the shape {found:?}; accepted: {expected:?}"));
            }
            None => {
                let heads: Vec<_> = central.heads.iter().map(|head| head.name.as_str()).collect();
                let wanted = format!("all tensors of the backbone, and the heads {}", heads.join(", "));
                return Err(format!("returned a model without `{name}`; accepted: {wanted}"));
            }
        }
    }
    if let Some((name, _)) = weights.iter().find(|(name, _)| central.weights.get(name).is_none()) {
        return Err(format!(
            "returned a tensor `{name}`, which neither the previous model nor the expert has; accepted: theirs"
        ));
    }
    // Computations in Python easily widen to 64 bits; models that run have 32, in which a large number is infinite.
    let is_single = previous.weights.iter().all(|(_, tensor)| tensor.as_f32().is_some());
    central.weights = if is_single { weights.rounded_to_single() } else { weights };
    let finite = central.weights.check_finite();
    finite.map_err(|error| format!("returned a model whose values are not all finite numbers: {error}"))?;
    Ok(central)
}

/// What Python code sends while it consolidates.
enum StrategyMessage {
    Ask(Request, Sender<Result<Answer, String>>),
    Done(Result<Consolidated, NoAnswer>),
}

/// What Python code asks its context for.
pub(crate) enum Request {
    Surrogate { fresh: Option<(usize, usize)> },
    Tasks { all: bool },
    Step { samples: usize, done: usize, steps: usize },
    Note(String),
}

/// What it gets.
pub(crate) enum Answer {
    Inputs { shape: Vec<usize>, values: Vec<f32> },
    Tasks(Vec<SentSamples>),
    Done,
}

/// Serves the requests of Python code until it is done; `None` if it never answers.
fn serve(
    from_python: &Receiver<StrategyMessage>,
    context: &mut Context<'_>,
    previous: &ModelState,
    expert: &Expert,
) -> Option<Result<Consolidated, NoAnswer>> {
    loop {
        match from_python.recv().ok()? {
            StrategyMessage::Done(done) => return Some(done),
            StrategyMessage::Ask(request, answer) => {
                _ = answer.send(answered(request, context, previous, expert));
            }
        }
    }
}

fn answered(
    request: Request,
    context: &mut Context<'_>,
    previous: &ModelState,
    expert: &Expert,
) -> Result<Answer, String> {
    let in_words = |error: StrategyError| error.to_string();
    match request {
        Request::Surrogate { fresh } => {
            let inputs = match fresh {
                None => context.surrogate(previous, expert),
                Some((count, step)) => context.fresh_surrogate(count, step, previous, expert),
            };
            sent(inputs.map_err(in_words)?)
        }
        Request::Tasks { all } => {
            let tasks: Vec<TaskDataset<'_>> = match all {
                true => context.all_tasks().map_err(in_words)?.to_vec(),
                false => vec![context.current_task().map_err(in_words)?],
            };
            let tasks = tasks.into_iter().map(|task| SentSamples::of(task.samples, task.head));
            Ok(Answer::Tasks(tasks.collect::<Result<_, _>>()?))
        }
        Request::Step { samples, done, steps } => {
            context.step_taken(samples, done, steps);
            Ok(Answer::Done)
        }
        Request::Note(note) => {
            context.note(note);
            Ok(Answer::Done)
        }
    }
}

fn sent(inputs: Inputs) -> Result<Answer, String> {
    let shape = [&[inputs.len()], inputs.shape().sizes()].concat();
    let values = inputs.vectors().into_data().try_to_vec::<f32>().map_err(|error| format!("{error:?}"))?;
    Ok(Answer::Inputs { shape, values })
}

/// What a strategy in Python gets besides the two models. It is valid while the strategy consolidates.
#[pyclass(frozen, module = "alluvium._alluvium")]
pub(crate) struct NativeContext {
    requests: Sender<StrategyMessage>,
    /// The seed of this consolidation, below 2⁶³.
    #[pyo3(get)]
    seed: u64,
    /// The number of experts that were consolidated before.
    #[pyo3(get)]
    device: usize,
}

impl NativeContext {
    fn ask(&self, py: Python<'_>, request: Request) -> PyResult<Answer> {
        let (answer, answered) = channel();
        let over = || Failure::run("the context is over; use it within `consolidate`").raise(py, None);
        self.requests.send(StrategyMessage::Ask(request, answer)).map_err(|_| over())?;
        // The lock lets the answer be awaited while other Python threads run.
        let answered = std::sync::Mutex::new(answered);
        let answer = py.detach(|| answered.lock().ok().and_then(|answered| answered.recv().ok()));
        let answer = answer.ok_or_else(over)?;
        answer.map_err(|problem| Failure::run(problem).raise(py, None))
    }

    fn inputs<'py>(&self, py: Python<'py>, fresh: Option<(usize, usize)>) -> PyResult<Bound<'py, PyAny>> {
        match self.ask(py, Request::Surrogate { fresh })? {
            Answer::Inputs { shape, values } => Ok(values.into_pyarray(py).reshape(shape)?.into_any()),
            _ => Err(Failure::run("the context gave another answer").raise(py, None)),
        }
    }

    fn tasks<'py>(&self, py: Python<'py>, all: bool) -> PyResult<Vec<PythonSamples<'py>>> {
        match self.ask(py, Request::Tasks { all })? {
            Answer::Tasks(tasks) => tasks.into_iter().map(|task| task.into_python(py)).collect(),
            _ => Err(Failure::run("the context gave another answer").raise(py, None)),
        }
    }
}

#[pymethods]
impl NativeContext {
    /// The fixed set of surrogate data, `[samples, …]`.
    fn surrogate<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.inputs(py, None)
    }

    /// Fresh surrogate data.
    fn fresh_surrogate<'py>(&self, py: Python<'py>, count: usize, step: usize) -> PyResult<Bound<'py, PyAny>> {
        self.inputs(py, Some((count, step)))
    }

    /// The samples of the current task.
    fn current_task<'py>(&self, py: Python<'py>) -> PyResult<Vec<PythonSamples<'py>>> {
        self.tasks(py, false)
    }

    /// The samples of all tasks so far.
    fn all_tasks<'py>(&self, py: Python<'py>) -> PyResult<Vec<PythonSamples<'py>>> {
        self.tasks(py, true)
    }

    /// Counts a step.
    fn step(&self, py: Python<'_>, samples: usize, done: usize, steps: usize) -> PyResult<()> {
        self.ask(py, Request::Step { samples, done, steps }).map(drop)
    }

    /// Notes something for people.
    fn note(&self, py: Python<'_>, note: String) -> PyResult<()> {
        self.ask(py, Request::Note(note)).map(drop)
    }
}
