//! Models as Python sees them: a description as JSON, and a dictionary of arrays.

use std::collections::BTreeMap;

use alluvium_model::{ModelState, Weights};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use serde_json::{Value, json};

use crate::arrays::{to_arrays, to_weights};
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
