//! Operations on logits before and during distillation, on plain tensors.

use burn::tensor::Tensor;

/// N(z) = z − mean over a sample's logits: `[batch, logits]` → the same shape (Zhang et al., arXiv 1903.07864, eq. 4).
pub fn centred(logits: Tensor<2>) -> Tensor<2> {
    let mean = logits.clone().mean_dim(1);
    logits - mean
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn centring_takes_the_mean_of_each_sample_away() {
        let logits = Tensor::from_floats([[1.0, 3.0], [0.0, -4.0]], &Device::flex());
        assert_eq!(centred(logits).into_data().try_into_vec::<f32>().unwrap(), [-1.0, 1.0, 2.0, -2.0]);
    }
}
