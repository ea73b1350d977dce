//! Devices with networks of their own: the initial weights of such a network, and whether it learns from the centre first.

use std::sync::Arc;

use alluvium_config::{Experiment, OwnNetworks, OwnStart};
use alluvium_model::{ClassifierConfig, InputShape, ModelState, Seed};
use burn::tensor::Device as Compute;
use serde_json::Value;

use crate::ExperimentError;
use crate::stored::CentralModel;

/// The networks of devices that do not adapt the central model, under one seed.
pub(crate) struct OwnModels {
    networks: OwnNetworks,
    classifier: Arc<dyn ClassifierConfig>,
    input: InputShape,
    root: Seed,
    compute: Compute,
    /// Whether the first weights of the centre are those of a file, so that it can teach before any consolidation.
    is_pretrained: bool,
}

impl OwnModels {
    /// The networks of an experiment's devices, if some have their own.
    pub(crate) fn of(experiment: &Experiment, input: InputShape, root: Seed, compute: &Compute) -> Option<Self> {
        let networks = experiment.own_networks.clone()?;
        let (classifier, is_pretrained) = (experiment.classifier.clone(), experiment.initial.is_some());
        Some(OwnModels { networks, classifier, input, root, compute: compute.clone(), is_pretrained })
    }

    /// Whether the device at this index has its own network.
    pub(crate) fn has(&self, device: usize) -> bool {
        self.networks.has(device)
    }

    /// The network of a device with initial weights. Each device draws its own.
    pub(crate) fn initial(&self, device: usize) -> Result<CentralModel, ExperimentError> {
        let seed = self.root.at("own network", device);
        let model = ModelState::initial(self.networks.backbone.clone(), self.input, seed, &self.compute)?;
        CentralModel::drawn(model.with_classifier(self.classifier.clone()))
    }

    /// Whether a device learns from a centre that has consolidated so many experts.
    pub(crate) fn learns_from_centre(&self, consolidated: usize) -> bool {
        self.networks.start == OwnStart::Distilled && (consolidated > 0 || self.is_pretrained)
    }

    /// The kind and the options of the backbone, which the device is told.
    pub(crate) fn backbone(&self) -> Result<Value, ExperimentError> {
        serde_json::to_value(&self.networks.backbone).map_err(|error| ExperimentError::Record(error.to_string()))
    }
}
