//! The loss of ex-model distillation, on tensors alone.

use alluvium_strategy::{cross_entropy, mean_squared_error};
use burn::tensor::Tensor;

/// L = mse + `cross_entropy_weight`·CE of a student's logits, `[1]`; logits and targets are `[batch, logits]`. The label of
/// the cross-entropy is the class index of the highest target.
pub(crate) fn loss(logits: Tensor<2>, targets: Tensor<2>, cross_entropy_weight: f64) -> Tensor<1> {
    let labels = targets.clone().argmax(1).flatten(0, 1);
    let distance = mean_squared_error(logits.clone(), targets);
    if cross_entropy_weight == 0.0 {
        return distance;
    }
    distance + cross_entropy(logits, labels).mul_scalar(cross_entropy_weight)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn the_loss_of_two_samples_worked_out_by_hand() {
        let device = Device::flex();
        // The student prefers no class in sample 1, and class 1 in sample 2: softmax(0, ln 3) = (1/4, 3/4).
        let logits = Tensor::from_floats([[0.0, 0.0], [0.0, 3.0f32.ln()]], &device);
        let targets = Tensor::from_floats([[1.0, -1.0], [-2.0, 2.0]], &device);
        // mse: (1 + 1 + 4 + (1.098612 − 2)²)/4 = (6 + 0.812500)/4 = 1.703125
        let of = |weight| loss(logits.clone(), targets.clone(), weight).into_scalar::<f32>();
        assert!((of(0.0) - 1.703_125).abs() < 1e-5, "{}", of(0.0));
        // The labels are 0 and 1. CE: (−ln(1/2) − ln(3/4))/2 = (0.693147 + 0.287682)/2 = 0.490415
        // With the weight 2: 1.703125 + 0.980829 = 2.683954
        assert!((of(2.0) - 2.683_954).abs() < 1e-5, "{}", of(2.0));
    }
}
