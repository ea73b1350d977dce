//! A model as plain data: the form that is sent between centre and devices.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::classifier::is_default_classifier;
use crate::{
    ACROSS, AcrossTasks, BackboneConfig, ClassifierConfig, Digest, HeadShape, InputShape, ModelError, Seed, Weights,
    default_classifier, initial_weights,
};

/// The prefix of the backbone's tensors in a model's weights.
pub const BACKBONE: &str = "backbone";

/// A head: the classifier of one task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadSpec {
    /// The head's name. Tasks with the same head name share the head.
    pub name: String,
    /// The class in the stream of each score.
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
    /// The kind and the options of every head's classifier.
    pub classifier: Arc<dyn ClassifierConfig>,
    /// The shape of one input.
    pub input: InputShape,
    /// The heads, in the order in which they came.
    pub heads: Vec<HeadSpec>,
    /// The classifier across tasks, for samples whose task is unknown; `None` if the heads answer for them, too.
    pub across: Option<AcrossTasks>,
    /// The weights: `backbone.…`, `heads.NAME.…` and `across.…`; with linear classifiers, `heads.NAME.weight` and
    /// `heads.NAME.bias`.
    pub weights: Weights,
}

/// What a stored model states besides its weights.
#[derive(Serialize, Deserialize)]
struct Header {
    backbone: Arc<dyn BackboneConfig>,
    #[serde(default = "default_classifier", skip_serializing_if = "is_default_classifier")]
    classifier: Arc<dyn ClassifierConfig>,
    input: InputShape,
    heads: Vec<HeadSpec>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    across: Option<AcrossTasks>,
}

/// The metadata key of a model's header.
pub(crate) const HEADER: &str = "alluvium";

/// The metadata key of the header of a difference: an expert's file without the tensors that its parent has. It has a key of its
/// own, so that a reader of whole models does not mistake one for a model.
pub const DIFFERENCE: &str = "alluvium.difference";

impl ModelState {
    /// A model with initial weights, without heads, and with the default classifier.
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
        Ok(ModelState { weights, ..Self::bare(backbone, input) })
    }

    /// The same model with another classifier for heads. Call it before the model has heads.
    pub fn with_classifier(self, classifier: Arc<dyn ClassifierConfig>) -> Self {
        ModelState { classifier, ..self }
    }

    /// A model of this architecture that has neither weights nor heads, with the default classifier.
    pub fn bare(backbone: Arc<dyn BackboneConfig>, input: InputShape) -> Self {
        let classifier = default_classifier();
        ModelState { backbone, classifier, input, heads: vec![], across: None, weights: Weights::new() }
    }

    /// Whether heads have the default classifier, which stored models do not state.
    pub fn has_default_classifier(&self) -> bool {
        is_default_classifier(&self.classifier)
    }

    /// The head of that name.
    pub fn head(&self, name: &str) -> Option<&HeadSpec> {
        self.heads.iter().find(|head| head.name == name)
    }

    /// The backbone's weights.
    pub fn backbone_weights(&self) -> Weights {
        self.weights.below(BACKBONE)
    }

    /// A head's weights; with linear classifiers, `weight` `[latent, classes]` and `bias` `[classes]`.
    pub fn head_weights(&self, head: &HeadSpec) -> Weights {
        self.weights.below(&head.prefix())
    }

    /// Whether both models have the same backbone: its kind and options, the shape of its inputs, and the names and shapes of its
    /// tensors. Only then can weights of one be copied into the other, or be averaged.
    pub fn has_the_backbone_of(&self, other: &ModelState) -> bool {
        // Only names and shapes are read: a model may be large, and this is asked at every consolidation.
        fn shapes(state: &ModelState) -> impl Iterator<Item = (&str, &[usize])> {
            let of_backbone = |name: &str| name.strip_prefix(BACKBONE).is_some_and(|rest| rest.starts_with('.'));
            let tensors = state.weights.iter().filter(move |(name, _)| of_backbone(name));
            tensors.map(|(name, tensor)| (name, tensor.shape.as_slice()))
        }
        let written = |state: &ModelState| serde_json::to_value(&state.backbone).unwrap_or_default();
        self.input == other.input && shapes(self).eq(shapes(other)) && written(self) == written(other)
    }

    /// The same heads on another backbone's weights, without a classifier across tasks.
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
        let (backbone, classifier) = (self.backbone.clone(), self.classifier.clone());
        ModelState { backbone, classifier, input: self.input, heads: vec![], across: None, weights: Weights::new() }
    }

    /// The same model with this classifier across tasks, and its weights.
    pub fn with_across(self, across: AcrossTasks, weights: Weights) -> ModelState {
        let mut state = self.without_across();
        state.across = Some(across);
        state.weights.extend_below(ACROSS, weights);
        state
    }

    /// The same model without a classifier across tasks.
    pub fn without_across(self) -> ModelState {
        match self.across {
            None => self,
            Some(_) => self.with_heads(|_| true),
        }
    }

    /// The weights of the classifier across tasks.
    pub fn across_weights(&self) -> Weights {
        self.weights.below(ACROSS)
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
            let shape = HeadShape { input: self.input, latent_size, classes: head.classes.len() };
            self.set_head(head.clone(), self.classifier.initial(shape, &mut random));
        }
    }

    /// The same backbone with only some of the heads, without a classifier across tasks.
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
        self.weights.to_safetensors(BTreeMap::from([(HEADER.to_owned(), self.header()?)]))
    }

    /// What a file of the model states besides its weights.
    pub(crate) fn header(&self) -> Result<String, ModelError> {
        let (backbone, classifier) = (self.backbone.clone(), self.classifier.clone());
        let (heads, across) = (self.heads.clone(), self.across.clone());
        let header = Header { backbone, classifier, input: self.input, heads, across };
        serde_json::to_string(&header).map_err(|error| ModelError::Format { reason: error.to_string() })
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// [`ModelError::Format`] for other bytes; [`ModelError::NotFinite`] for weights that are not finite.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let (weights, metadata) = Weights::from_safetensors(bytes)?;
        if metadata.contains_key(DIFFERENCE) {
            let reason = "it is the difference of an expert to its parent; accepted: a whole model".to_owned();
            return Err(ModelError::Format { reason });
        }
        Self::under(HEADER, weights, &metadata)
    }

    /// The model of these weights whose header is under this key of a file's metadata.
    pub(crate) fn under(key: &str, weights: Weights, metadata: &BTreeMap<String, String>) -> Result<Self, ModelError> {
        let missing = || ModelError::Format { reason: format!("the metadata lack the key `{key}`") };
        let header: Header = serde_json::from_str(metadata.get(key).ok_or_else(missing)?)
            .map_err(|error| ModelError::Format { reason: format!("the metadata's key `{key}`: {error}") })?;
        weights.check_finite()?;
        let Header { backbone, classifier, input, heads, across } = header;
        Ok(ModelState { backbone, classifier, input, heads, across, weights })
    }
}
