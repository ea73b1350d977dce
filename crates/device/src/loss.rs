//! The classification loss: which classes compete for a sample.

use alluvium_model::Model;
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
    /// Those of the sample's own head: what a model is asked where the task is known.
    #[default]
    OwnHead,
    /// Those of all heads that the model has: what a model is asked where the task is unknown. A class that several heads
    /// have is right in each of them: its probability is the sum of theirs.
    ///
    /// The loss of class-incremental learning over all classes so far, as FACIL has it (Masana et al., arXiv 2010.15277: the
    /// cross-entropy of all heads' outputs side by side, where a method keeps exemplars, and in fine-tuning on request).
    AllHeads,
}

impl ClassificationLoss {
    /// The mean loss of a batch, `[1]`, given its latents, `[batch, latent size]`, and each sample's own unit in the head of
    /// this name; `None` when the model has no such head.
    pub fn of(self, model: &Model, head: &str, latents: Tensor<2>, units: Tensor<1, Int>) -> Option<Tensor<1>> {
        let own = model.head(head)?;
        Some(match self {
            ClassificationLoss::OwnHead => cross_entropy(own.linear.forward(latents), units),
            ClassificationLoss::AllHeads => {
                let logits = model.logits(latents);
                let (right, shape) = right_units(&own.spec.classes, &model.unit_classes());
                let right = Tensor::from_data(TensorData::new(right, shape), &logits.device());
                over_all(logits, right.select(0, units))
            }
        })
    }
}

/// The mean cross-entropy of logits, `[batch, units]`, and each sample's own unit; `[1]`.
pub fn cross_entropy(logits: Tensor<2>, units: Tensor<1, Int>) -> Tensor<1> {
    CrossEntropyLossConfig::new().init(&logits.device()).forward(logits, units)
}

/// For each unit of a head, which of all units have the same class: 1 or 0, and the shape `[own units, all units]`.
fn right_units(own: &[usize], all: &[usize]) -> (Vec<f32>, [usize; 2]) {
    let right = own.iter().flat_map(|class| all.iter().map(move |other| f32::from(u8::from(class == other))));
    (right.collect(), [own.len(), all.len()])
}

/// −log of the sum of the right units' probabilities, the mean over the batch, `[1]`. `right` is 1 for them and 0 for all
/// others; it has the shape of the logits, `[batch, units]`.
fn over_all(logits: Tensor<2>, right: Tensor<2>) -> Tensor<1> {
    // A wrong unit is so far down that it adds nothing to the sum.
    let of_right = log_softmax(logits, 1) + right.sub_scalar(1.0).mul_scalar(1e4);
    // Taken from the exponent and added again, so that the sum of small probabilities is not rounded to 0.
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

    /// Two samples whose units have the probabilities (1, 2, 3, 2) / 8 and (1, 1, 1, 5) / 8.
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
        // A class with the units 1 and 3: 2/8 + 2/8. (0.693147 + 0.470004) / 2
        let loss = of(logits(&device), [[0.0, 1.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0]]).into_scalar::<f32>();
        assert!((loss - 0.581_576).abs() < 1e-5, "{loss}");
    }

    #[test]
    fn the_gradient_is_the_probability_less_the_share_of_the_right_units() {
        let device = Device::flex().autodiff();
        // For each sample p − (its share among the right units), halved by the mean: (1, 2 − 4, 3, 2 − 4) / 16 for a class of
        // two units that have 2 of 4 eighths each; (1, 1, 1, 5 − 8) / 16.
        let logits = logits(&device).require_grad();
        let gradients = of(logits.clone(), [[0.0, 1.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0]]).backward();
        let found = logits.grad(&gradients).unwrap().into_data().try_into_vec::<f32>().unwrap();
        let expected = [1.0, -2.0, 3.0, -2.0, 1.0, 1.0, 1.0, -3.0].map(|sixteenths| sixteenths / 16.0);
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found}, expected {expected}");
        }
    }

    #[test]
    fn a_right_unit_far_below_the_others_has_a_large_loss_and_no_infinite_one() {
        let far = Tensor::from_floats([[0.0, 200.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]], &Device::flex());
        // The first sample has 200, the second ln 4: 100.693147 in the mean.
        let loss = of(far, [[1.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]).into_scalar::<f32>();
        assert!((loss - 100.693_15).abs() < 1e-3, "{loss}");
    }

    #[test]
    fn a_class_is_right_in_whatever_head() {
        let (right, shape) = right_units(&[7, 9], &[4, 7, 7, 9]);
        assert_eq!((right, shape), (vec![0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0], [2, 4]));
    }

    #[test]
    fn other_heads_compete_only_where_they_should() {
        let device = Device::flex();
        let backbone = Arc::new(MlpConfig { layers: vec![3] });
        let mut state = ModelState::initial(backbone, [1, 1, 2].into(), Seed::new(1), &device).unwrap();
        for (name, classes) in [("a", vec![4, 7]), ("b", vec![9, 2, 5])] {
            state.grow_head(&HeadSpec { name: name.to_owned(), classes }, 3, Seed::new(2));
        }
        let model = Model::load(&state, &device).unwrap();
        let latents = Tensor::<2>::from_floats([[0.5, -1.0, 2.0], [1.0, 0.3, -0.2]], &device);
        let units = Tensor::<1, Int>::from_ints([2, 0], &device);
        let loss = |loss: ClassificationLoss| {
            loss.of(&model, "b", latents.clone(), units.clone()).unwrap().into_scalar::<f32>()
        };
        let expected = |logits: Tensor<2>, units: [usize; 2]| {
            let logs = log_softmax(logits, 1).into_data().try_into_vec::<f32>().unwrap();
            let width = logs.len() / 2;
            -(logs[units[0]] + logs[width + units[1]]) / 2.0
        };
        let own = expected(model.head("b").unwrap().linear.forward(latents.clone()), [2, 0]);
        assert!((loss(ClassificationLoss::OwnHead) - own).abs() < 1e-5);
        // The units of `b` come after the two of `a`.
        let all = expected(model.logits(latents.clone()), [4, 2]);
        assert!((loss(ClassificationLoss::AllHeads) - all).abs() < 1e-5);
        assert!(all > own, "more classes compete");
        assert!(ClassificationLoss::AllHeads.of(&model, "c", latents, units.clone()).is_none());
    }
}
