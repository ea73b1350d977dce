//! The classifier `wide-and-deep`: an example of a classifier in a crate outside Alluvium.

use alluvium_model::{
    BoxedClassifier, Classifier, ClassifierConfig, HeadShape, Inputs, ModelError, Random, Weights, initial_linear,
    options, plugin,
};
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

/// Wide and deep: a linear classifier of the latent and of the input itself, side by side.
///
/// s = Wᵀ[h, x] + b, where h is the latent and x the values of the input.
#[options]
pub struct WideAndDeepConfig {}

#[plugin(kind = "wide-and-deep", paper = "Cheng et al., arXiv 1606.07792")]
impl ClassifierConfig for WideAndDeepConfig {
    fn initial(&self, head: HeadShape, random: &mut Random) -> Weights {
        let mut weights = Weights::new();
        weights.extend_below("layer", initial_linear(features(head), head.classes, random));
        weights
    }

    fn build(&self, head: HeadShape, compute: &Device) -> Result<BoxedClassifier, ModelError> {
        Ok(Box::new(WideAndDeep { layer: LinearConfig::new(features(head), head.classes).init(compute) }))
    }
}

fn features(head: HeadShape) -> usize {
    head.latent_size + head.input.values()
}

#[derive(Module, Debug)]
struct WideAndDeep {
    layer: Linear,
}

impl Classifier for WideAndDeep {
    fn scores(&self, inputs: Inputs, latents: Tensor<2>) -> Tensor<2> {
        self.layer.forward(Tensor::cat(vec![latents, inputs.vectors()], 1))
    }
}
