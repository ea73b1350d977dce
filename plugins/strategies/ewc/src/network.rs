//! A model as parts that all learn in the same way, each under an optimiser of its own.

use alluvium_model::{BACKBONE, Backbone, BoxedBackbone, ModelError, ModelState, Weights};
use burn::module::{Module, Param};
use burn::optim::ModuleOptimizer;
use burn::tensor::{Device, Tensor};

/// A backbone and heads on a compute device.
#[derive(Debug)]
pub(crate) struct Network {
    backbone: Part,
    heads: Vec<(String, Part)>,
}

/// The backbone or a head.
#[derive(Debug)]
struct Part {
    /// The prefix of its tensors in a model's weights.
    prefix: String,
    module: BoxedBackbone,
}

/// A head as a backbone of latents, `[batch, latent size, 1, 1]`, so that it is a part like the backbone. Its tensors have
/// the names that they have in a [`ModelState`].
#[derive(Module, Debug)]
struct Readout {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

impl Backbone for Readout {
    fn forward(&self, latents: Tensor<4>) -> Tensor<2> {
        latents.flatten::<2>(1, 3).matmul(self.weight.val()) + self.bias.val().unsqueeze::<2>()
    }

    fn latent_size(&self) -> usize {
        self.bias.dims()[0]
    }
}

/// One optimiser for each part of a network, in their order.
pub(crate) struct Optimisers(Vec<ModuleOptimizer>);

impl Network {
    /// Brings a model onto a compute device. Statistics and dropout are frozen if `frozen`.
    ///
    /// # Errors
    /// When the backbone cannot be built, or the weights do not fit it.
    pub(crate) fn load(state: &ModelState, frozen: bool, compute: &Device) -> Result<Self, ModelError> {
        let mut backbone = state.backbone.build(state.input, compute)?;
        backbone.set_parameters(&state.backbone_weights())?;
        if frozen {
            backbone.freeze_training_behaviour();
        }
        let latent_size = backbone.latent_size();
        let head = |spec: &alluvium_model::HeadSpec| {
            let units = spec.classes.len();
            let mut module: BoxedBackbone = Box::new(Readout {
                weight: Param::from_tensor(Tensor::zeros([latent_size, units], compute)),
                bias: Param::from_tensor(Tensor::zeros([units], compute)),
            });
            module.set_parameters(&state.head_weights(spec))?;
            Ok((spec.name.clone(), Part { prefix: spec.prefix(), module }))
        };
        let heads = state.heads.iter().map(head).collect::<Result<_, ModelError>>()?;
        Ok(Network { backbone: Part { prefix: BACKBONE.to_owned(), module: backbone }, heads })
    }

    /// The logits of one head, `[batch, units]`.
    pub(crate) fn logits(&self, head: &str, inputs: Tensor<4>) -> Option<Tensor<2>> {
        let (_, part) = self.heads.iter().find(|(name, _)| name == head)?;
        let latents = self.backbone.module.forward(inputs);
        Some(part.module.forward(latents.unsqueeze_dims::<4>(&[-1, -1])))
    }

    /// All weights, under the names of a [`ModelState`].
    pub(crate) fn weights(&self) -> Weights {
        let mut weights = Weights::new();
        self.parts().for_each(|part| weights.extend_below(&part.prefix, part.module.parameters()));
        weights
    }

    /// Optimisers of the parts, given each part's prefix.
    pub(crate) fn optimisers(&self, of_part: impl Fn(&str) -> ModuleOptimizer) -> Optimisers {
        Optimisers(self.parts().map(|part| of_part(&part.prefix)).collect())
    }

    /// One step of the optimisers along the gradient of `loss`, `[1]`; gradients of a norm larger than `clip` are scaled
    /// down to it. Parts and tensors that the loss does not depend on stay as they are.
    pub(crate) fn step(&mut self, loss: Tensor<1>, clip: Option<f64>, rate: f64, optimisers: &mut Optimisers) {
        let mut gradients = loss.backward();
        let mut own: Vec<_> = self.parts().map(|part| part.module.take_gradients(&mut gradients)).collect();
        if let Some(most) = clip {
            let norms = self.parts().zip(&own).filter_map(|(part, own)| part.module.squared_norm(own));
            if let Some(total) = norms.reduce(|a, b| a + b) {
                // As `Optimiser` clips.
                let factor = (total.sqrt() + 1e-6).recip().mul_scalar(most).clamp_max(1.0);
                own = self.parts().zip(own).map(|(part, own)| part.module.scale(own, &factor)).collect();
            }
        }
        let parts = std::iter::once(&mut self.backbone).chain(self.heads.iter_mut().map(|(_, part)| part));
        for ((part, optimiser), own) in parts.zip(&mut optimisers.0).zip(own) {
            part.module.step(optimiser, rate, own);
        }
    }

    fn parts(&self) -> impl Iterator<Item = &Part> {
        std::iter::once(&self.backbone).chain(self.heads.iter().map(|(_, part)| part))
    }
}

#[cfg(test)]
mod tests {
    use alluvium_model::Model;
    use alluvium_strategy::conformance::{central, samples};

    use super::*;

    #[test]
    fn it_is_the_same_model() {
        let state = central(&["a", "b"], 1);
        let network = Network::load(&state, false, &Device::flex()).unwrap();
        assert_eq!(network.weights(), state.weights);

        let model = Model::load(&state, &Device::flex()).unwrap();
        let inputs = samples("b").inputs(&Device::flex());
        let expected = model.head("b").unwrap().linear.forward(model.latents(inputs.clone()));
        let found = network.logits("b", inputs.clone()).unwrap();
        let [found, expected] = [found, expected].map(|logits| logits.into_data().try_into_vec::<f32>().unwrap());
        assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?} {expected:?}");
        assert!(network.logits("c", inputs).is_none());
    }
}
