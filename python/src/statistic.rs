//! Statistics that a strategy in Python asks devices for: its own code computes them, where the samples are.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use alluvium_device::{DeviceStatistic, StatisticRequest};
use alluvium_model::{ModelError, Weights};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde_json::{Value, json};

use crate::arrays::{to_arrays, to_weights};
use crate::drive::Caller;
use crate::models::description;
use crate::plugins::Plugin;
use crate::samples::SentSamples;

/// The statistic of a strategy in Python. It has the name of the strategy's kind.
pub(crate) struct PythonStatistic {
    kind: String,
    options: String,
    plugin: Arc<Plugin>,
    caller: Caller,
}

impl PythonStatistic {
    /// The statistic of the strategy of this kind, with these options.
    pub(crate) fn new(kind: &str, options: &BTreeMap<String, Value>, plugin: Arc<Plugin>, caller: &Caller) -> Self {
        PythonStatistic { kind: kind.to_owned(), options: json!(options).to_string(), plugin, caller: caller.clone() }
    }

    fn failed(&self, problem: impl fmt::Display) -> ModelError {
        ModelError::Own { reason: format!("the strategy \"{}\" in Python: {problem}", self.kind) }
    }
}

/// Kind and options: rows that agree in them ask for the same.
impl fmt::Debug for PythonStatistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PythonStatistic").field("kind", &self.kind).field("options", &self.options).finish()
    }
}

impl DeviceStatistic for PythonStatistic {
    fn name(&self) -> &str {
        &self.kind
    }

    fn tells(&self) -> Option<String> {
        Some(self.plugin.settings.tells.clone()).filter(|tells| !tells.is_empty())
    }

    fn compute(&self, request: &StatisticRequest<'_>) -> Result<Weights, ModelError> {
        let samples = SentSamples::of(request.own.samples, request.own.head).map_err(|problem| self.failed(problem))?;
        let models =
            [request.taken, request.adapted].map(|model| (description(model).to_string(), model.weights.clone()));
        let (plugin, options, seed) = (self.plugin.clone(), self.options.clone(), request.seed.number());
        let computed = self.caller.call(move |py| {
            let instance = plugin.adapter.call_method1(py, "build", (options,))?;
            let [(taken, taken_weights), (adapted, adapted_weights)] = models;
            let (taken_arrays, adapted_arrays) = (to_arrays(py, taken_weights)?, to_arrays(py, adapted_weights)?);
            let samples = samples.into_python(py)?;
            let arguments = (taken, taken_arrays, adapted, adapted_arrays, samples, seed);
            let returned = instance.call_method1(py, "run_statistic", arguments)?;
            Ok(to_weights(&returned.extract::<Bound<'_, PyDict>>(py)?))
        });
        computed
            .map_err(|cause| self.failed(cause))?
            .map_err(|problem| self.failed(format!("its statistic: {problem}")))
    }
}
