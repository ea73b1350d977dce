//! A test double for what depends on batch normalisation.

use alluvium_model::{Backbone, BackboneConfig, BoxedBackbone, InputShape, Inputs, ModelError, options, plugin};
use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::tensor::{Device, Tensor};

/// A backbone that consists of two batch normalisations, `first` and `second`, one after the other. Inputs have one channel and two
/// pixels, `[1, 1, 2]`, which are the latents.
#[options]
pub struct NormsConfig {}

#[plugin(kind = "_conformance-norms")]
impl BackboneConfig for NormsConfig {
    fn build(&self, _input: InputShape, compute: &Device) -> Result<BoxedBackbone, ModelError> {
        let norm = || BatchNormConfig::new(1).init(compute);
        Ok(Box::new(Norms { first: norm(), second: norm() }))
    }
}

#[derive(Module, Debug)]
struct Norms {
    first: BatchNorm,
    second: BatchNorm,
}

impl Backbone for Norms {
    fn forward(&self, inputs: Inputs) -> Tensor<2> {
        self.forward_normalised(inputs, &mut |_, _| {})
    }

    fn latent_size(&self) -> usize {
        2
    }

    fn forward_normalised(&self, inputs: Inputs, norm: &mut dyn FnMut(&str, Tensor<4>)) -> Tensor<2> {
        let inputs = inputs.pictures();
        norm("first", inputs.clone());
        let x = self.first.forward(inputs);
        norm("second", x.clone());
        self.second.forward(x).flatten(1, 3)
    }
}
