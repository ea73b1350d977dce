//! A part of the data set: an array of inputs and the class of each.

use alluvium_stream::{DataPart, InputShape, Samples, StreamError, ValueType};

use crate::array::Array;

/// Inputs that are read from their array when they are needed.
#[derive(Debug)]
pub struct ArrayPart {
    inputs: Array,
    shape: InputShape,
    labels: Vec<usize>,
}

impl ArrayPart {
    /// A part of these inputs. `shape` is the shape of one input, if it is not that of a row of the array.
    ///
    /// # Errors
    /// When there are not as many inputs as labels, or a row does not have the values of an input.
    pub fn new(
        inputs: Array,
        shape: Option<InputShape>,
        labels: &Array,
        classes: Vec<usize>,
    ) -> Result<Self, StreamError> {
        if inputs.rows() != labels.rows() {
            let (own, other) = (inputs.rows(), labels.rows());
            let labels = format!("the array \"{}\" of {} has {other}", labels.name, labels.path.display());
            return Err(inputs.wrong(format!("has {own} rows, but {labels}; accepted: a label for each input")));
        }
        let row = &inputs.sizes[1..];
        // A single number in each row is a vector of one.
        let own = InputShape::try_from(if row.is_empty() { &[1] } else { row }).map_err(|cause| inputs.wrong(cause))?;
        let shape = shape.unwrap_or(own);
        if shape.values() != own.values() || own.values() == 0 {
            let cause =
                format!("has rows of {own}, {} values; accepted: inputs of {shape}, {}", own.values(), shape.values());
            return Err(inputs.wrong(cause));
        }
        Ok(ArrayPart { inputs, shape, labels: classes })
    }
}

impl DataPart for ArrayPart {
    fn input(&self) -> InputShape {
        self.shape
    }

    fn value_type(&self) -> ValueType {
        if self.inputs.element.is_byte() { ValueType::default() } else { ValueType::Numbers }
    }

    fn labels(&self) -> &[usize] {
        &self.labels
    }

    fn read(&self, indices: &[usize]) -> Result<Samples, StreamError> {
        let labels = indices.iter().map(|index| self.labels[*index]).collect();
        if self.inputs.element.is_byte() {
            Ok(Samples::of_bytes(self.shape, self.inputs.read_rows(indices)?, labels))
        } else {
            Ok(Samples::of_numbers(self.shape, self.inputs.numbers(indices)?, labels))
        }
    }
}
