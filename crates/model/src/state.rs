//! A model as plain data: the form that is sent between centre and devices.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::{BackboneConfig, Digest, InputShape, ModelError, Seed, Weights, initial_linear, initial_weights};

/// The prefix of the backbone's tensors in a model's weights.
pub const BACKBONE: &str = "backbone";

/// A head: the linear classifier of one task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadSpec {
    /// The head's name. Tasks with the same head name share the head.
    pub name: String,
    /// The class in the stream of each logit.
    pub classes: Vec<usize>,
}

impl HeadSpec {
    /// The prefix of this head's tensors in a model's weights.
    pub fn prefix(&self) -> String {
        format!("heads.{}", self.name)
    }
}

/// A model as plain data: its architecture, its heads and its weights.
#[derive(Debug, Clone)]
pub struct ModelState {
    /// The backbone's kind and options.
    pub backbone: Arc<dyn BackboneConfig>,
    /// The shape of one input.
    pub input: InputShape,
    /// The heads, in the order in which they came.
    pub heads: Vec<HeadSpec>,
    /// The weights: `backbone.…` and `heads.NAME.weight`, `heads.NAME.bias`.
    pub weights: Weights,
}

/// What a stored model states besides its weights.
#[derive(Serialize, Deserialize)]
struct Header {
    backbone: Arc<dyn BackboneConfig>,
    input: InputShape,
    heads: Vec<HeadSpec>,
}

const HEADER: &str = "alluvium";

impl ModelState {
    /// A model with initial weights and no head.
    ///
    /// # Errors
    /// When the backbone cannot be built for this input.
    pub fn initial(
        backbone: Arc<dyn BackboneConfig>,
        input: InputShape,
        seed: Seed,
        compute: &Device,
    ) -> Result<Self, ModelError> {
        backbone.accepts(input)?;
        let built = backbone.build(input, compute)?.parameters();
        let mut weights = Weights::new();
        weights.extend_below(BACKBONE, initial_weights(&built, &mut seed.of("initial weights").random()));
        Ok(ModelState { backbone, input, heads: vec![], weights })
    }

    /// The head of that name.
    pub fn head(&self, name: &str) -> Option<&HeadSpec> {
        self.heads.iter().find(|head| head.name == name)
    }

    /// The backbone's weights.
    pub fn backbone_weights(&self) -> Weights {
        self.weights.below(BACKBONE)
    }

    /// A head's weights: `weight` `[latent, classes]` and `bias` `[classes]`.
    pub fn head_weights(&self, head: &HeadSpec) -> Weights {
        self.weights.below(&head.prefix())
    }

    /// The same heads on another backbone's weights.
    pub fn with_backbone_weights(&self, weights: Weights) -> ModelState {
        let mut state = self.without_weights();
        state.heads = self.heads.clone();
        state.weights.extend_below(BACKBONE, weights);
        for head in &self.heads {
            state.weights.extend_below(&head.prefix(), self.head_weights(head));
        }
        state
    }

    /// The same architecture, with neither weights nor heads.
    fn without_weights(&self) -> ModelState {
        ModelState { backbone: self.backbone.clone(), input: self.input, heads: vec![], weights: Weights::new() }
    }

    /// Adds a head with these weights, or replaces the weights of the head of that name.
    pub fn set_head(&mut self, head: HeadSpec, weights: Weights) {
        self.weights.extend_below(&head.prefix(), weights);
        match self.heads.iter_mut().find(|own| own.name == head.name) {
            Some(own) => *own = head,
            None => self.heads.push(head),
        }
    }

    /// Adds a head with initial weights on latents of the given size. Does nothing if the model already has the head.
    pub fn grow_head(&mut self, head: &HeadSpec, latent_size: usize, seed: Seed) {
        if self.head(&head.name).is_none() {
            let mut random = seed.of("head").of(&head.name).random();
            self.set_head(head.clone(), initial_linear(latent_size, head.classes.len(), &mut random));
        }
    }

    /// The same backbone with only some of the heads.
    pub fn with_heads(&self, keep: impl Fn(&HeadSpec) -> bool) -> ModelState {
        let mut state = self.without_weights();
        state.weights.extend_below(BACKBONE, self.backbone_weights());
        for head in self.heads.iter().filter(|head| keep(head)) {
            state.set_head(head.clone(), self.head_weights(head));
        }
        state
    }

    /// The digest of the weights.
    pub fn digest(&self) -> Digest {
        self.weights.digest()
    }

    /// The model as a safetensors file: what is sent and stored.
    ///
    /// # Errors
    /// [`ModelError::Format`] when it cannot be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ModelError> {
        self.to_bytes_with(BTreeMap::new())
    }

    pub(crate) fn to_bytes_with(&self, mut metadata: BTreeMap<String, String>) -> Result<Vec<u8>, ModelError> {
        let header = Header { backbone: self.backbone.clone(), input: self.input, heads: self.heads.clone() };
        let header =
            serde_json::to_string(&header).map_err(|error| ModelError::Format { reason: error.to_string() })?;
        metadata.insert(HEADER.to_owned(), header);
        self.weights.to_safetensors(metadata)
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// [`ModelError::Format`] for other bytes; [`ModelError::NotFinite`] for weights that are not finite.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        Ok(Self::from_bytes_with(bytes)?.0)
    }

    pub(crate) fn from_bytes_with(bytes: &[u8]) -> Result<(Self, BTreeMap<String, String>), ModelError> {
        let (weights, metadata) = Weights::from_safetensors(bytes)?;
        let missing = || ModelError::Format { reason: format!("the metadata lack the key `{HEADER}`") };
        let header = metadata.get(HEADER).ok_or_else(missing)?;
        let header: Header = serde_json::from_str(header)
            .map_err(|error| ModelError::Format { reason: format!("the metadata's key `{HEADER}`: {error}") })?;
        weights.check_finite()?;
        let state = ModelState { backbone: header.backbone, input: header.input, heads: header.heads, weights };
        Ok((state, metadata))
    }
}
