//! The loss of data-agnostic consolidation, on plain tensors.

use std::collections::HashSet;

use alluvium_model::HeadSpec;
use alluvium_strategy::mean_squared_error;
use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::{LatentLoss, OutputLoss};

/// The student's logits that a teacher knows, and the teacher's weight.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// The indices of these logits among the student's.
    pub indices: Tensor<1, Int>,
    /// The weight of the teacher.
    pub weight: f64,
}

/// The student's logits that each teacher knows, with the teachers' weights.
pub(crate) fn groups(
    previous: &[HeadSpec],
    expert: &HeadSpec,
    student: &[HeadSpec],
    weights: (f64, f64),
    compute: &Device,
) -> [Group; 2] {
    let knows = |teacher: &[HeadSpec], weight| {
        let names: HashSet<_> = teacher.iter().map(|head| &head.name).collect();
        let known = student.iter().flat_map(|head| std::iter::repeat_n(names.contains(&head.name), head.classes.len()));
        let indices: Vec<i32> = known.enumerate().filter(|(_, known)| *known).map(|(index, _)| index as i32).collect();
        let count = indices.len();
        Group { indices: Tensor::from_data(TensorData::new(indices, [count]), compute), weight }
    };
    [knows(previous, weights.0), knows(std::slice::from_ref(expert), weights.1)]
}

/// L_KD: how far the student's logits are from the targets, `[1]`; both are `[batch, logits]`.
///
/// It is a sum over the teachers: the distance over the logits that the teacher knows, times the teacher's weight.
pub(crate) fn output_loss(
    student: &Tensor<2>,
    targets: &Tensor<2>,
    groups: &[Group],
    distance: OutputLoss,
    temperature: f64,
) -> Option<Tensor<1>> {
    let losses = groups.iter().filter(|group| group.weight > 0.0).map(|group| {
        let student = student.clone().select(1, group.indices.clone());
        let targets = targets.clone().select(1, group.indices.clone());
        let distance = match distance {
            OutputLoss::Mse => mean_squared_error(student, targets),
            OutputLoss::Kl => kullback_leibler(student, targets, temperature),
        };
        distance.mul_scalar(group.weight)
    });
    losses.reduce(|a, b| a + b)
}

/// D in latent space, `[1]`; both are `[batch, size]`.
pub(crate) fn latent_loss(projected: Tensor<2>, target: Tensor<2>, distance: LatentLoss) -> Tensor<1> {
    match distance {
        LatentLoss::Mse => mean_squared_error(projected, target),
        LatentLoss::Cosine => one_minus_cosine(projected, target),
    }
}

/// τ²·KL(softmax(target/τ) ‖ softmax(student/τ)), the mean over the batch (Hinton et al., arXiv 1503.02531, section 2).
fn kullback_leibler(student: Tensor<2>, target: Tensor<2>, temperature: f64) -> Tensor<1> {
    let batch = student.dims()[0] as f64;
    let wanted = softmax(target.clone().div_scalar(temperature), 1);
    let wanted_log = log_softmax(target.div_scalar(temperature), 1);
    let given_log = log_softmax(student.div_scalar(temperature), 1);
    (wanted * (wanted_log - given_log)).sum().mul_scalar(temperature * temperature / batch)
}

/// The mean over the batch of 1 − cos(a, b).
fn one_minus_cosine(a: Tensor<2>, b: Tensor<2>) -> Tensor<1> {
    let norm = |x: &Tensor<2>| x.clone().mul(x.clone()).sum_dim(1).add_scalar(1e-12).sqrt();
    let cosine = a.clone().mul(b.clone()).sum_dim(1) / (norm(&a) * norm(&b));
    cosine.neg().add_scalar(1.0).mean()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(tensor: Tensor<1>) -> f32 {
        tensor.into_scalar::<f32>()
    }

    fn group(indices: &[i32], weight: f64) -> Group {
        Group { indices: Tensor::from_data(indices, &Device::flex()), weight }
    }

    #[test]
    fn mse_is_a_mean_over_each_teachers_logits() {
        let device = Device::flex();
        let student = Tensor::from_floats([[1.0, 2.0, 3.0]], &device);
        let targets = Tensor::from_floats([[0.0, 0.0, 0.0]], &device);
        // Logits 0, 1: (1 + 4)/2 = 2.5, weight 1; logit 2: 9, weight 0.5. Together 2.5 + 4.5.
        let groups = [group(&[0, 1], 1.0), group(&[2], 0.5)];
        let loss = output_loss(&student, &targets, &groups, OutputLoss::Mse, 1.0).unwrap();
        assert!((number(loss) - 7.0).abs() < 1e-6);
    }

    #[test]
    fn kl_of_two_known_distributions() {
        let device = Device::flex();
        // τ = 2: target logits 2·ln 3, 0 give (3/4, 1/4); equal student logits give (1/2, 1/2).
        // KL = 3/4·ln(3/2) + 1/4·ln(1/2) = 0.130812; times τ² = 0.523248.
        let targets = Tensor::from_floats([[2.0 * 3.0f32.ln(), 0.0]], &device);
        let student = Tensor::from_floats([[0.7, 0.7]], &device);
        let loss = output_loss(&student, &targets, &[group(&[0, 1], 1.0)], OutputLoss::Kl, 2.0).unwrap();
        assert!((number(loss) - 0.523_248).abs() < 1e-5);
    }

    #[test]
    fn cosine_of_known_angles() {
        let device = Device::flex();
        let a = Tensor::from_floats([[1.0, 0.0], [2.0, 0.0]], &device);
        let b = Tensor::from_floats([[0.0, 5.0], [1.0, 1.0]], &device);
        // 90° and 45°: the mean of 1 and 1 − 1/√2.
        let expected = (1.0 + 1.0 - 0.5f32.sqrt()) / 2.0;
        assert!((number(latent_loss(a, b, LatentLoss::Cosine)) - expected).abs() < 1e-5);
    }

    #[test]
    fn a_teacher_of_weight_zero_does_not_teach() {
        let device = Device::flex();
        let student: Tensor<2> = Tensor::from_floats([[1.0, 2.0]], &device);
        let targets = Tensor::from_floats([[f32::NAN, 2.0]], &device);
        let groups = [group(&[0], 0.0), group(&[1], 1.0)];
        assert_eq!(number(output_loss(&student, &targets, &groups, OutputLoss::Mse, 1.0).unwrap()), 0.0);
        assert!(output_loss(&student, &targets, &groups[..1], OutputLoss::Mse, 1.0).is_none());
    }
}
