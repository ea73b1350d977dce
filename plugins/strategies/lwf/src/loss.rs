//! The distillation loss of the paper, on tensors alone.

use burn::tensor::Tensor;
use burn::tensor::activation::{log_softmax, softmax};

/// y′ = y^(1/τ) / Σ y^(1/τ) of y = softmax(z) (eq. 3), which is softmax(z/τ): `[batch, classes]` → the same shape.
pub(crate) fn softened(logits: Tensor<2>, temperature: f64) -> Tensor<2> {
    softmax(logits.div_scalar(temperature), 1)
}

/// L_old of one head (eq. 2): −Σ y′ log ŷ′, the mean over the batch, `[1]`. `wanted` is y′, `logits` are the head's current ones.
pub(crate) fn distillation(logits: Tensor<2>, wanted: Tensor<2>, temperature: f64) -> Tensor<1> {
    let batch = logits.dims()[0] as f64;
    (wanted * log_softmax(logits.div_scalar(temperature), 1)).sum().div_scalar(-batch)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn the_loss_of_two_samples_worked_out_by_hand() {
        let device = Device::flex();
        // τ = 2. Before: logits (2·ln 3, 0) are y = (9/10, 1/10). Their roots, 3 : 1, give y′ = (3/4, 1/4).
        // And logits (0, 0) give y′ = (1/2, 1/2).
        let before = Tensor::from_floats([[2.0 * 3.0f32.ln(), 0.0], [0.0, 0.0]], &device);
        let wanted = softened(before, 2.0);
        let values = wanted.clone().into_data().try_into_vec::<f32>().unwrap();
        for (value, expected) in values.iter().zip([0.75, 0.25, 0.5, 0.5]) {
            assert!((value - expected).abs() < 1e-6, "{values:?}");
        }
        // Now: (0, 0) gives ŷ′ = (1/2, 1/2), and (0, 2·ln 4) gives ŷ′ = (1/5, 4/5).
        //   sample 1: −(3/4·ln(1/2) + 1/4·ln(1/2)) = ln 2 = 0.693147
        //   sample 2: −(1/2·ln(1/5) + 1/2·ln(4/5)) = ½·(1.609438 + 0.223144) = 0.916291
        //   mean: 0.804719
        let now = Tensor::from_floats([[0.0, 0.0], [0.0, 2.0 * 4.0f32.ln()]], &device);
        let loss = distillation(now, wanted, 2.0).into_scalar::<f32>();
        assert!((loss - 0.804_719).abs() < 1e-5, "{loss}");
    }
}
