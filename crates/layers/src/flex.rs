//! Tensors of the backend `flex`, with and without autodiff, as slices and back.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::{DType, Tensor, TensorData};
use burn_flex::FlexTensor;

/// A tensor on an autodiff device of `flex`.
pub(crate) type AutodiffTensor = FloatTensor<Autodiff<Flex>>;

/// The operands of an operation.
pub(crate) enum Operands<const N: usize> {
    /// Without autodiff.
    Plain([FlexTensor; N]),
    /// With autodiff.
    Learning([AutodiffTensor; N]),
}

/// An operand of any rank.
pub(crate) enum Operand {
    Plain(FlexTensor),
    Learning(AutodiffTensor),
}

/// The tensor, if it is on `flex` and has 32-bit numbers.
pub(crate) fn operand<const D: usize>(tensor: &Tensor<D>) -> Option<Operand> {
    if tensor.dtype() != DType::F32 {
        return None;
    }
    if tensor.device().is_autodiff() {
        tensor.clone().try_into_primitive::<Autodiff<Flex>>().ok().map(Operand::Learning)
    } else {
        tensor.clone().try_into_primitive::<Flex>().ok().map(Operand::Plain)
    }
}

/// Converts operands so that one operation can take them all: if one is on an autodiff device, all are.
pub(crate) fn together<const N: usize>(operands: [Operand; N]) -> Operands<N> {
    let plain = operands.iter().all(|operand| matches!(operand, Operand::Plain(_)));
    if plain {
        return Operands::Plain(operands.map(|operand| match operand {
            Operand::Plain(tensor) => tensor,
            Operand::Learning(tensor) => tensor.into_primitive(),
        }));
    }
    Operands::Learning(operands.map(|operand| match operand {
        Operand::Plain(tensor) => constant(tensor),
        Operand::Learning(tensor) => tensor,
    }))
}

/// A constant of the autodiff graph.
pub(crate) fn constant(tensor: FlexTensor) -> AutodiffTensor {
    use burn::backend::AutodiffBackend;
    Autodiff::<Flex>::from_inner(tensor)
}

/// The same values in contiguous memory.
pub(crate) fn contiguous(tensor: &FlexTensor) -> FlexTensor {
    match tensor.as_slice::<f32>() {
        Some(_) => tensor.clone(),
        None => tensor.to_contiguous(),
    }
}

/// The values of a contiguous tensor.
pub(crate) fn values(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().expect("`operand` checked the number type, and the tensor is contiguous")
}

/// A tensor of these values.
pub(crate) fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// The number of threads that a kernel may use: those of the caller's pool. It does not change the result.
pub(crate) fn threads() -> usize {
    rayon::current_num_threads()
}
