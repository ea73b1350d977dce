//! Factors beside the weights of one module, as one of burn's reparameterisations.

use burn::module::{LoraAdapter, Param, Reparameterizer};
use burn::tensor::{Tensor, TensorData};

use crate::Share;

/// Gives weights the factors that `share` names. Under the name of the weight, they are `lora.a` and `lora.b`.
pub(crate) struct LowRankWeights<'a> {
    pub share: &'a mut dyn FnMut(&str, &[usize]) -> Share,
}

impl Reparameterizer for LowRankWeights<'_> {
    type Reparam = LoraAdapter;

    fn reparameterize<const D: usize>(
        &mut self,
        path: &str,
        parameter: Param<Tensor<D>>,
    ) -> (Param<Tensor<D>>, Option<LoraAdapter>) {
        // A running statistic is not a parameter.
        if !parameter.is_require_grad() {
            return (parameter, None);
        }
        let (shape, device) = (parameter.lazy_shape().to_vec(), parameter.lazy_device());
        match (self.share)(path, &shape) {
            Share::Whole => (parameter, None),
            Share::Stays => (parameter.set_require_grad(false), None),
            Share::LowRank { left, right, scale } => {
                let columns = shape[1..].iter().product::<usize>();
                let rank = right.len() / columns.max(1);
                let factor = |values, rows: usize, columns: usize| {
                    Param::from_tensor(Tensor::from_data(TensorData::new(values, [rows, columns]), &device))
                };
                let adapter = LoraAdapter { a: factor(left, shape[0], rank), b: factor(right, rank, columns), scale };
                (parameter.set_require_grad(false), Some(adapter))
            }
        }
    }
}
