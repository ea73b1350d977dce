//! The buffers that a fused step overwrites.

use burn::backend::Flex;
use burn::tensor::Tensor;
use burn_flex::FlexTensor;

use crate::flex::{Operand, operand, tensor};

/// Whether the tensor is on `flex`, without autodiff, and has 32-bit numbers.
pub(crate) fn on_flex<const D: usize>(tensor: &Tensor<D>) -> bool {
    matches!(operand(tensor), Some(Operand::Plain(_)))
}

/// Contiguous values that may be overwritten: a tensor's own values if they are not shared, or a copy.
pub(crate) enum Buffer {
    Tensor(FlexTensor),
    Own(Vec<f32>),
}

impl Buffer {
    /// # Panics
    /// When the tensor is not [`on_flex`].
    pub(crate) fn of<const D: usize>(tensor: Tensor<D>) -> Self {
        let tensor = tensor.try_into_primitive::<Flex>().expect("the caller checks that it is on flex");
        let whole = tensor.layout().contiguous_offsets() == Some((0, tensor.storage::<f32>().len()));
        Buffer::Tensor(if whole { tensor } else { tensor.to_contiguous() })
    }

    pub(crate) fn values(&self) -> &[f32] {
        match self {
            Buffer::Tensor(tensor) => tensor.storage(),
            Buffer::Own(values) => values,
        }
    }

    pub(crate) fn values_mut(&mut self) -> &mut [f32] {
        match self {
            // This copies shared values.
            Buffer::Tensor(tensor) => tensor.storage_mut(),
            Buffer::Own(values) => values,
        }
    }

    pub(crate) fn tensor<const D: usize>(self, dims: [usize; D]) -> Tensor<D> {
        Tensor::from_primitive::<Flex>(match self {
            Buffer::Tensor(tensor) => tensor,
            Buffer::Own(values) => tensor(values, dims),
        })
    }
}
