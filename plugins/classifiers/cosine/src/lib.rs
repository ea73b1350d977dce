//! The `cosine` classifier: the score of a class is the scaled cosine between the latent and the weight of the class.

use alluvium_model::{
    BoxedClassifier, Classifier, ClassifierConfig, HeadShape, Inputs, ModelError, Random, Values, Weights,
    initial_linear, options, plugin,
};
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

/// A cosine classifier: the score of a class is the cosine between the latent and the weight of the class, times a scale.
///
/// s_k = τ · cos(h, w_k) (eq. 4 of the paper), where h is the latent. Neither the length of a latent nor that of a weight
/// matters, so classes that were learned at different times have scores of one range. In the paper, the latents of a cosine
/// classifier are not rectified; those of the shipped backbones are, except for `vit-tiny`. τ is a parameter of the head, as in
/// the paper, unless `learn_scale` is off.
#[options]
#[derive(PartialEq)]
pub struct CosineConfig {
    /// τ, the factor of all scores; where it is learned, its initial value. The default is the paper's.
    #[schemars(range(min = 0.01, max = 1000.0))]
    #[default(10.0)]
    pub scale: f64,
    /// Whether each head learns its own τ.
    #[default(true)]
    pub learn_scale: bool,
}

#[plugin(
    kind = "cosine",
    paper = "Gidaris & Komodakis, \"Dynamic few-shot visual learning without forgetting\", CVPR 2018, arXiv \
             1804.09458"
)]
impl ClassifierConfig for CosineConfig {
    fn initial(&self, head: HeadShape, random: &mut Random) -> Weights {
        let mut weights = Weights::new();
        if let Some(weight) = initial_linear(head.latent_size, head.classes, random).get("weight") {
            weights.insert("weight", weight.clone());
        }
        if self.learn_scale {
            weights.insert("scale", Values::new(vec![1], vec![self.scale as f32]));
        }
        weights
    }

    fn build(&self, head: HeadShape, compute: &Device) -> Result<BoxedClassifier, ModelError> {
        let weight = Param::from_tensor(Tensor::zeros([head.latent_size, head.classes], compute));
        let scale = self.learn_scale.then(|| Param::from_tensor(Tensor::ones([1], compute)));
        Ok(Box::new(Cosine { weight, scale, fixed: self.scale }))
    }
}

/// The classifier of one head.
#[derive(Module, Debug)]
struct Cosine {
    /// `[latent size, classes]`.
    weight: Param<Tensor<2>>,
    scale: Option<Param<Tensor<1>>>,
    /// The scale that is not learned.
    fixed: f64,
}

/// Added to squared lengths: latents behind a rectifier may be 0, and have no direction.
const LEAST: f64 = 1e-8;

/// The vectors along a dimension, with length 1.
fn directions(vectors: Tensor<2>, dimension: usize) -> Tensor<2> {
    let squares = vectors.clone().square().sum_dim(dimension);
    vectors / (squares + LEAST).sqrt()
}

impl Classifier for Cosine {
    fn scores(&self, _inputs: Inputs, latents: Tensor<2>) -> Tensor<2> {
        let cosines = directions(latents, 1).matmul(directions(self.weight.val(), 0));
        match &self.scale {
            Some(scale) => cosines * scale.val().reshape([1, 1]),
            None => cosines * self.fixed,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use alluvium_model::conformance::{check_classifier, check_classifier_config, host};

    use super::*;

    #[test]
    fn conforms() {
        check_classifier("cosine");
        check_classifier_config(Arc::new(CosineConfig { scale: 16.0, learn_scale: false }));
    }

    #[test]
    fn scores_are_the_ones_worked_out_by_hand() {
        // The latent (3, 4) has the length 5. With the weights (4, 3), (−3, −4) and (0, 2), the cosines are (12 + 12)/25 = 0.96,
        // −1 and 8/10 = 0.8; a latent of 0 has none. Twice as long a latent has the same scores.
        let compute = Device::flex();
        let shape = HeadShape { input: [1, 1, 1].into(), latent_size: 2, classes: 3 };
        for learn_scale in [true, false] {
            let mut classifier = CosineConfig { scale: 10.0, learn_scale }.build(shape, &compute).unwrap();
            let mut weights =
                CosineConfig { scale: 10.0, learn_scale }.initial(shape, &mut alluvium_model::Seed::new(0).random());
            weights.insert("weight", Values::new(vec![2, 3], vec![4.0, -3.0, 0.0, 3.0, -4.0, 2.0]));
            classifier.set_parameters(&weights).unwrap();
            let latents = Tensor::from_floats([[3.0, 4.0], [6.0, 8.0], [0.0, 0.0]], &compute);
            let found = host(classifier.scores(Tensor::<4>::zeros([3, 1, 1, 1], &compute).into(), latents));
            let expected = [9.6, -10.0, 8.0, 9.6, -10.0, 8.0, 0.0, 0.0, 0.0];
            let near = found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-4);
            assert!(near, "{found:?}");
        }
    }
}
