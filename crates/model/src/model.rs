//! A model on a compute device: it runs and it learns.

use std::sync::Arc;

use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use crate::{
    BACKBONE, BackboneConfig, DynBackbone, HeadSpec, InputShape, Inputs, ModelError, ModelState, Parameters,
    SetParameters, Weights,
};

/// One head on a compute device.
#[derive(Debug, Clone)]
pub struct Head {
    /// Its name and classes.
    pub spec: HeadSpec,
    /// The classifier: latents `[batch, latent size]` → logits `[batch, classes]`.
    pub linear: Linear,
}

/// A model on a compute device: a backbone and its heads.
///
/// Built on an autodiff device it learns; built on a plain one it only runs.
#[derive(Debug)]
pub struct Model {
    config: Arc<dyn BackboneConfig>,
    input: InputShape,
    pub(crate) backbone: Box<dyn DynBackbone>,
    pub(crate) heads: Vec<Head>,
}

impl Model {
    /// Loads a model onto a compute device.
    ///
    /// # Errors
    /// When the backbone cannot be built, or the weights do not fit it; the message names the tensor.
    pub fn load(state: &ModelState, compute: &Device) -> Result<Self, ModelError> {
        state.backbone.accepts(state.input)?;
        let mut backbone = state.backbone.build(state.input, compute)?;
        backbone.set_parameters(&state.backbone_weights())?;
        let latent_size = backbone.latent_size();
        let heads = state.heads.iter().map(|spec| {
            let linear = LinearConfig::new(latent_size, spec.classes.len()).init(compute);
            let linear = linear.with_parameters(&state.head_weights(spec));
            let linear = linear.map_err(|error| error.below(&spec.prefix()))?;
            Ok(Head { spec: spec.clone(), linear })
        });
        let heads = heads.collect::<Result<_, ModelError>>()?;
        Ok(Model { config: state.backbone.clone(), input: state.input, backbone, heads })
    }

    /// The model as plain data.
    pub fn state(&self) -> ModelState {
        let mut weights = Weights::new();
        weights.extend_below(BACKBONE, self.backbone.parameters());
        for head in &self.heads {
            weights.extend_below(&head.spec.prefix(), head.linear.parameters());
        }
        let heads = self.heads.iter().map(|head| head.spec.clone()).collect();
        ModelState { backbone: self.config.clone(), input: self.input, heads, weights }
    }

    /// The latents h = φ(x), `[batch, latent size]`.
    pub fn latents(&self, inputs: Inputs) -> Tensor<2> {
        self.backbone.forward(inputs)
    }

    /// The outputs of all distillable layers, the latents last; see [`Backbone`](crate::Backbone).
    pub fn layers(&self, inputs: Inputs) -> Vec<Tensor<2>> {
        self.backbone.forward_layers(inputs)
    }

    /// The latents. On the way, calls `map` for every weight that acts as a linear map, with its name in a [`ModelState`] and
    /// the rows that it is multiplied with: first for the backbone, see
    /// [`Backbone::forward_maps`](crate::Backbone::forward_maps), then for each head, whose rows are the latents.
    pub fn forward_maps(&self, inputs: Inputs, map: &mut dyn FnMut(&str, Tensor<2>)) -> Tensor<2> {
        let latents = self.backbone.forward_maps(inputs, &mut |name, rows| map(&format!("{BACKBONE}.{name}"), rows));
        for head in &self.heads {
            map(&format!("{}.weight", head.spec.prefix()), latents.clone());
        }
        latents
    }

    /// The latents, as [`latents`](Self::latents). On the way, calls `norm` with the input of every batch normalisation of the
    /// backbone; see [`Backbone::forward_normalised`](crate::Backbone::forward_normalised).
    pub fn forward_normalised(&self, inputs: Inputs, norm: &mut dyn FnMut(&str, Tensor<4>)) -> Tensor<2> {
        self.backbone.forward_normalised(inputs, norm)
    }

    /// Name and size of each distillable layer.
    pub fn layer_sizes(&self) -> Vec<(String, usize)> {
        self.backbone.layers()
    }

    /// The size of a latent.
    pub fn latent_size(&self) -> usize {
        self.backbone.latent_size()
    }

    /// The heads, in the order in which they came.
    pub fn heads(&self) -> &[Head] {
        &self.heads
    }

    /// The head of that name.
    pub fn head(&self, name: &str) -> Option<&Head> {
        self.heads.iter().find(|head| head.spec.name == name)
    }

    /// The logits of all heads side by side: `[batch, latent size]` → `[batch, logits of all heads]`.
    ///
    /// # Panics
    /// When the model has no head.
    pub fn logits(&self, latents: Tensor<2>) -> Tensor<2> {
        let all: Vec<_> = self.heads.iter().map(|head| head.linear.forward(latents.clone())).collect();
        Tensor::cat(all, 1)
    }

    /// The class of each logit of [`logits`](Self::logits).
    pub fn logit_classes(&self) -> Vec<usize> {
        self.heads.iter().flat_map(|head| head.spec.classes.iter().copied()).collect()
    }

    /// Turns off everything that behaves differently in training (batch statistics, dropout). Gradients stay.
    pub fn freeze_training_behaviour(&mut self) {
        self.backbone.freeze_training_behaviour();
    }
}
