//! A central model along the stream: its digest, its size, and its weights in memory or on disk.

use std::sync::Arc;

use alluvium_model::{Digest, Expert, ModelState};
use serde_json::json;

use crate::ExperimentError;
use crate::stored::stages::{Interruption, Stages};

pub(crate) const CENTRAL: &str = "central.safetensors";
/// The model that the next device takes, if it is not the central model.
pub(crate) const HANDED_OUT: &str = "handed-out.safetensors";

/// A central model, or the model that the centre hands out instead of it. A cell that continues a stopped run does not read the
/// weights of the models before that point.
#[derive(Clone)]
pub(crate) struct CentralModel {
    /// The digest of architecture, heads and weights.
    pub(crate) digest: Digest,
    /// The size of what a device takes; 0 if it has the model already.
    pub(crate) bytes: u64,
    source: Source,
}

#[derive(Clone)]
enum Source {
    AtHand(Arc<ModelState>),
    /// In this file of the stage with this key.
    Stored(Digest, &'static str),
}

impl CentralModel {
    /// The model before the first device.
    pub(crate) fn initial(model: ModelState) -> Result<Self, ExperimentError> {
        let bytes = model.to_bytes()?.len() as u64;
        Ok(CentralModel { digest: identity(&model)?, bytes, source: Source::AtHand(Arc::new(model)) })
    }

    /// A model that a device draws from its seed, so that nothing of it is sent.
    pub(crate) fn drawn(model: ModelState) -> Result<Self, ExperimentError> {
        Ok(CentralModel { digest: identity(&model)?, bytes: 0, source: Source::AtHand(Arc::new(model)) })
    }

    /// The model that a stage stored in a file. `model` is the model in memory, if the stage was computed just now.
    pub(crate) fn of_stage(
        key: Digest,
        file: &'static str,
        digest: Digest,
        bytes: u64,
        model: Option<Arc<ModelState>>,
    ) -> Self {
        CentralModel { digest, bytes, source: model.map_or(Source::Stored(key, file), Source::AtHand) }
    }

    /// The model with its weights.
    pub(crate) fn load(&self, stages: &Stages<'_>) -> Result<Arc<ModelState>, Interruption> {
        match &self.source {
            Source::AtHand(model) => Ok(model.clone()),
            Source::Stored(key, file) => stages.file(key, file, |bytes| {
                ModelState::from_bytes(bytes).map(Arc::new).map_err(|error| error.to_string())
            }),
        }
    }
}

/// The digest of a whole model: architecture, heads and weights.
pub(crate) fn identity(model: &ModelState) -> Result<Digest, ExperimentError> {
    let backbone = serde_json::to_value(&model.backbone).map_err(|error| ExperimentError::Record(error.to_string()))?;
    let mut parts = json!([backbone, model.input, model.heads, model.digest()]);
    if let (Some(parts), false) = (parts.as_array_mut(), model.has_default_classifier()) {
        let classifier = serde_json::to_value(&model.classifier);
        parts.push(classifier.map_err(|error| ExperimentError::Record(error.to_string()))?);
    }
    if let (Some(parts), Some(across)) = (parts.as_array_mut(), &model.across) {
        parts.push(serde_json::to_value(across).map_err(|error| ExperimentError::Record(error.to_string()))?);
    }
    Ok(Digest::of(parts.to_string().as_bytes()))
}

/// The digest of what a device sends, with its manifest. The bytes are not used, because safetensors writes metadata in any
/// order.
pub(crate) fn expert_digest(expert: &Expert) -> Result<Digest, ExperimentError> {
    let parts = json!([identity(&expert.model)?, expert.manifest]);
    Ok(Digest::of(parts.to_string().as_bytes()))
}
