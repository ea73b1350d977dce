//! A device after its adaptation: the measurements, the expert that it sends, and its latents.

use std::sync::Arc;

use alluvium_model::{Digest, Expert, Values, Weights};
use burn::tensor::{Device as Compute, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::ExperimentError;
use crate::stored::central::CentralModel;
use crate::stored::stages::{FinishedStage, Interruption, Stages};

pub(crate) const EXPERT: &str = "expert.safetensors";
pub(crate) const LATENTS: &str = "latents.safetensors";

/// The measurements of an adaptation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AdaptationRecord {
    /// The expert's accuracy on its own task; absent if nobody judged it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) accuracy: Option<f64>,
    /// The seconds that the adaptation took.
    pub(crate) seconds: f64,
    /// The size of what the device sends.
    pub(crate) bytes: u64,
    /// The size of the statistics among it, without their names.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) statistics_bytes: u64,
    /// The digest of what the device sends, with its manifest.
    pub(crate) digest: Digest,
    /// The names of the statistics that the device sends along with its model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) statistics: Vec<String>,
    /// Whether the device sends the difference to the model that it took.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_difference: bool,
}

fn is_zero(bytes: &u64) -> bool {
    *bytes == 0
}

/// The accuracies of a device's model where the device has no task.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AccuracyElsewhere {
    /// The mean over the tasks of the other devices; absent where devices do not share a head.
    pub(crate) tasks: Option<f64>,
    /// The accuracy on each test set that no task has.
    pub(crate) further: Vec<f64>,
}

/// A device after its adaptation.
pub(crate) struct AdaptedDevice {
    pub(crate) record: AdaptationRecord,
    /// Its accuracy after each requested fraction of its budget.
    pub(crate) early: Vec<f64>,
    /// What its model scores where the device has no task, if it is alone and was judged there.
    pub(crate) elsewhere: Option<AccuracyElsewhere>,
    key: Digest,
    expert: Option<Arc<Expert>>,
    /// The model that it took. An expert that is stored as a difference is read with it.
    parent: CentralModel,
}

/// An expert's latents on the test samples of its own task. They are read from the store when needed, because a long stream has
/// too many to keep in memory.
pub(crate) struct Latents {
    key: Digest,
}

impl AdaptedDevice {
    pub(crate) fn new(stage: FinishedStage<AdaptationRecord, Arc<Expert>>, parent: CentralModel) -> Self {
        AdaptedDevice {
            record: stage.record,
            early: vec![],
            elsewhere: None,
            key: stage.key,
            expert: stage.at_hand,
            parent,
        }
    }

    /// Drops the expert from memory.
    pub(crate) fn put_away(self) -> Self {
        AdaptedDevice { expert: None, ..self }
    }

    /// The key of its stage.
    pub(crate) fn key(&self) -> &Digest {
        &self.key
    }

    /// Its latents, which later evaluations need.
    pub(crate) fn latents(&self) -> Latents {
        Latents { key: self.key.clone() }
    }

    /// The expert that the device sends. If the parent of a difference is damaged or evicted, the parent's stage is computed
    /// again.
    pub(crate) fn expert(&self, stages: &Stages<'_>) -> Result<Arc<Expert>, Interruption> {
        if let Some(expert) = &self.expert {
            return Ok(expert.clone());
        }
        let parent = self.record.is_difference.then(|| self.parent.load(stages)).transpose()?;
        stages.file(&self.key, EXPERT, |bytes| {
            let expert = match &parent {
                Some(parent) => Expert::received(bytes, parent),
                None => Expert::from_bytes(bytes),
            };
            expert.map(Arc::new).map_err(|error| error.to_string())
        })
    }
}

impl Latents {
    /// The latents, as `[samples, latent size]`.
    pub(crate) fn get(&self, stages: &Stages<'_>, compute: &Compute) -> Result<Tensor<2>, Interruption> {
        stages.file(&self.key, LATENTS, |bytes| latents_from_bytes(bytes, compute))
    }
}

pub(crate) fn latents_to_bytes(latents: &Tensor<2>) -> Result<Vec<u8>, ExperimentError> {
    let shape = latents.dims().to_vec();
    let values = latents.to_data().convert::<f32>().try_into_vec::<f32>();
    let values = values.map_err(|error| ExperimentError::Record(format!("latents: {error:?}")))?;
    let weights: Weights = [("latents".to_owned(), Values::new(shape, values))].into_iter().collect();
    Ok(weights.to_safetensors(Default::default())?)
}

fn latents_from_bytes(bytes: &[u8], compute: &Compute) -> Result<Tensor<2>, String> {
    let (weights, _) = Weights::from_safetensors(bytes).map_err(|error| error.to_string())?;
    let latents = weights.get("latents").filter(|latents| latents.shape.len() == 2);
    let latents = latents.ok_or("holds no latents")?;
    let values = latents.single("latents").map_err(|error| error.to_string())?.to_vec();
    Ok(Tensor::from_data(TensorData::new(values, latents.shape.clone()), compute))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latents_are_stored_bit_for_bit() {
        let device = Compute::flex();
        let latents = Tensor::<2>::from_floats([[0.1, -2.5e-30, 3.0], [f32::MIN_POSITIVE, 0.0, 1e30]], &device);
        let back = latents_from_bytes(&latents_to_bytes(&latents).unwrap(), &device).unwrap();
        assert_eq!(back.dims(), [2, 3]);
        assert_eq!(back.into_data(), latents.into_data());
        assert!(latents_from_bytes(b"nothing", &device).is_err());
    }
}
