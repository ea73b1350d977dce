//! An experiment: a comparison that was read and checked, ready to run.

use std::sync::Arc;

use alluvium_backend::BackendConfig;
use alluvium_device::{DeviceConfig, DeviceStart};
use alluvium_model::{BackboneConfig, BackboneFacts, ClassifierConfig, ClassifierFacts, InputShape};
use alluvium_strategy::{DataAccess, ExpertStart, ProtocolTerms, RunDescription, StrategyConfig, SurrogateConfig};
use alluvium_stream::StreamConfig;
use serde_json::Value;

use crate::evaluation::Evaluation;
use crate::initial::Initial;
use crate::own_networks::OwnNetworks;
use crate::protocol::Protocol;
use crate::reference::Reference;

/// An experiment that was read and checked.
#[derive(Debug)]
pub struct Experiment {
    /// Its name.
    pub name: String,
    /// How devices and the centre work together.
    pub protocol: Protocol,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// The row that the others are compared with, seed by seed.
    pub baseline: Option<String>,
    /// The rows without a strategy.
    pub references: Vec<Reference>,
    /// Where tensors live and run.
    pub backend: Backend,
    /// The ordered tasks.
    pub stream: Box<dyn StreamConfig>,
    /// The feature extractor of the central model, and of every device without a network of its own.
    pub backbone: Arc<dyn BackboneConfig>,
    /// The devices with networks of their own; `None` if there are none.
    pub own_networks: Option<OwnNetworks>,
    /// The classifier of every head.
    pub classifier: Arc<dyn ClassifierConfig>,
    /// The file with the first weights of the central model, and its digest; `None` where weights are drawn from the seed.
    pub initial: Option<Initial>,
    /// Which devices take part, and how they adapt the model.
    pub device: Arc<dyn DeviceConfig>,
    /// When the central model is judged.
    pub evaluation: Evaluation,
    /// The surrogate data of rows that do not name their own.
    pub surrogate: Option<Box<dyn SurrogateConfig>>,
    /// The strategies that are compared.
    pub strategies: Vec<StrategyRow>,
    /// The whole configuration with all defaults written out.
    pub written_out: Value,
}

impl Experiment {
    /// The own network of the device at this index, from 0, if it has one.
    pub fn own_network_of(&self, device: usize) -> Option<&OwnNetworks> {
        self.own_networks.as_ref().filter(|own| own.has(device))
    }

    /// The backbone of the model of the device at this index, from 0.
    pub fn backbone_of(&self, device: usize) -> &Arc<dyn BackboneConfig> {
        self.own_network_of(device).map_or(&self.backbone, |own| &own.backbone)
    }

    /// States the digest of the file with the first weights.
    pub(crate) fn state_initial(&mut self, digest: Option<String>) {
        if let (Some(initial), Some(digest)) = (&mut self.initial, digest) {
            self.written_out["initial"]["digest"] = digest.as_str().into();
            initial.digest = Some(digest);
        }
    }

    /// Fills in the options of strategies that are left open and follow from the run: the network, the protocol, what experts start
    /// from. So results state them.
    pub(crate) fn complete(&mut self, known: &KnownParts) {
        for index in 0..self.strategies.len() {
            let row = &self.strategies[index];
            let start = expert_start(row.device.start());
            let run = RunDescription { start, ..self.describe(&row.protocol, known) };
            let Some(config) = row.config.completed(&run) else { continue };
            if let Ok(Value::Object(options)) = serde_json::to_value(&config) {
                let written = &mut self.written_out["strategies"][index];
                options.into_iter().for_each(|(key, value)| written[key] = value);
            }
            self.strategies[index].config = config;
        }
    }

    /// The surrogate data of a row: its own, or those of the experiment. `None` where its strategy sees no data or sees
    /// samples of devices instead.
    pub fn surrogate_of<'a>(&'a self, row: &'a StrategyRow) -> Option<&'a dyn SurrogateConfig> {
        let named = row.surrogate.as_deref().or(self.surrogate.as_deref());
        named.filter(|_| row.data_access == DataAccess::Surrogate)
    }
}

/// What is known of a run beyond its configuration. The stream and the backbone were built to find it.
#[derive(Debug, Clone, Default)]
pub struct KnownParts {
    /// The shape of one input, and the number of tasks.
    pub stream: Option<(InputShape, usize)>,
    /// The backbone of the central model.
    pub backbone: Option<Arc<BackboneFacts>>,
    /// The backbone of devices with networks of their own.
    pub unlike_backbone: Option<Arc<BackboneFacts>>,
    /// The classifier.
    pub classifier: Option<Arc<ClassifierFacts>>,
}

impl Experiment {
    /// What strategies and surrogate data are told about a run under this protocol.
    pub fn describe(&self, protocol: &Protocol, known: &KnownParts) -> RunDescription {
        let terms = |devices: usize| {
            let clauses = protocol.clauses(devices);
            ProtocolTerms {
                name: clauses.protocol.to_owned(),
                data_access: clauses.data_access,
                statistics: clauses.statistics,
                rounds: clauses.rounds,
                experts_at_a_time: clauses.experts_at_a_time,
                // Each visit is two contacts. Under `centralised` nothing is sent, and every task comes once.
                visits_per_device: (clauses.contacts_per_device / 2).max(1),
            }
        };
        RunDescription {
            input: known.stream.map(|(input, _)| input),
            backbone: known.backbone.clone(),
            unlike_backbone: known.unlike_backbone.clone(),
            classifier: known.classifier.clone(),
            scenario: Some(self.stream.scenario()),
            protocol: known.stream.map(|(_, devices)| terms(devices)),
            tasks: known.stream.map(|(_, devices)| devices),
            across_only: false,
            start: expert_start(self.device.start()),
        }
    }
}

/// What experts start from, as strategies are told.
fn expert_start(start: DeviceStart) -> ExpertStart {
    match start {
        DeviceStart::HandedOut => ExpertStart::Previous,
        DeviceStart::Initial => ExpertStart::Common,
    }
}

/// A backend and its kind.
#[derive(Debug, Clone)]
pub struct Backend {
    /// The backend's kind.
    pub kind: String,
    /// The backend's options.
    pub config: Arc<dyn BackendConfig>,
}

/// A strategy and the name of its row.
#[derive(Debug)]
pub struct StrategyRow {
    /// The row's name: `name`, or the kind.
    pub name: String,
    /// The strategy's kind.
    pub kind: String,
    /// The strategy's options.
    pub config: Box<dyn StrategyConfig>,
    /// The data that the strategy sees while it consolidates. Its options are asked once, when they are read. What is checked,
    /// granted and stated follows from this one answer.
    pub data_access: DataAccess,
    /// The surrogate data of this row; `None` where it takes those of the experiment.
    pub surrogate: Option<Box<dyn SurrogateConfig>>,
    /// How devices and the centre work together in this row.
    pub protocol: Protocol,
    /// The devices of this row.
    pub device: Arc<dyn DeviceConfig>,
}

/// Whether two tables describe the same devices.
pub fn same_devices(one: &dyn DeviceConfig, other: &dyn DeviceConfig) -> bool {
    let written = |device: &dyn DeviceConfig| serde_json::to_value(device).unwrap_or(Value::Null);
    written(one) == written(other)
}
