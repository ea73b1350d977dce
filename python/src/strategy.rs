//! Strategies that are written in Python.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::channel;

use alluvium_model::{Digest, Expert, ModelState, Weights};
use alluvium_registry::{Family, schemars};
use alluvium_strategy::{
    Context, DataAccess, DeviceStatistic, RunDescription, Strategy, StrategyConfig, StrategyError, StrategyState,
    plugin,
};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::arrays::{to_arrays, to_weights};
use crate::context::{Consolidated, Consolidating, NativeContext, StrategyMessage, serve};
use crate::drive::{Caller, NoAnswer};
use crate::failure::Failure;
use crate::models::description;
use crate::plugins::{Plugin, Settings};
use crate::statistic::PythonStatistic;

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
    fn plugin(&self) -> Result<Arc<Plugin>, StrategyError> {
        crate::plugins::plugin(Family::Strategy, &self.class).map_err(|problem| StrategyError::Misfit {
            problem,
            accepted: "a kind of `alluvium.kinds(\"strategy\")`".to_owned(),
        })
    }
}

#[plugin(kind = "_python")]
impl StrategyConfig for PythonStrategyConfig {
    fn data_access(&self) -> DataAccess {
        self.plugin().map_or(DataAccess::None, |plugin| plugin.settings.data)
    }

    fn statistics(&self) -> Vec<Arc<dyn DeviceStatistic>> {
        let plugin = self.plugin().ok().filter(|plugin| plugin.settings.statistic);
        let statistic = plugin.map(|plugin| PythonStatistic::new(&self.class, &self.options, plugin, &self.caller));
        statistic.into_iter().map(|statistic| Arc::new(statistic) as _).collect()
    }

    fn revision(&self) -> Option<Digest> {
        self.plugin().ok().map(|plugin| plugin.revision.clone())
    }

    fn validate(&self, _run: &RunDescription) -> Result<(), StrategyError> {
        self.plugin().map(drop)
    }

    fn build(&self, _run: &RunDescription) -> Result<Box<dyn Strategy>, StrategyError> {
        let (plugin, options) = (self.plugin()?, json!(self.options).to_string());
        let settings = plugin.settings.clone();
        let made = self.caller.call(move |py| {
            let instance = plugin.adapter.call_method1(py, "build", (options,))?;
            let state = python_state(py, &instance)?;
            Ok((instance, state))
        });
        let failed = |cause: NoAnswer| own(format!("the strategy \"{}\" cannot be built: {cause}", self.class));
        let (instance, state) = made.map_err(failed)?;
        let (kind, caller) = (self.class.clone(), self.caller.clone());
        Ok(Box::new(PythonStrategy { kind, caller, settings, instance, state }))
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
    settings: Settings,
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

    /// Consolidates by a method of what runs the instance.
    fn consolidated(
        &mut self,
        models: Consolidating<'_>,
        method: &'static str,
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        let Consolidating { previous, experts } = models;
        let previous_sent = (description(previous).to_string(), previous.weights.clone());
        let statistic = |expert: &Expert| match self.settings.statistic {
            true => Some(expert.statistic(&self.kind).cloned().map_err(|error| error.to_string())),
            false => None,
        };
        let experts_sent = experts.iter().map(|expert| SentExpert {
            described: description(&expert.model).to_string(),
            weights: expert.model.weights.clone(),
            manifest: json!(expert.manifest).to_string(),
            statistic: statistic(expert),
        });
        let experts_sent: Vec<_> = experts_sent.collect();
        let (to_context, from_python) = channel();
        let native = NativeContext::of(context, experts.len(), to_context.clone());
        let instance = Python::attach(|py| self.instance.clone_ref(py));
        self.caller
            .send(move |py, noted| {
                let consolidated = called(py, &instance, method, previous_sent, experts_sent, native);
                _ = to_context.send(StrategyMessage::Done(consolidated.map_err(|error| noted.note(py, error))));
            })
            .map_err(|cause| self.failed(cause))?;
        let (weights, state) = serve(&from_python, context, models)
            .unwrap_or(Err(NoAnswer::Stopped))
            .map_err(|cause| self.failed(cause))?;
        let weights = weights.map_err(|problem| self.failed(problem))?;
        let central = returned(models, weights).map_err(|problem| self.failed(problem))?;
        self.state = state;
        Ok(central)
    }
}

/// An expert on its way to Python.
struct SentExpert {
    described: String,
    weights: Weights,
    manifest: String,
    /// What its device sent along, or why that is not there; none: the strategy asks for nothing.
    statistic: Option<Result<Weights, String>>,
}

impl Strategy for PythonStrategy {
    fn consolidate(
        &mut self,
        previous: &ModelState,
        expert: &Expert,
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        self.consolidated(Consolidating { previous, experts: &[expert] }, "run_consolidation", context)
    }

    fn consolidate_round(
        &mut self,
        previous: &ModelState,
        experts: &[&Expert],
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        if self.settings.rounds && !experts.is_empty() {
            return self.consolidated(Consolidating { previous, experts }, "run_round", context);
        }
        let mut central = previous.clone();
        for (index, expert) in experts.iter().enumerate() {
            central = self.consolidate(&central, expert, &mut context.of_expert(index, experts.len()))?;
        }
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

/// Calls the instance.
fn called(
    py: Python<'_>,
    instance: &Py<PyAny>,
    method: &str,
    (previous, weights): (String, Weights),
    experts: Vec<SentExpert>,
    context: NativeContext,
) -> PyResult<Consolidated> {
    let previous_arrays = to_arrays(py, weights)?;
    let experts = experts.into_iter().map(|expert| {
        let SentExpert { described, weights, manifest, statistic } = expert;
        let (statistic, missing) = match statistic {
            Some(Ok(statistic)) => (Some(to_arrays(py, statistic)?), None),
            Some(Err(missing)) => (None, Some(missing)),
            None => (None, None),
        };
        Ok((described, to_arrays(py, weights)?, manifest, statistic, missing))
    });
    let experts = experts.collect::<PyResult<Vec<_>>>()?;
    let returned = instance.call_method1(py, method, (previous, previous_arrays, experts, context))?;
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

/// The new central model, from the tensors that Python code returned. They must be those of the previous model and of the experts'
/// heads, of the same shapes, and finite.
fn returned(models: Consolidating<'_>, weights: Weights) -> Result<ModelState, String> {
    let Consolidating { previous, experts } = models;
    let mut central = previous.with_backbone_weights(previous.backbone_weights());
    for expert in experts {
        if central.head(&expert.head().name).is_none() {
            central.set_head(expert.head().clone(), expert.model.head_weights(expert.head()));
        }
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
