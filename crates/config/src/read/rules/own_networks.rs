//! Rules about devices with networks of their own: whether their backbone fits, and strategies, protocols and devices allow them.

use std::sync::Arc;

use alluvium_device::{DeviceRun, DeviceStart};
use alluvium_model::registry::{Family, described};
use alluvium_model::{BackboneFacts, ClassifierFacts, HeadShape};
use alluvium_strategy::StrategyConfig;
use serde_json::json;

use super::Verdict;
use crate::experiment::Experiment;
use crate::own_networks::{OwnNetworks, OwnStart};
use crate::protocol::ProtocolKind;
use crate::read::inputs::misfit;
use crate::sweep::{OWN_BACKBONE, OWN_NETWORKS};

const AT_BACKBONE: [&str; 2] = [OWN_NETWORKS, OWN_BACKBONE];

impl Verdict {
    /// Checks the table of devices with networks of their own. Returns the facts about their backbone, if it can be built.
    pub(super) fn own_networks_fit(
        &mut self,
        experiment: &Experiment,
        own: &OwnNetworks,
        run: &DeviceRun<'_>,
    ) -> Option<Arc<BackboneFacts>> {
        if let Some((key, message)) = own.misnames(run.tasks) {
            self.wrong(&[OWN_NETWORKS, key], message);
        }
        self.rows_take_own_networks(experiment);
        self.devices_may_have_own_networks(experiment, own);
        if let Some(message) = misfit(own.backbone.as_ref(), experiment.stream.typetag_name(), run.input) {
            self.wrong(&[&AT_BACKBONE[..], &["kind"]].concat(), message);
            return None;
        }
        let written = &experiment.written_out[OWN_NETWORKS][OWN_BACKBONE];
        let facts = match BackboneFacts::of(own.backbone.as_ref(), run.input, run.compute) {
            Ok(facts) => facts,
            Err(error) => {
                self.plugin_says(&AT_BACKBONE, written, &error.to_string());
                return None;
            }
        };
        // Any number of classes will do.
        let head = HeadShape { input: run.input, latent_size: facts.latent_size, classes: 2 };
        if let Err(error) = ClassifierFacts::of(experiment.classifier.as_ref(), head, run.compute) {
            self.plugin_says(&AT_BACKBONE, written, &error.to_string());
        }
        let misfit = experiment.device.training().and_then(|training| training.misfit(run.input, &facts.shapes));
        if let Some((key, message)) = misfit {
            let message = format!("for the devices' own backbone \"{}\": {message}", facts.kind);
            self.wrong(&[&["device"], key].concat(), message);
        }
        Some(facts.into())
    }

    /// Checks that the strategies take such experts, and that devices meet the centre once.
    fn rows_take_own_networks(&mut self, experiment: &Experiment) {
        for (index, row) in experiment.strategies.iter().enumerate() {
            let number = index.to_string();
            if !row.config.accepts_unlike_networks() {
                let message = format!(
                    "the strategy \"{}\" needs experts of the centre's shapes, but the devices of [{OWN_NETWORKS}] have another \
                     `{OWN_BACKBONE}`; accepted: {}, or no [{OWN_NETWORKS}]",
                    row.kind,
                    accepting().join(", ")
                );
                self.wrong(&["strategies", &number], message);
            }
            if row.protocol.kind != ProtocolKind::Dcl {
                let name = row.protocol.kind.name();
                let message = format!(
                    "devices of [{OWN_NETWORKS}] send a network of their own once, but under the protocol \"{name}\" all models are \
                     the central one; accepted: kind = \"dcl\", or no [{OWN_NETWORKS}]"
                );
                self.wrong(&["strategies", &number, "protocol", "kind"], message);
            }
        }
    }

    /// Checks that the kinds of devices let this process say which network a device has, and what it starts from.
    fn devices_may_have_own_networks(&mut self, experiment: &Experiment, own: &OwnNetworks) {
        let at_start = [OWN_NETWORKS, "start"];
        let rows = experiment.strategies.iter().map(|row| &row.device);
        for device in std::iter::once(&experiment.device).chain(rows) {
            let kind = device.typetag_name();
            if device.tasks().is_some() || device.start() == DeviceStart::Initial {
                let message = format!(
                    "the devices \"{kind}\" bring experts that exist, with the centre's backbone; accepted: devices that adapt a \
                     model, or no [{OWN_NETWORKS}]"
                );
                self.wrong(&[OWN_NETWORKS], message);
                return;
            }
            if own.start != OwnStart::Distilled {
                continue;
            }
            let problem = match device.training() {
                None => format!("needs samples in this process, which the devices \"{kind}\" do not have"),
                Some(training) if training.lora.is_some() => {
                    "does not go with `lora`: the centre does not have the weights that the factors would change"
                        .to_owned()
                }
                Some(_) => continue,
            };
            self.wrong(&at_start, format!("`start` = \"distilled\" {problem}; accepted: \"own\""));
            return;
        }
    }
}

/// The kinds of strategies that accept networks other than the centre's with their default options.
fn accepting() -> Vec<&'static str> {
    let accepts = |kind: &&str| {
        let config = serde_json::from_value::<Box<dyn StrategyConfig>>(json!({ "kind": kind }));
        config.is_ok_and(|config| config.accepts_unlike_networks())
    };
    described(Family::Strategy).iter().map(|one| one.kind).filter(accepts).collect()
}
