//! The devices `in-process`: each trains on its task of the stream, in the process that runs the comparison.
//!
//! A device reads the training samples of its own task when it first needs them, and gives none of them out. `near` is the term
//! that keeps its weights near those that it took, `outliers` the one that makes it uncertain about what it does not know.

mod near;
mod outliers;

use std::path::PathBuf;
use std::sync::Arc;

use alluvium_device::{
    Device, DeviceConfig, DeviceError, DevicePlace, DeviceRun, DeviceSettings, LocalDevice, options, plugin,
};
use alluvium_model::{BackboneFacts, Digest, OptimizerKind};

use near::Near;
use outliers::Outliers;
use serde_json::{Map, Value};

/// Devices in this process. Each trains on the training samples of its task of the stream.
#[options]
#[derive(PartialEq)]
pub struct InProcessConfig {
    /// How every device trains.
    #[serde(flatten)]
    pub settings: DeviceSettings,
    /// μ, the strength with which the device's weights are kept near those that it took. The loss gets an additional
    /// term: μ/2 times the squared distance to these weights (FedProx, Li et al., arXiv 1812.06127, eq. 2). It covers
    /// the backbone and a head that came from the centre, but not a new head. With `sgd`, steps are stable if μ times the learning
    /// rate is below 2(1 + momentum). `gradient_clip` limits the gradients of the sum. 0: none.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub proximal: f64,
    /// β, the strength with which a new head is kept near zero: the loss gets β/2 times the squared norm of its weights. With
    /// `proximal` it is L2-SP (Li et al., arXiv 1802.01483, eq. 3). 0: none.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub new_head_decay: f64,
    /// Inputs about which the device learns to be uncertain: a table with the `kind` and the options of any `[surrogate]` that needs no
    /// model. The loss gets the cross-entropy between a uniform distribution over the head's classes and what the model says about
    /// 32 of them a step (outlier exposure, Hendrycks et al., arXiv 1812.04606). So heads of different devices compete better where
    /// the task is unknown and experts are kept, as by `ensemble`. A strategy that distils experts on inputs of the same kind learns
    /// nothing from them. Every step takes longer, and nothing more is sent. Not for networks with batch normalisation, whose
    /// statistics the outliers would enter. Absent: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outliers: Option<Map<String, Value>>,
    /// The weight of the outliers in the loss; default: 1.
    #[schemars(range(min = 0.0, max = 100.0))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outlier_weight: Option<f64>,
}

impl InProcessConfig {
    fn outliers(&self) -> Option<Outliers> {
        let table = self.outliers.clone()?;
        Some(Outliers { weight: self.outlier_weight.unwrap_or(1.0), table })
    }
}

#[plugin(kind = "in-process", paper = "arXiv 2303.15888, section 3", default)]
impl DeviceConfig for InProcessConfig {
    fn training(&self) -> Option<&DeviceSettings> {
        Some(&self.settings)
    }

    fn with_training(&self, settings: DeviceSettings) -> Option<Box<dyn DeviceConfig>> {
        Some(Box::new(InProcessConfig { settings, ..self.clone() }))
    }

    fn alone(&self) -> Option<Box<dyn DeviceConfig>> {
        // Without a centre, a penalty for leaving its model has no meaning.
        let alone = || Box::new(InProcessConfig { proximal: 0.0, ..self.clone() }) as Box<dyn DeviceConfig>;
        (self.proximal > 0.0).then(alone)
    }

    fn files(&self) -> Result<Vec<PathBuf>, DeviceError> {
        self.outliers().map_or(Ok(vec![]), |outliers| Ok(outliers.config()?.files()))
    }

    fn revision(&self) -> Option<Digest> {
        self.outliers()?.config().ok()?.revision()
    }

    fn check(&self, run: &DeviceRun<'_>) -> Result<(), DeviceError> {
        let wrong = |option, problem: &str, accepted: &str| {
            Err(DeviceError::Option { option, problem: problem.to_owned(), accepted: accepted.to_owned() })
        };
        if let Some(outliers) = self.outliers() {
            outliers.source(run.input)?;
            let facts = BackboneFacts::of(run.backbone.as_ref(), run.input, run.compute);
            if facts.is_ok_and(|facts| !facts.batch_norms.is_empty()) {
                return wrong("outliers", "would enter the statistics of batch normalisation", "a backbone without it");
            }
        } else if self.outlier_weight.is_some() {
            return wrong("outlier_weight", "has no effect without `outliers`", "`outliers` as well");
        }
        let learning = &self.settings.learning;
        let limit = 2.0 * (1.0 + learning.momentum);
        for (option, pull) in [("proximal", self.proximal), ("new_head_decay", self.new_head_decay)] {
            if learning.optimizer == OptimizerKind::Sgd && pull * learning.learning_rate >= limit {
                let problem = format!(
                    "= {pull} with `learning_rate` = {} and `momentum` = {} makes the weights swing ever further",
                    learning.learning_rate, learning.momentum
                );
                let accepted = format!("`{option}` × `learning_rate` below {limit}");
                return Err(DeviceError::Option { option, problem, accepted });
            }
        }
        Ok(())
    }

    fn build<'a>(&self, place: DevicePlace<'a>) -> Result<Box<dyn Device + 'a>, DeviceError> {
        let device = LocalDevice::new(place, self.settings.clone());
        let near = Near { taken: self.proximal, new_head: self.new_head_decay };
        let device = if near.is_nothing() { device } else { device.with_term(Arc::new(near)) };
        Ok(Box::new(match self.outliers() {
            Some(outliers) => device.with_term(Arc::new(outliers)),
            None => device,
        }))
    }
}

#[cfg(test)]
mod tests {
    use alluvium_device::conformance::{check_config, check_kind};
    use alluvium_device::registry::Family;

    use super::*;

    fn short() -> DeviceSettings {
        DeviceSettings { epochs: 1, batch_size: 7, ..Default::default() }
    }

    #[test]
    fn conforms() {
        check_kind("in-process");
        check_config(&InProcessConfig { settings: short(), ..Default::default() });
        check_config(&InProcessConfig { settings: short(), proximal: 0.1, new_head_decay: 0.1, ..Default::default() });
    }

    #[test]
    fn it_is_what_a_table_without_a_kind_means() {
        assert_eq!(alluvium_device::registry::default_kind(Family::Device), Some("in-process"));
    }

    #[test]
    fn alone_nothing_pulls_towards_a_centre() {
        let pulled = InProcessConfig { settings: short(), proximal: 0.1, new_head_decay: 0.2, ..Default::default() };
        let alone = serde_json::to_value(pulled.alone().unwrap()).unwrap();
        assert_eq!(
            (&alone["proximal"], &alone["new_head_decay"], &alone["epochs"]),
            (&0.0.into(), &0.2.into(), &1.into())
        );
        assert!(InProcessConfig { proximal: 0.0, ..pulled }.alone().is_none());
    }
}
