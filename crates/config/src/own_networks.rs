//! Devices with networks of their own: which devices, which backbone, and which weights it starts from.

use std::sync::Arc;

use alluvium_model::BackboneConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The `[own_networks]` table: some devices have a network of their own, whose backbone is not that of the centre: narrower, deeper,
/// or another architecture.
///
/// Such a device sends its own network, so its weights cannot be averaged with the centre's. Only strategies that distil from
/// experts accept it. The centre keeps the backbone of `[backbone]`. Bytes are counted as they are sent: an own network's initial
/// weights follow from the seed, so they are not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnNetworksTable {
    /// The backbone of these devices: the `kind` and the options of any `[backbone]`.
    pub backbone: Map<String, Value>,
    /// Every how many devices one has its own network: with 2, devices 2, 4, 6 and so on; with 1, all of them. 0: none, so that a sweep
    /// can compare with equal networks. Either `every` or `devices` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100_000))]
    pub every: Option<usize>,
    /// The devices with their own network, numbered from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(inner(range(min = 1)))]
    pub devices: Option<Vec<usize>>,
    /// Which weights such a device starts from.
    #[serde(default)]
    pub start: OwnStart,
}

/// Which weights a device's own network starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum OwnStart {
    /// Initial weights, drawn from the seed of the device. It takes nothing of the centre but its settings.
    #[default]
    Own,
    /// The central model, distilled on the device's own samples: the device takes it, and its network first learns the latents and
    /// the logits of all heads, for as many steps as the device adapts with afterwards. No sample leaves the device. While the centre
    /// has learned nothing, a device starts from initial weights.
    Distilled,
}

/// Which devices of an experiment have a network of their own.
#[derive(Debug, Clone)]
pub struct OwnNetworks {
    /// The backbone of their networks.
    pub backbone: Arc<dyn BackboneConfig>,
    /// Which weights these start from.
    pub start: OwnStart,
    chosen: Chosen,
}

#[derive(Debug, Clone)]
enum Chosen {
    Every(usize),
    Listed(Vec<usize>),
}

impl OwnNetworks {
    /// What a table describes; `None` if it gives no device a network. A table that says both or neither which devices is refused
    /// before.
    pub(crate) fn of(table: &OwnNetworksTable, backbone: Arc<dyn BackboneConfig>) -> Option<Self> {
        let chosen = match (&table.devices, table.every) {
            (Some(devices), _) if !devices.is_empty() => Chosen::Listed(devices.clone()),
            (None, Some(every)) if every > 0 => Chosen::Every(every),
            _ => return None,
        };
        Some(OwnNetworks { backbone, start: table.start, chosen })
    }

    /// Whether the device at this index, from 0, has its own network.
    pub fn has(&self, device: usize) -> bool {
        let number = device + 1;
        match &self.chosen {
            Chosen::Every(every) => number.is_multiple_of(*every),
            Chosen::Listed(devices) => devices.contains(&number),
        }
    }

    /// What is wrong with the choice on a stream of `devices` devices: the key and the message; `None` if nothing is.
    pub(crate) fn misnames(&self, devices: usize) -> Option<(&'static str, String)> {
        match &self.chosen {
            Chosen::Every(every) if *every > devices => {
                let message = format!(
                    "`every` = {every} gives no device a network, because the stream has {devices}; accepted: at most {devices}"
                );
                Some(("every", message))
            }
            Chosen::Every(_) => None,
            Chosen::Listed(listed) => {
                let number = listed.iter().find(|number| **number > devices)?;
                let message = format!(
                    "`devices` names the device {number}, but the stream has {devices}; accepted: some of the devices from 1 \
                     to {devices}"
                );
                Some(("devices", message))
            }
        }
    }
}

impl OwnNetworksTable {
    /// What is wrong with the keys that say which devices; `None` if nothing is.
    pub(crate) fn ambiguous(&self) -> Option<(&'static str, String)> {
        let accepted = "accepted: one of `every` and `devices`";
        match (self.every, &self.devices) {
            (Some(_), Some(_)) => Some(("every", format!("`every` and `devices` both say which devices; {accepted}"))),
            (None, None) => Some(("backbone", format!("nothing says which devices have this `backbone`; {accepted}"))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use alluvium_strategy::conformance::TinyConfig;
    use serde_json::json;

    use super::*;

    fn read(keys: Value) -> (OwnNetworksTable, Option<OwnNetworks>) {
        let mut table = json!({"backbone": {"kind": "any"}});
        keys.as_object().into_iter().flatten().for_each(|(key, value)| table[key] = value.clone());
        let table: OwnNetworksTable = serde_json::from_value(table).unwrap();
        let networks = OwnNetworks::of(&table, Arc::new(TinyConfig {}));
        (table, networks)
    }

    #[test]
    fn devices_are_counted_from_one() {
        let chosen = |keys: Value| {
            let networks = read(keys).1;
            (0..6).filter(|device| networks.as_ref().is_some_and(|own| own.has(*device))).collect::<Vec<_>>()
        };
        assert_eq!(chosen(json!({"every": 2})), [1, 3, 5]);
        assert_eq!(chosen(json!({"every": 1})), [0, 1, 2, 3, 4, 5]);
        assert_eq!(chosen(json!({"devices": [1, 4]})), [0, 3]);
        assert!(chosen(json!({"every": 0})).is_empty() && chosen(json!({"devices": []})).is_empty());
    }

    #[test]
    fn a_choice_that_is_none_or_two_or_beyond_the_stream_is_found() {
        assert!(read(json!({})).0.ambiguous().unwrap().1.contains("nothing says which devices"));
        assert!(read(json!({"every": 2, "devices": [1]})).0.ambiguous().unwrap().1.contains("both say which"));
        assert_eq!(read(json!({"every": 2})).0.ambiguous(), None);
        let misnamed = |keys: Value| read(keys).1.unwrap().misnames(4).map(|(key, _)| key);
        assert_eq!(misnamed(json!({"every": 4})), None);
        assert_eq!(misnamed(json!({"every": 5})), Some("every"));
        assert_eq!(misnamed(json!({"devices": [4, 5]})), Some("devices"));
    }
}
