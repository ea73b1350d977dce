//! The expert: the model that a device sends back, with its manifest.

mod form;
mod low_rank;
mod message;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Digest, HeadSpec, ModelError, ModelState, Values, Weights, Width};
use form::{Difference, Form};
pub use low_rank::LowRank;

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
    /// The digest of the weights of the model that it took.
    pub parent: Digest,
    /// The digest of the tensors that it sends: all weights of the model or, of a difference, those that changed and the
    /// factors.
    pub digest: Digest,
    /// The digests of the statistics that it sends along, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub statistics: BTreeMap<String, Digest>,
}

/// The model that a device sends back: backbone, the head of its own task, and the manifest.
///
/// The model is always complete in memory. A device may send it as a whole ([`Expert::new`]) or as the difference to the model
/// that it took ([`Expert::difference`]): the tensors that changed, and low-rank factors of others. Only
/// [`to_bytes`](Expert::to_bytes) and [`received`](Expert::received) differ then.
#[derive(Debug, Clone)]
pub struct Expert {
    /// The adapted model; its only head is that of the device's task.
    pub model: ModelState,
    /// What the device states about it.
    pub manifest: Manifest,
    statistics: BTreeMap<String, Weights>,
    form: Form,
}

impl Expert {
    /// The head of the device's task.
    ///
    /// # Panics
    /// When the model has no head: [`Expert::new`] refuses such a model.
    pub fn head(&self) -> &HeadSpec {
        &self.model.heads[0]
    }

    /// An expert that is sent as a whole and whose manifest agrees with its weights, without statistics.
    ///
    /// # Errors
    /// [`ModelError::Incompatible`] unless the model has exactly one head and the digest is that of its weights.
    pub fn new(model: ModelState, manifest: Manifest) -> Result<Self, ModelError> {
        one_head(&model)?;
        if model.digest() != manifest.digest {
            let task = &manifest.task_name;
            let reason = format!("the manifest of \"{task}\" states another digest than its weights have");
            return Err(ModelError::Incompatible { reason });
        }
        let expert = Expert { model, manifest, statistics: BTreeMap::new(), form: Form::Whole };
        Ok(expert.with_statistics(BTreeMap::new()))
    }

    /// An expert that is sent as the difference to its parent, the model that its device took; without statistics.
    ///
    /// A tensor with factors gets the values that parent and factors give, whatever `model` holds. Of the others, only those
    /// are sent that the parent lacks, or whose bits differ from the parent's. The manifest gets the digests of the parent and
    /// of what is sent.
    ///
    /// # Errors
    /// When the model has not exactly one head or another architecture than its parent, lacks a tensor of the parent, or has one
    /// of another shape; when factors do not fit; or when a weight is not finite. The message names the tensor.
    pub fn difference(
        parent: &ModelState,
        model: ModelState,
        factors: BTreeMap<String, LowRank>,
        manifest: Manifest,
    ) -> Result<Self, ModelError> {
        one_head(&model)?;
        let (difference, model) = Difference::between(parent, model, factors)?;
        let form = Form::Difference(difference);
        let manifest = Manifest { parent: parent.digest(), digest: form.digest(&model), ..manifest };
        let expert = Expert { model, manifest, statistics: BTreeMap::new(), form };
        Ok(expert.with_statistics(BTreeMap::new()))
    }

    /// Whether the expert is sent as the difference to its parent.
    pub fn is_difference(&self) -> bool {
        matches!(self.form, Form::Difference(_))
    }

    /// Checks that the model is what a receiver would read who has this parent. Both may have been changed since they were made.
    ///
    /// # Errors
    /// When the manifest states other digests than the weights have, or another parent, or a difference does not give the model.
    pub fn check(&self, parent: &ModelState) -> Result<(), ModelError> {
        let task = &self.manifest.task_name;
        let refuse =
            |problem: &str| Err(ModelError::Incompatible { reason: format!("the expert of \"{task}\" {problem}") });
        if self.form.digest(&self.model) != self.manifest.digest {
            return refuse("states another digest than its weights have");
        }
        if self.manifest.parent != parent.digest() {
            return refuse("states another parent than the model at hand");
        }
        if let Form::Difference(_) = self.form {
            let sent = self.form.sent(&self.model);
            let (_, model) = Difference::read(parent, self.model.clone(), &sent)?;
            if model.digest() != self.model.digest() {
                return refuse("has another model than its difference gives");
            }
        }
        Ok(())
    }

    /// The size of the statistics that it carries, in bytes, without their names.
    pub fn statistics_bytes(&self) -> u64 {
        let bytes = |values: &Values| (values.len() * if values.width() == Width::Double { 8 } else { 4 }) as u64;
        self.statistics.values().flat_map(|statistic| statistic.iter()).map(|(_, values)| bytes(values)).sum()
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
}

fn one_head(model: &ModelState) -> Result<(), ModelError> {
    match model.heads.len() {
        1 => Ok(()),
        heads => Err(ModelError::Incompatible { reason: format!("an expert has one head, this one has {heads}") }),
    }
}
