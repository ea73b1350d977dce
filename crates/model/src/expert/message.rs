//! The expert as a file: what a device sends.

use std::collections::BTreeMap;

use crate::expert::form::{Difference, Form};
use crate::state::{DIFFERENCE, HEADER};
use crate::{Expert, Manifest, ModelError, ModelState, Weights};

const MANIFEST: &str = "alluvium.manifest";

/// The prefix of statistics among the tensors of an expert's file.
const STATISTICS: &str = "statistics";

impl Expert {
    /// The expert as a safetensors file: what the device sends. A difference holds only what its parent lacks.
    ///
    /// # Errors
    /// [`ModelError::Format`] when it cannot be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ModelError> {
        let manifest = serde_json::to_string(&self.manifest);
        let manifest = manifest.map_err(|error| ModelError::Format { reason: error.to_string() })?;
        let mut sent = self.form.sent(&self.model);
        for (name, statistic) in &self.statistics {
            sent.extend_below(&format!("{STATISTICS}.{name}"), statistic.clone());
        }
        let key = if self.is_difference() { DIFFERENCE } else { HEADER };
        let metadata = BTreeMap::from([(MANIFEST.to_owned(), manifest), (key.to_owned(), self.model.header()?)]);
        sent.to_safetensors(metadata)
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote of an expert that was sent as a whole.
    ///
    /// # Errors
    /// When the bytes are not an expert, a weight is not finite, the manifest contradicts the weights, or the expert is a
    /// difference, which only [`received`](Self::received) reads.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let message = Message::read(bytes)?;
        if message.is_difference {
            let parent = message.manifest.parent;
            let reason =
                format!("it holds only what changed; accepted where its parent is at hand, the model {parent}");
            return Err(ModelError::Difference { reason });
        }
        message.whole()
    }

    /// Reads what a device sent that took `parent`: a whole expert, or a difference to the parent.
    ///
    /// # Errors
    /// When the bytes are not an expert, a weight is not finite, the manifest contradicts the weights, or the difference is one
    /// to another parent or does not fit it. The message names the tensor.
    pub fn received(bytes: &[u8], parent: &ModelState) -> Result<Self, ModelError> {
        let message = Message::read(bytes)?;
        if message.is_difference { message.on(parent) } else { message.whole() }
    }
}

/// The parts of a file.
struct Message {
    /// The model's architecture and heads, and the tensors that were sent.
    sent: ModelState,
    is_difference: bool,
    manifest: Manifest,
    statistics: BTreeMap<String, Weights>,
}

impl Message {
    fn read(bytes: &[u8]) -> Result<Self, ModelError> {
        let (weights, metadata) = Weights::from_safetensors(bytes)?;
        let is_difference = metadata.contains_key(DIFFERENCE);
        let mut sent = ModelState::under(if is_difference { DIFFERENCE } else { HEADER }, weights, &metadata)?;
        let missing = || ModelError::Format { reason: format!("the metadata lack the key `{MANIFEST}`") };
        let manifest: Result<Manifest, _> = serde_json::from_str(metadata.get(MANIFEST).ok_or_else(missing)?);
        let manifest = manifest
            .map_err(|error| ModelError::Format { reason: format!("the metadata's key `{MANIFEST}`: {error}") })?;
        let all = sent.weights.below(STATISTICS);
        let of = |name: &String| (name.clone(), all.below(name));
        let statistics = manifest.statistics.keys().map(of).collect();
        let own = sent.weights.iter().filter(|(name, _)| !name.starts_with(&format!("{STATISTICS}.")));
        sent.weights = own.map(|(name, values)| (name.to_owned(), values.clone())).collect();
        Ok(Message { sent, is_difference, manifest, statistics })
    }

    fn whole(self) -> Result<Expert, ModelError> {
        let Message { sent, manifest, statistics, .. } = self;
        Expert::new(sent, manifest.clone())?.with_stated(statistics, manifest)
    }

    fn on(self, parent: &ModelState) -> Result<Expert, ModelError> {
        let Message { sent, manifest, statistics, .. } = self;
        let refuse = |reason| Err(ModelError::Difference { reason });
        super::one_head(&sent)?;
        let given = parent.digest();
        if manifest.parent != given {
            return refuse(format!("it is one to the model {}; the parent at hand is {given}", manifest.parent));
        }
        if sent.digest() != manifest.digest {
            let task = &manifest.task_name;
            return refuse(format!("the manifest of \"{task}\" states another digest than what was sent has"));
        }
        let weights = sent.weights.clone();
        let (difference, model) = Difference::read(parent, sent, &weights)?;
        let form = Form::Difference(difference);
        let expert = Expert { model, manifest: manifest.clone(), statistics: BTreeMap::new(), form };
        expert.with_stated(statistics, manifest)
    }
}

impl Expert {
    /// The expert with the statistics that its file carries, which must be those that the manifest states.
    fn with_stated(self, statistics: BTreeMap<String, Weights>, manifest: Manifest) -> Result<Self, ModelError> {
        let expert = self.with_statistics(statistics);
        if expert.manifest == manifest {
            return Ok(expert);
        }
        let reason = format!("the manifest of \"{}\" states other statistics than it carries", manifest.task_name);
        Err(ModelError::Incompatible { reason })
    }
}
