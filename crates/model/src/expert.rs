//! The expert: the model that a device sends back, with its manifest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Digest, HeadSpec, ModelError, ModelState, Weights};

/// What a device states about the model that it sends back. Of its data, it states only the number of samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The number of the device's task in the stream, from 0.
    pub task: usize,
    /// The task's name.
    pub task_name: String,
    /// The device's number of training samples.
    pub samples: usize,
    /// The number of gradient steps that it took.
    pub steps: usize,
    /// The digest of the central model that it started from.
    pub parent: Digest,
    /// The digest of the weights that it sends.
    pub digest: Digest,
    /// The digests of the statistics that it sends along, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub statistics: BTreeMap<String, Digest>,
}

/// The model that a device sends back: backbone, the head of its own task, and the manifest.
#[derive(Debug, Clone)]
pub struct Expert {
    /// The adapted model; its only head is that of the device's task.
    pub model: ModelState,
    /// What the device states about it.
    pub manifest: Manifest,
    statistics: BTreeMap<String, Weights>,
}

const MANIFEST: &str = "alluvium.manifest";

/// The prefix of statistics among the tensors of an expert's file.
const STATISTICS: &str = "statistics";

impl Expert {
    /// The head of the device's task.
    ///
    /// # Panics
    /// When the model has no head: [`Expert::new`] refuses such a model.
    pub fn head(&self) -> &HeadSpec {
        &self.model.heads[0]
    }

    /// An expert whose manifest agrees with its weights, without statistics.
    ///
    /// # Errors
    /// [`ModelError::Incompatible`] unless the model has exactly one head and the digest is that of its weights.
    pub fn new(model: ModelState, manifest: Manifest) -> Result<Self, ModelError> {
        let reason = if model.heads.len() != 1 {
            format!("an expert has one head, this one has {}", model.heads.len())
        } else if model.digest() != manifest.digest {
            format!("the manifest of \"{}\" states another digest than its weights have", manifest.task_name)
        } else {
            return Ok(Expert { model, manifest, statistics: BTreeMap::new() }.with_statistics(BTreeMap::new()));
        };
        Err(ModelError::Incompatible { reason })
    }

    /// The expert with a statistic that its device computed on its samples. The manifest names it.
    pub fn with_statistics(mut self, statistics: BTreeMap<String, Weights>) -> Self {
        let digests = statistics.iter().map(|(name, statistic)| (name.clone(), statistic.digest()));
        self.manifest.statistics = digests.collect();
        self.statistics = statistics;
        self
    }

    /// The statistic of this name, which the device computed on its samples.
    ///
    /// # Errors
    /// [`ModelError::Incompatible`] when the device did not send it.
    pub fn statistic(&self, name: &str) -> Result<&Weights, ModelError> {
        let sent: Vec<_> = self.statistics.keys().map(String::as_str).collect();
        let missing = || ModelError::Incompatible {
            reason: format!(
                "the expert of \"{}\" carries no statistic \"{name}\"; it carries: {}",
                self.manifest.task_name,
                if sent.is_empty() { "none".to_owned() } else { sent.join(", ") }
            ),
        };
        self.statistics.get(name).ok_or_else(missing)
    }

    /// The expert as a safetensors file: what the device sends.
    ///
    /// # Errors
    /// [`ModelError::Format`] when it cannot be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ModelError> {
        let manifest = serde_json::to_string(&self.manifest);
        let manifest = manifest.map_err(|error| ModelError::Format { reason: error.to_string() })?;
        let mut sent = self.model.clone();
        for (name, statistic) in &self.statistics {
            sent.weights.extend_below(&format!("{STATISTICS}.{name}"), statistic.clone());
        }
        sent.to_bytes_with(BTreeMap::from([(MANIFEST.to_owned(), manifest)]))
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// When the bytes are not an expert, a weight is not finite, or the manifest contradicts the weights.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let (mut model, metadata) = ModelState::from_bytes_with(bytes)?;
        let missing = || ModelError::Format { reason: format!("the metadata lack the key `{MANIFEST}`") };
        let manifest: Result<Manifest, _> = serde_json::from_str(metadata.get(MANIFEST).ok_or_else(missing)?);
        let manifest = manifest
            .map_err(|error| ModelError::Format { reason: format!("the metadata's key `{MANIFEST}`: {error}") })?;
        let sent = model.weights.below(STATISTICS);
        let of = |name: &String| (name.clone(), sent.below(name));
        let statistics = manifest.statistics.keys().map(of).collect();
        let own = model.weights.iter().filter(|(name, _)| !name.starts_with(&format!("{STATISTICS}.")));
        model.weights = own.map(|(name, values)| (name.to_owned(), values.clone())).collect();
        let expert = Expert::new(model, manifest.clone())?.with_statistics(statistics);
        if expert.manifest != manifest {
            let reason = format!("the manifest of \"{}\" states other statistics than it carries", manifest.task_name);
            return Err(ModelError::Incompatible { reason });
        }
        Ok(expert)
    }
}
