//! Arrays of numpy and the tensors of models.
//!
//! A tensor that goes to Python is copied once, into memory that the array owns; `torch.from_numpy` shares that memory. A tensor that
//! comes from Python is copied once, because a model owns its weights.

use alluvium_model::{Numbers, Values, Weights};
use numpy::{IntoPyArray, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// A dictionary of arrays, of 32 or 64 bits as the weights are.
pub(crate) fn to_arrays<'py>(py: Python<'py>, weights: Weights) -> PyResult<Bound<'py, PyDict>> {
    let arrays = PyDict::new(py);
    for (name, Values { shape, numbers }) in weights {
        match numbers {
            Numbers::Single(values) => arrays.set_item(name, values.into_pyarray(py).reshape(shape)?)?,
            Numbers::Double(values) => arrays.set_item(name, values.into_pyarray(py).reshape(shape)?)?,
        }
    }
    Ok(arrays)
}

/// The weights in a dictionary of arrays of 32 or 64 bits.
///
/// # Errors
/// What is wrong with an array, with its name.
pub(crate) fn to_weights(arrays: &Bound<'_, PyDict>) -> Result<Weights, String> {
    let mut weights = Weights::new();
    for (name, array) in arrays {
        let name: String = name.extract().map_err(|_| "the name of a tensor is not a text".to_owned())?;
        let values = values(&array).map_err(|problem| format!("the tensor `{name}` {problem}"))?;
        weights.insert(name, values);
    }
    Ok(weights)
}

fn values(array: &Bound<'_, PyAny>) -> Result<Values, String> {
    if let Ok(array) = array.cast::<PyArrayDyn<f32>>() {
        return Ok(Values::of(array.shape().to_vec(), copied(&array.readonly())));
    }
    if let Ok(array) = array.cast::<PyArrayDyn<f64>>() {
        return Ok(Values::of(array.shape().to_vec(), copied(&array.readonly())));
    }
    let kind = array.getattr("dtype").map_or_else(|_| array.get_type().to_string(), |dtype| dtype.to_string());
    Err(format!("is of the type {kind}; accepted: arrays of float32"))
}

/// The values in row-major order, whatever the layout of the array.
pub(crate) fn copied<T: numpy::Element + Copy>(array: &PyReadonlyArrayDyn<'_, T>) -> Vec<T> {
    match array.as_slice() {
        Ok(values) => values.to_vec(),
        Err(_) => array.as_array().iter().copied().collect(),
    }
}
