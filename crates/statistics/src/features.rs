//! Features that never move: a source and a projection, which device and centre build alike.

use std::sync::Arc;

use alluvium_model::{BackboneConfig, InputShape, Inputs, ModelError, ModelState, Seed, Values, Weights};
use alluvium_strategy::{BesideRequest, StrategyError};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::base::{Base, FeatureSource, Features, as_picture};
use crate::projection::{Projection, ProjectionKind, principal_components};

/// The name of the tensors that are handed out beside the model.
pub const FEATURES: &str = "features";

/// The number that random features are drawn from: 53 bits, which a 64-bit floating-point number holds exactly.
const SEED: &str = "seed";
/// The prefix of the tensors of a backbone that does not move.
const BACKBONE: &str = "network";

/// The inputs that go through a map at a time.
pub(crate) const BATCH: usize = 256;

/// What features are, as plain data. With the tensors that are handed out, device and centre build the same map.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FeatureSpec {
    /// The source.
    pub source: Features,
    /// The projection.
    pub projection: ProjectionKind,
    /// The size to project to.
    pub size: usize,
    /// Whether the mean of a sample's features is taken off before the projection, and what comes out is divided by its length, so that no
    /// sample counts more than any other.
    pub unit_length: bool,
    /// The backbone of features that are latents of a network that does not move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backbone: Option<Arc<dyn BackboneConfig>>,
}

/// A map from inputs to features, on a compute device.
#[derive(Debug)]
pub struct FeatureMap {
    base: Base,
    projection: Projection,
    unit_length: bool,
    size: usize,
}

impl FeatureMap {
    /// Builds the map of some inputs. `latent_size` is that of the network whose latents are the features, if they are.
    ///
    /// # Errors
    /// When `handed` lacks a tensor, or a tensor does not fit; the message names it.
    pub fn of(
        spec: &FeatureSpec,
        handed: &Weights,
        (input, latent_size): (InputShape, usize),
        compute: &Device,
    ) -> Result<Self, ModelError> {
        let seed =
            || -> Result<Seed, ModelError> { Ok(Seed::new(handed.shaped(SEED, &[1])?.numbers.exact()[0] as u64)) };
        let base = match spec.source.features {
            FeatureSource::Inputs => Base::Inputs,
            FeatureSource::CentreLatents => Base::Latents,
            FeatureSource::RandomConvolution => {
                Base::convolution(&spec.source, as_picture(input.sizes()), seed()?, compute)
            }
            FeatureSource::InitialBackbone | FeatureSource::FirstBackbone => {
                let unknown = || ModelError::Incompatible { reason: "features state no backbone".to_owned() };
                let mut backbone = spec.backbone.as_ref().ok_or_else(unknown)?.build(input, compute)?;
                let set = backbone.set_parameters(&handed.below(BACKBONE));
                set.map_err(|error| error.below(BACKBONE))?;
                backbone.freeze_training_behaviour();
                Base::Backbone(Arc::new(backbone))
            }
        };
        let one = Inputs::from_values(vec![0.0; input.values()], input, compute);
        let features = base.features(one, &mut |_| Tensor::zeros([1, latent_size], compute)).dims()[1];
        let projection = match spec.projection {
            ProjectionKind::None => Projection::default(),
            ProjectionKind::RandomRelu => Projection::random(features, spec.size, true, seed()?, compute),
            ProjectionKind::RandomLinear => Projection::random(features, spec.size, false, seed()?, compute),
            ProjectionKind::PrincipalComponents => Projection::components(handed, compute)?,
        };
        let size = match projection.sizes() {
            None => features,
            Some([from, size]) if from == features => size,
            Some([from, size]) => {
                let (found, expected) = (vec![from, size], vec![features, size]);
                return Err(ModelError::Shape { name: "components".to_owned(), found, expected });
            }
        };
        Ok(FeatureMap { base, projection, unit_length: spec.unit_length, size })
    }

    /// The number of features.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The features, `[batch, size]`. `latents` computes the latents of inputs, for features that are the latents of a network that
    /// the caller has.
    pub fn features(&self, inputs: Inputs, latents: &mut dyn FnMut(Inputs) -> Tensor<2>) -> Tensor<2> {
        let found = self.base.features(inputs, latents);
        if !self.unit_length {
            return self.projection.apply(found);
        }
        // What all features of a sample have in common tells little, and would take most of the length.
        let features = self.projection.apply(found.clone() - found.mean_dim(1));
        let lengths = features.clone().square().sum_dim(1).sqrt().clamp_min(1e-12);
        features / lengths
    }
}

/// The values of features, row by row.
pub(crate) fn rows(features: Tensor<2>) -> Vec<f32> {
    features.into_data().convert::<f32>().try_into_vec().unwrap_or_default()
}

/// What is handed out to every device, so that it builds the map of `spec`: the number that random features are drawn from, the
/// network of features that are its latents, and the principal components of `patches` inputs of surrogate data.
///
/// # Errors
/// When surrogate data are needed and cannot be made.
pub fn features_for(
    spec: &FeatureSpec,
    patches: usize,
    request: &mut BesideRequest<'_>,
) -> Result<Weights, StrategyError> {
    let mut handed = Weights::new();
    let random = spec.source.features == FeatureSource::RandomConvolution
        || matches!(spec.projection, ProjectionKind::RandomRelu | ProjectionKind::RandomLinear);
    if random {
        let number = (request.seed.of(FEATURES).number() >> 11) as f64;
        handed.insert(SEED, Values::of(vec![1], vec![number]));
    }
    if spec.source.features == FeatureSource::InitialBackbone {
        handed.extend_below(BACKBONE, request.initial.backbone_weights());
    }
    if spec.projection == ProjectionKind::PrincipalComponents {
        let unprojected = FeatureSpec { projection: ProjectionKind::None, unit_length: false, ..spec.clone() };
        let map = FeatureMap::of(&unprojected, &handed, (request.initial.input, 0), request.compute)?;
        let mut values = Vec::new();
        for inputs in request.draw(patches)?.split(BATCH) {
            values.extend(rows(map.features(inputs, &mut |inputs| inputs.vectors())));
        }
        let components = principal_components(&values, map.size(), spec.size)?;
        components.iter().for_each(|(name, tensor)| handed.insert(name, tensor.clone()));
    }
    Ok(handed)
}

/// The tensors of a map whose features are the latents of this model's network, which does not move from now on.
pub(crate) fn with_network(handed: &Weights, model: &ModelState) -> Weights {
    let mut own = handed.clone();
    own.extend_below(BACKBONE, model.backbone_weights());
    own
}

/// A number that tells networks apart: 52 bits of the digest of the backbone.
pub(crate) fn network_number(model: &ModelState) -> f64 {
    let digest = model.backbone_weights().digest();
    u64::from_str_radix(digest.as_str().get(..13).unwrap_or_default(), 16).unwrap_or_default() as f64
}

impl FeatureSpec {
    /// The same features on the backbone of this model, where they are latents of a network that does not move.
    pub fn on(&self, model: &ModelState) -> Self {
        let latents = matches!(self.source.features, FeatureSource::InitialBackbone | FeatureSource::FirstBackbone);
        FeatureSpec { backbone: latents.then(|| model.backbone.clone()), ..self.clone() }
    }
}
