//! The `identity` backbone: the latent is the flattened input, so that heads are linear classifiers of inputs.

use alluvium_model::{Backbone, BackboneConfig, BoxedBackbone, InputShape, Inputs, ModelError, options, plugin};
use burn::module::Module;
use burn::tensor::{Device, Tensor};

/// No network: the latent is the flattened input, of any shape. Only heads learn.
///
/// With features of a pre-trained model as inputs, heads are linear probes of that model. Trained alone, a head is a multinomial
/// logistic regression.
#[options]
pub struct IdentityConfig {}

#[plugin(kind = "identity")]
impl BackboneConfig for IdentityConfig {
    fn accepts(&self, _input: InputShape) -> Result<(), ModelError> {
        Ok(())
    }

    fn build(&self, input: InputShape, _compute: &Device) -> Result<BoxedBackbone, ModelError> {
        Ok(Box::new(Identity { size: input.values() }))
    }
}

/// Inputs of any shape → `[batch, values]`. It has no parameters.
#[derive(Module, Debug)]
pub struct Identity {
    size: usize,
}

impl Backbone for Identity {
    fn forward(&self, inputs: Inputs) -> Tensor<2> {
        inputs.vectors()
    }

    fn latent_size(&self) -> usize {
        self.size
    }
}

#[cfg(test)]
mod tests {
    use alluvium_model::conformance::{host, inputs};

    use super::*;

    #[test]
    fn latents_are_the_values_of_inputs() {
        let compute = Device::flex();
        let identity = IdentityConfig {}.build([2, 3].into(), &compute).unwrap();
        assert_eq!((identity.latent_size(), identity.parameters().len()), (6, 0));
        let inputs = inputs(4, [2, 3], &compute);
        assert_eq!(host(identity.forward(inputs.clone())), host(inputs.vectors()));
    }
}
