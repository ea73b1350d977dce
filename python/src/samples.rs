//! Samples as arrays: inputs `[samples, …]` of float32 as networks see them, and the place of each class within the head.

use alluvium_model::{HeadSpec, InputShape};
use alluvium_stream::Samples;
use numpy::{IntoPyArray, PyArrayDyn, PyArrayMethods, PyUntypedArrayMethods};
use pyo3::prelude::*;

use crate::arrays::copied;

/// Samples on their way to Python.
#[derive(Debug)]
pub(crate) struct SentSamples {
    shape: Vec<usize>,
    inputs: Vec<f32>,
    targets: Vec<i64>,
    classes: Vec<usize>,
}

/// What Python gets: inputs, targets, and the stream's numbers of the head's classes.
pub(crate) type PythonSamples<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>, Vec<usize>);

impl SentSamples {
    /// All samples of a task, read into memory.
    pub(crate) fn of(samples: &Samples, head: &HeadSpec) -> Result<Self, String> {
        let samples = samples.held().map_err(|error| error.to_string())?;
        let (input, count) = (samples.input(), samples.len());
        let mut inputs = vec![0.0; count * input.values()];
        for (index, into) in inputs.chunks_mut(input.values().max(1)).enumerate() {
            samples.write_input(index, into);
        }
        let place = |label: &usize| head.classes.iter().position(|class| class == label).map(|place| place as i64);
        let targets = samples.labels().iter().map(place).collect::<Option<Vec<_>>>();
        let targets = targets.ok_or_else(|| format!("a sample has a class that the head \"{}\" lacks", head.name))?;
        let shape = [&[count], input.sizes()].concat();
        Ok(SentSamples { shape, inputs, targets, classes: head.classes.clone() })
    }

    pub(crate) fn into_python(self, py: Python<'_>) -> PyResult<PythonSamples<'_>> {
        let inputs = self.inputs.into_pyarray(py).reshape(self.shape)?.into_any();
        Ok((inputs, self.targets.into_pyarray(py).into_any(), self.classes))
    }
}

/// Samples that Python code gives: inputs of uint8 (0…255 become −1…1) or float32, and the stream's number of each class.
pub(crate) fn given(
    inputs: &Bound<'_, PyAny>,
    labels: &Bound<'_, PyAny>,
    input: InputShape,
) -> Result<Samples, String> {
    let labels = labels.cast::<PyArrayDyn<i64>>().map_err(|_| "labels are not an array of int64".to_owned())?;
    let labels = copied(&labels.readonly()).into_iter();
    let labels = labels.map(usize::try_from).collect::<Result<Vec<_>, _>>();
    let labels = labels.map_err(|_| "a label is negative; accepted: numbers of classes, from 0".to_owned())?;
    let checked = |shape: &[usize]| {
        let expected = [&[labels.len()], input.sizes()].concat();
        if shape == expected {
            return Ok(());
        }
        Err(format!("inputs have the shape {shape:?}; accepted: {expected:?}, one input for each label"))
    };
    if let Ok(array) = inputs.cast::<PyArrayDyn<u8>>() {
        checked(array.shape())?;
        return Ok(Samples::of_bytes(input, copied(&array.readonly()), labels));
    }
    if let Ok(array) = inputs.cast::<PyArrayDyn<f32>>() {
        checked(array.shape())?;
        return Ok(Samples::of_numbers(input, copied(&array.readonly()), labels));
    }
    Err("inputs are of another type; accepted: arrays of uint8 or float32".to_owned())
}
