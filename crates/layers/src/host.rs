//! A tensor's values, for the tests of all layers.

use burn::tensor::Tensor;

pub(crate) fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec::<f32>().unwrap()
}
