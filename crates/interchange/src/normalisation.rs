//! Normalisation of inputs for foreign models. Ours take values in −1…1; foreign ones subtract a mean from each channel
//! and divide by a standard deviation.

use std::collections::BTreeMap;
use std::sync::Arc;

use alluvium_model::{
    BackboneConfig, BoxedBackbone, DynBackbone, DynModule, InputShape, Inputs, ModelError, NamedTensors, Weights,
};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::InterchangeError;

/// The kind of a backbone with normalised inputs. It is not registered, so no configuration can use it.
const KIND: &str = "normalised-inputs";

/// The mean and the standard deviation of our own inputs: for u between 0 and 1, x = (u − 0.5) / 0.5 is in −1…1.
const OURS: f64 = 0.5;

/// Normalises inputs to what a model was trained on: (u − `mean`) / `std` for each channel, with u in 0…1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalisation {
    /// The mean of each channel, which is subtracted.
    pub mean: Vec<f64>,
    /// The standard deviation of each channel, which is divided by. Above 0.
    pub std: Vec<f64>,
}

impl Normalisation {
    /// The normalisation of Alluvium's own inputs, which are in −1…1: 0.5 and 0.5.
    pub fn ours(channels: usize) -> Self {
        Normalisation { mean: vec![OURS; channels], std: vec![OURS; channels] }
    }

    /// Whether inputs stay as they are.
    pub fn is_ours(&self) -> bool {
        self.mean.iter().chain(&self.std).all(|value| *value == OURS)
    }

    /// Checks that it fits inputs with this number of channels.
    ///
    /// # Errors
    /// [`InterchangeError::Request`], which says what is accepted.
    pub fn check(&self, channels: usize) -> Result<(), InterchangeError> {
        let wrong = |what: &str, accepted: &str| {
            let problem =
                format!("the inputs' {what} cannot be used; accepted: {accepted} for each of {channels} channels");
            Err(InterchangeError::Request(problem))
        };
        if self.mean.len() != channels || !self.mean.iter().all(|value| value.is_finite()) {
            return wrong(&format!("mean {:?}", self.mean), "a finite number");
        }
        if self.std.len() != channels || !self.std.iter().all(|value| value.is_finite() && *value > 0.0) {
            return wrong(&format!("standard deviation {:?}", self.std), "a finite number above 0");
        }
        Ok(())
    }

    /// A backbone that takes our inputs, normalises them and runs `backbone`. Its tensors have the same names.
    pub(crate) fn before(&self, backbone: Arc<dyn BackboneConfig>) -> Arc<dyn BackboneConfig> {
        if self.is_ours() { backbone } else { Arc::new(NormalisedConfig { backbone, normalisation: self.clone() }) }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NormalisedConfig {
    backbone: Arc<dyn BackboneConfig>,
    normalisation: Normalisation,
}

#[typetag::serde(name = "normalised-inputs")]
impl BackboneConfig for NormalisedConfig {
    fn build(&self, input: InputShape, compute: &Device) -> Result<BoxedBackbone, ModelError> {
        let wrong = |error: InterchangeError| ModelError::Backbone { kind: KIND.to_owned(), reason: error.to_string() };
        self.normalisation.check(input.picture_for(KIND)?.channels).map_err(wrong)?;
        let Normalisation { mean, std } = &self.normalisation;
        // u = (x + 1) / 2, so (u − mean) / std = x · 0.5 / std + (0.5 − mean) / std.
        let scale = std.iter().map(|std| (0.5 / std) as f32).collect();
        let shift = mean.iter().zip(std).map(|(mean, std)| ((0.5 - mean) / std) as f32).collect();
        Ok(Box::new(NormalisedBackbone { inner: self.backbone.build(input, compute)?, scale, shift }))
    }

    fn accepts(&self, input: InputShape) -> Result<(), ModelError> {
        input.picture_for(KIND)?;
        self.backbone.accepts(input)
    }

    fn members(&self) -> &[Arc<dyn BackboneConfig>] {
        self.backbone.members()
    }
}

/// A backbone that normalises its inputs first. Everything else is left to the inner backbone.
#[derive(Debug)]
struct NormalisedBackbone {
    inner: BoxedBackbone,
    /// The factor of each channel. `shift` is added afterwards.
    scale: Vec<f32>,
    shift: Vec<f32>,
}

impl NormalisedBackbone {
    fn normalise(&self, inputs: Inputs) -> Inputs {
        let device = inputs.device();
        let each =
            |values: &[f32]| Tensor::<4>::from_data(TensorData::new(values.to_vec(), [1, values.len(), 1, 1]), &device);
        (inputs.pictures() * each(&self.scale) + each(&self.shift)).into()
    }
}

impl DynBackbone for NormalisedBackbone {
    fn forward(&self, inputs: Inputs) -> Tensor<2> {
        self.inner.forward(self.normalise(inputs))
    }

    fn latent_size(&self) -> usize {
        self.inner.latent_size()
    }

    fn layers(&self) -> Vec<(String, usize)> {
        self.inner.layers()
    }

    fn forward_layers(&self, inputs: Inputs) -> Vec<Tensor<2>> {
        self.inner.forward_layers(self.normalise(inputs))
    }

    fn forward_maps(&self, inputs: Inputs, map: &mut dyn FnMut(&str, Tensor<2>)) -> Tensor<2> {
        self.inner.forward_maps(self.normalise(inputs), map)
    }

    fn forward_normalised(&self, inputs: Inputs, norm: &mut dyn FnMut(&str, Tensor<4>)) -> Tensor<2> {
        self.inner.forward_normalised(self.normalise(inputs), norm)
    }
}

impl DynModule for NormalisedBackbone {
    fn parameters(&self) -> Weights {
        self.inner.parameters()
    }

    fn shapes(&self) -> BTreeMap<String, Vec<usize>> {
        self.inner.shapes()
    }

    fn set_parameters(&mut self, weights: &Weights) -> Result<(), ModelError> {
        self.inner.set_parameters(weights)
    }

    fn freeze_training_behaviour(&mut self) {
        self.inner.freeze_training_behaviour();
    }

    fn take_gradients(&self, gradients: &mut Gradients) -> GradientsParams {
        self.inner.take_gradients(gradients)
    }

    fn squared_norm(&self, gradients: &GradientsParams) -> Option<Tensor<1>> {
        self.inner.squared_norm(gradients)
    }

    fn scale(&self, gradients: GradientsParams, factor: &Tensor<1>) -> GradientsParams {
        self.inner.scale(gradients, factor)
    }

    fn named_gradients(&self, gradients: &Gradients) -> NamedTensors {
        self.inner.named_gradients(gradients)
    }

    fn update(&mut self, update: &mut dyn FnMut(&str, Tensor<1>) -> Option<Tensor<1>>) {
        self.inner.update(update);
    }

    fn step(&mut self, optimiser: &mut ModuleOptimizer, learning_rate: f64, gradients: GradientsParams) {
        self.inner.step(optimiser, learning_rate, gradients);
    }
}

#[cfg(test)]
mod tests {
    use alluvium_backbone_mlp::MlpConfig;
    use alluvium_model::Values;

    use super::*;

    #[test]
    fn inputs_are_those_that_the_model_was_trained_on() {
        let compute = Device::flex();
        let normalisation = Normalisation { mean: vec![0.25, 0.5], std: vec![0.5, 0.125] };
        let inner = Arc::new(MlpConfig { layers: vec![2] });
        let mut backbone = normalisation.before(inner).build([2, 1, 1].into(), &compute).unwrap();
        let identity: Weights = [
            ("layers.0.weight".to_owned(), Values::new(vec![2, 2], vec![1.0, 0.0, 0.0, 1.0])),
            ("layers.0.bias".to_owned(), Values::new(vec![2], vec![0.0; 2])),
        ]
        .into_iter()
        .collect();
        backbone.set_parameters(&identity).unwrap();
        assert_eq!(backbone.parameters(), identity);
        // −0.2 is u = 0.4, and (0.4 − 0.25) / 0.5 = 0.3; 1 is u = 1, and (1 − 0.5) / 0.125 = 4.
        let inputs = Tensor::<4>::from_floats([[[[-0.2]], [[1.0]]]], &compute);
        let latent = backbone.forward(inputs.into()).into_data().try_into_vec::<f32>().unwrap();
        assert!((latent[0] - 0.3).abs() < 1e-6 && (latent[1] - 4.0).abs() < 1e-6, "{latent:?}");
    }

    #[test]
    fn our_own_inputs_are_left_alone() {
        let inner: Arc<dyn BackboneConfig> = Arc::new(MlpConfig { layers: vec![2] });
        let before = Normalisation::ours(3).before(inner.clone());
        assert!(Arc::ptr_eq(&before, &inner));
    }

    #[test]
    fn numbers_that_cannot_be_used_are_refused() {
        let of = |mean: &[f64], std: &[f64]| Normalisation { mean: mean.to_vec(), std: std.to_vec() };
        let wrong = [of(&[0.5], &[0.5, 0.5]), of(&[f64::NAN, 0.0], &[1.0, 1.0]), of(&[0.0, 0.0], &[1.0, 0.0])];
        for one in wrong {
            let error = one.check(2).unwrap_err().to_string();
            assert!(error.contains("each of 2 channels"), "{error}");
        }
        of(&[0.485, 0.456], &[0.229, 0.224]).check(2).unwrap();
    }
}
