//! Models as Python sees them: a description as JSON, and a dictionary of arrays.

use std::collections::BTreeMap;

use alluvium_model::{Inputs, Model, ModelState, Weights};
use burn::tensor::Device;
use numpy::{IntoPyArray, PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use serde_json::{Value, json};

use crate::arrays::{copied, to_arrays, to_weights};
use crate::drive::work;
use crate::failure::Failure;

/// The description of a model, without its weights.
pub(crate) fn description(model: &ModelState) -> Value {
    json!({
        "backbone": model.backbone,
        "classifier": model.classifier,
        "input": model.input,
        "heads": model.heads,
        "across": model.across,
    })
}

/// What a model's file states about it.
const HEADER: &str = "alluvium";

/// The description and the arrays of a model's file.
#[pyfunction]
pub(crate) fn model_parts<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<(String, Bound<'py, PyDict>)> {
    let model = read(py, bytes)?;
    let described = description(&model).to_string();
    Ok((described, to_arrays(py, model.weights)?))
}

/// The file of a model, from its description and its arrays.
#[pyfunction]
pub(crate) fn model_bytes<'py>(
    py: Python<'py>,
    description: &str,
    arrays: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyBytes>> {
    let weights = to_weights(arrays).map_err(|problem| Failure::file(problem).raise(py, None))?;
    let made = made(description, weights).and_then(|model| model.to_bytes().map_err(|error| error.to_string()));
    let bytes = made.map_err(|problem| Failure::file(problem).raise(py, None))?;
    Ok(PyBytes::new(py, &bytes))
}

/// The scores of every head for some inputs `[samples, …]`: by the head's name, `[samples, classes]`.
#[pyfunction]
pub(crate) fn model_scores<'py>(
    py: Python<'py>,
    description: &str,
    arrays: &Bound<'py, PyDict>,
    inputs: PyReadonlyArrayDyn<'py, f32>,
) -> PyResult<Bound<'py, PyDict>> {
    let weights = to_weights(arrays).map_err(|problem| Failure::file(problem).raise(py, None))?;
    let state = made(description, weights).map_err(|problem| Failure::file(problem).raise(py, None))?;
    let (count, sizes) = inputs.shape().split_first().map_or((0, vec![]), |(count, sizes)| (*count, sizes.to_vec()));
    if sizes != state.input.sizes() {
        let accepted = format!("{count} inputs of {}, with a first axis for samples", state.input);
        let problem = format!("the inputs have the shape {:?}; accepted: {accepted}", inputs.shape());
        return Err(Failure::config(problem).raise(py, None));
    }
    let values = copied(&inputs);
    let scores = work(py, move || scores(&state, values))?;
    let named = PyDict::new(py);
    for (name, values) in scores {
        let classes = values.len() / count.max(1);
        named.set_item(name, values.into_pyarray(py).reshape([count, classes])?)?;
    }
    Ok(named)
}

/// How many inputs go through the model at once.
const BATCH: usize = 500;

/// The scores of each head, one input after the other.
fn scores(state: &ModelState, values: Vec<f32>) -> Result<Vec<(String, Vec<f32>)>, Failure> {
    let failed = |error: String| Failure::run(error);
    let compute = Device::flex();
    let model = Model::load(state, &compute).map_err(|error| failed(error.to_string()))?;
    let mut all: Vec<_> = state.heads.iter().map(|head| (head.name.clone(), vec![])).collect();
    if values.is_empty() {
        return Ok(all);
    }
    for batch in Inputs::from_values(values, state.input, &compute).split(BATCH) {
        let latents = model.latents(batch.clone());
        for (name, scores) in &mut all {
            let Some(head) = model.head(name) else { continue };
            let own = head.scores(batch.clone(), latents.clone()).into_data().convert::<f32>();
            scores.extend(own.try_into_vec::<f32>().map_err(|error| failed(format!("{error:?}")))?);
        }
    }
    Ok(all)
}

/// The digest of arrays: SHA-256 over names, shapes and values, as models state it.
#[pyfunction]
pub(crate) fn digest_of(py: Python<'_>, arrays: &Bound<'_, PyDict>) -> PyResult<String> {
    let weights = to_weights(arrays).map_err(|problem| Failure::file(problem).raise(py, None))?;
    Ok(weights.digest().to_string())
}

fn read(py: Python<'_>, bytes: &[u8]) -> PyResult<ModelState> {
    let read = ModelState::from_bytes(bytes);
    read.map_err(|error| Failure::file(format!("these bytes are not a model: {error}")).raise(py, None))
}

/// A model from its description and its weights.
pub(crate) fn made(description: &str, weights: Weights) -> Result<ModelState, String> {
    // The header of a stored model has the keys of a description.
    let header = BTreeMap::from([(HEADER.to_owned(), description.to_owned())]);
    let file = weights.to_safetensors(header).map_err(|error| error.to_string())?;
    ModelState::from_bytes(&file).map_err(|error| error.to_string())
}
