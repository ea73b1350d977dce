//! The classification loss: which classes compete for a sample.

use alluvium_model::{Inputs, Model};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor, TensorData};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which classes compete for a sample in the softmax of its cross-entropy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum ClassificationLoss {
    /// The classes of the sample's own head, as in prediction with a known task.
    #[default]
    OwnHead,
    /// The classes of all heads of the model, as in prediction with an unknown task. If several heads have a class, its
    /// probability is the sum over these heads.
    ///
    /// This is the loss of class-incremental learning over all classes so far, as in FACIL (Masana et al., arXiv
    /// 2010.15277): the cross-entropy over the concatenated logits of all heads. FACIL uses it for methods that keep
    /// exemplars, and optionally for fine-tuning.
    AllHeads,
}

impl ClassificationLoss {
    /// The mean loss of a batch, `[1]`. `samples` are the inputs and their latents, `[batch, latent size]`; `targets` are the
    /// class indices of the samples within the head with the name `head`. `None` if the model does not have this head.
    pub fn of(
        self,
        model: &Model,
        head: &str,
        (inputs, latents): (Inputs, Tensor<2>),
        targets: Tensor<1, Int>,
    ) -> Option<Tensor<1>> {
        let own = model.head(head)?;
        Some(match self {
            ClassificationLoss::OwnHead => cross_entropy(own.scores(inputs, latents), targets),
            ClassificationLoss::AllHeads => {
                let logits = model.scores(inputs, latents);
                let (right, shape) = correct_logits(&own.spec.classes, &model.score_classes());
                let right = Tensor::from_data(TensorData::new(right, shape), &logits.device());
                over_all(logits, right.select(0, targets))
            }
        })
    }
}

/// The mean cross-entropy, `[1]`, of logits, `[batch, classes]`, and the samples' class indices.
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
    CrossEntropyLossConfig::new().init(&logits.device()).forward(logits, targets)
}

/// The mean of the squared differences, over the batch and over all units, `[1]`. Both tensors are `[batch, units]`.
pub fn mean_squared_error(a: Tensor<2>, b: Tensor<2>) -> Tensor<1> {
    let difference = a - b;
    difference.clone().mul(difference).mean()
}

/// For each class of a head, marks the logits of all heads with the same class by 1, the others by 0. The shape is
/// `[own classes, all logits]`.
fn correct_logits(own: &[usize], all: &[usize]) -> (Vec<f32>, [usize; 2]) {
    let right = own.iter().flat_map(|class| all.iter().map(move |other| f32::from(u8::from(class == other))));
    (right.collect(), [own.len(), all.len()])
}

/// The mean over the batch, `[1]`, of −log of the sum of the correct logits' probabilities. `right` is 1 for correct
/// logits and 0 for all others; it has the shape of the logits, `[batch, logits]`.
fn over_all(logits: Tensor<2>, right: Tensor<2>) -> Tensor<1> {
    // Wrong logits become so small that they add nothing to the sum.
    let of_right = log_softmax(logits, 1) + right.sub_scalar(1.0).mul_scalar(1e4);
    // Subtracted from the exponent and added again, so that a sum of small probabilities is not rounded to 0.
    let most = of_right.clone().max_dim(1).detach();
    let log = (of_right - most.clone()).exp().sum_dim(1).log() + most;
    log.mean().neg()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use alluvium_backbone_mlp::MlpConfig;
    use alluvium_model::{HeadSpec, ModelState, Seed};
    use burn::tensor::Device;

    use super::*;

    fn of(logits: Tensor<2>, right: [[f32; 4]; 2]) -> Tensor<1> {
        let right = Tensor::from_floats(right, &logits.device());
        over_all(logits, right)
    }

    /// Two samples whose logits have the probabilities (1, 2, 3, 2) / 8 and (1, 1, 1, 5) / 8.
    fn logits(device: &Device) -> Tensor<2> {
        let [two, three, five] = [2.0f32, 3.0, 5.0].map(f32::ln);
        Tensor::from_floats([[0.0, two, three, two], [0.0, 0.0, 0.0, five]], device)
    }

    const DISTINCT: [[f32; 4]; 2] = [[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]];

    #[test]
    fn the_loss_of_two_samples_worked_out_by_hand() {
        let device = Device::flex();
        // (−ln(2/8) − ln(5/8)) / 2 = (1.386294 + 0.470004) / 2
        let loss = of(logits(&device), DISTINCT).into_scalar::<f32>();
        assert!((loss - 0.928_149).abs() < 1e-5, "{loss}");
        // A class with the logits 1 and 3: 2/8 + 2/8. (0.693147 + 0.470004) / 2
        let loss = of(logits(&device), [[0.0, 1.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0]]).into_scalar::<f32>();
        assert!((loss - 0.581_576).abs() < 1e-5, "{loss}");
    }

    #[test]
    fn the_gradient_is_the_probability_minus_the_share_of_the_correct_logits() {
        let device = Device::flex().autodiff();
        // For each sample p − (its share among the correct logits), halved by the mean: (1, 2 − 4, 3, 2 − 4) / 16 for a
        // class of two logits that have 2 of 4 eighths each; (1, 1, 1, 5 − 8) / 16.
        let logits = logits(&device).require_grad();
        let gradients = of(logits.clone(), [[0.0, 1.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0]]).backward();
        let found = logits.grad(&gradients).unwrap().into_data().try_into_vec::<f32>().unwrap();
        let expected = [1.0, -2.0, 3.0, -2.0, 1.0, 1.0, 1.0, -3.0].map(|sixteenths| sixteenths / 16.0);
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found}, expected {expected}");
        }
    }

    #[test]
    fn a_correct_logit_far_below_the_others_has_a_large_but_finite_loss() {
        let far = Tensor::from_floats([[0.0, 200.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]], &Device::flex());
        // The first sample has 200, the second ln 4: 100.693147 in the mean.
        let loss = of(far, [[1.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]).into_scalar::<f32>();
        assert!((loss - 100.693_15).abs() < 1e-3, "{loss}");
    }

    #[test]
    fn a_class_is_correct_in_any_head() {
        let (right, shape) = correct_logits(&[7, 9], &[4, 7, 7, 9]);
        assert_eq!((right, shape), (vec![0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0], [2, 4]));
    }

    #[test]
    fn other_heads_compete_only_under_all_heads() {
        let device = Device::flex();
        let backbone = Arc::new(MlpConfig { layers: vec![3] });
        let mut state = ModelState::initial(backbone, [1, 1, 2].into(), Seed::new(1), &device).unwrap();
        for (name, classes) in [("a", vec![4, 7]), ("b", vec![9, 2, 5])] {
            state.grow_head(&HeadSpec { name: name.to_owned(), classes }, 3, Seed::new(2));
        }
        let model = Model::load(&state, &device).unwrap();
        let latents = Tensor::<2>::from_floats([[0.5, -1.0, 2.0], [1.0, 0.3, -0.2]], &device);
        // Linear heads do not see the inputs.
        let inputs = Inputs::from(Tensor::<4>::zeros([2, 1, 1, 2], &device));
        let targets = Tensor::<1, Int>::from_ints([2, 0], &device);
        let loss = |loss: ClassificationLoss| {
            loss.of(&model, "b", (inputs.clone(), latents.clone()), targets.clone()).unwrap().into_scalar::<f32>()
        };
        let expected = |logits: Tensor<2>, targets: [usize; 2]| {
            let logs = log_softmax(logits, 1).into_data().try_into_vec::<f32>().unwrap();
            let width = logs.len() / 2;
            -(logs[targets[0]] + logs[width + targets[1]]) / 2.0
        };
        let own = expected(model.head("b").unwrap().scores(inputs.clone(), latents.clone()), [2, 0]);
        assert!((loss(ClassificationLoss::OwnHead) - own).abs() < 1e-5);
        // The logits of `b` come after the two of `a`.
        let all = expected(model.scores(inputs.clone(), latents.clone()), [4, 2]);
        assert!((loss(ClassificationLoss::AllHeads) - all).abs() < 1e-5);
        assert!(all > own, "more classes compete");
        assert!(ClassificationLoss::AllHeads.of(&model, "c", (inputs, latents), targets.clone()).is_none());
    }

    #[test]
    fn the_squared_error_is_a_mean_over_samples_and_units() {
        let device = Device::flex();
        let a = Tensor::from_floats([[1.0, 2.0, 0.0], [0.0, 0.0, 1.0]], &device);
        let b = Tensor::from_floats([[0.0, 0.0, 0.0], [3.0, 0.0, 0.0]], &device);
        // (1 + 4 + 0 + 9 + 0 + 1) / 6
        assert!((mean_squared_error(a, b).into_scalar::<f32>() - 2.5).abs() < 1e-6);
    }
}
