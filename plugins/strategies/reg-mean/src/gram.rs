//! The statistic that a device computes and sends along: the Gram matrices of the inputs of its model's linear maps.

use std::collections::BTreeMap;

use alluvium_model::{Model, ModelError, Values, Weights};
use alluvium_strategy::{DeviceStatistic, StatisticRequest};
use alluvium_stream::Batches;
use burn::tensor::Tensor;

/// The name of the statistic: G of each linear map, `[inputs, inputs]`, by the full name of its weight.
pub(crate) const GRAM: &str = "gram";

/// Samples per forward pass. The patches of a convolution have one row for each pixel of the output of each sample.
const BATCH: usize = 32;

/// G = XᵀX / rows of each linear map, over the rows X of a limited number of samples.
#[derive(Debug)]
pub(crate) struct Gram {
    pub(crate) samples: usize,
}

/// XᵀX so far, and the number of rows of X.
type Sum = (Tensor<2>, usize);

impl DeviceStatistic for Gram {
    fn name(&self) -> &str {
        GRAM
    }

    fn compute(&self, request: &StatisticRequest<'_>) -> Result<Weights, ModelError> {
        let StatisticRequest { adapted, own, compute, seed, .. } = *request;
        let model = Model::load(adapted, compute)?;
        let mut sums = BTreeMap::<String, Sum>::new();
        let mut left = self.samples.min(own.samples.len());
        for batch in Batches::new(&[own], BATCH, seed.random(), compute) {
            let taken = batch.samples().min(left);
            model.forward_maps(batch.inputs.slice(0..taken), &mut |name, rows| {
                let [count, _] = rows.dims();
                let square = rows.clone().transpose().matmul(rows);
                let sum = match sums.remove(name) {
                    Some((before, counted)) => (before + square, counted + count),
                    None => (square, count),
                };
                sums.insert(name.to_owned(), sum);
            });
            left -= taken;
            if left == 0 {
                break;
            }
        }
        Ok(sums.into_iter().map(|(name, (sum, rows))| (name, host(sum.div_scalar(rows as f32)))).collect())
    }
}

fn host(tensor: Tensor<2>) -> Values {
    let shape = tensor.dims().to_vec();
    Values::new(shape, tensor.into_data().convert::<f32>().try_into_vec().unwrap_or_default())
}
