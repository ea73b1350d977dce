//! The protocol: who meets whom, how often, and who may see which data.

mod clauses;

use alluvium_strategy::DataAccess;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use clauses::Clauses;

/// How devices and the centre work together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum ProtocolKind {
    /// Distributed continual learning (Carta et al., arXiv 2303.15888): tasks differ between devices, two contacts a
    /// device, the centre consolidates the experts one after another.
    Dcl,
    /// Federated learning (McMahan et al., arXiv 1602.05629): in each round some devices take the central model, train it
    /// and send it back, and the centre aggregates what came back.
    Federated,
    /// Centralised continual learning: one learner sees the data of one task after another. Nothing is sent. A device still
    /// adapts a copy of the model to each task beforehand; each strategy says what it uses of that.
    Centralised,
}

impl ProtocolKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Dcl, Self::Federated, Self::Centralised];

    /// The kind as it is written in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            ProtocolKind::Dcl => "dcl",
            ProtocolKind::Federated => "federated",
            ProtocolKind::Centralised => "centralised",
        }
    }
}

/// The keys that only one kind of protocol knows.
pub(crate) const KEYS_OF_ONE_KIND: [(&str, ProtocolKind); 6] = [
    ("concurrency", ProtocolKind::Dcl),
    ("arrival", ProtocolKind::Dcl),
    ("never_return", ProtocolKind::Dcl),
    ("absent_devices", ProtocolKind::Dcl),
    ("rounds", ProtocolKind::Federated),
    ("client_fraction", ProtocolKind::Federated),
];

/// The order in which devices meet the centre.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Arrival {
    /// In the order of the stream.
    InOrder,
    /// The last device of the stream first.
    Reversed,
    /// Shuffled by the seed.
    Shuffled,
}

/// The `protocol` key: how devices and the centre work together, and which data a strategy is granted. A strategy's table
/// may name its own protocol, so that one comparison holds rows of different protocols.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Protocol {
    /// How devices and the centre work together.
    pub kind: ProtocolKind,
    /// The data that strategies may see while they consolidate. Default: `surrogate`; under `centralised`, `current-task`.
    /// Distributed continual learning grants `surrogate`. More than that gives up the privacy of the devices, for comparison
    /// with centralised methods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<DataAccess>,
    /// Whether devices may send statistics of their samples along with their model; default: true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statistics: Option<bool>,
    /// `dcl`: how many devices are under way at a time; default: 1. With more, a device starts from a centre that has not yet
    /// consolidated the devices that left shortly before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub concurrency: Option<usize>,
    /// `dcl`: the order in which devices meet the centre; default: `in-order`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrival: Option<Arrival>,
    /// `dcl`: the fraction of the devices, drawn by the seed, that take the model and never send theirs; default: 0. At least
    /// one device returns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub never_return: Option<f64>,
    /// `dcl`: devices, numbered from 1, that never meet the centre; default: none. All other devices keep their place in the
    /// stream, their samples and their seeds. Compare with such a row to see what a device does to the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(inner(range(min = 1)))]
    pub absent_devices: Option<Vec<usize>>,
    /// `federated`: how many rounds there are; default: 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub rounds: Option<usize>,
    /// `federated`: the fraction of the devices that take part in a round (C in the paper), drawn by the seed for each round;
    /// default: 1. At least one device takes part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub client_fraction: Option<f64>,
}

impl Protocol {
    /// The protocol of this kind with its defaults.
    pub fn of(kind: ProtocolKind) -> Self {
        let open = Protocol {
            kind,
            grants: None,
            statistics: None,
            concurrency: None,
            arrival: None,
            never_return: None,
            absent_devices: None,
            rounds: None,
            client_fraction: None,
        };
        open.with_defaults()
    }

    /// The same protocol with the defaults of its kind written out.
    pub fn with_defaults(self) -> Self {
        let (dcl, federated) = (self.kind == ProtocolKind::Dcl, self.kind == ProtocolKind::Federated);
        Protocol {
            kind: self.kind,
            grants: Some(self.grants()),
            statistics: Some(self.statistics()),
            concurrency: self.concurrency.or(dcl.then_some(self.concurrency())),
            arrival: self.arrival.or(dcl.then_some(self.arrival())),
            never_return: self.never_return.or(dcl.then_some(self.never_return())),
            rounds: self.rounds.or(federated.then_some(self.rounds())),
            client_fraction: self.client_fraction.or(federated.then_some(self.client_fraction())),
            absent_devices: self.absent_devices,
        }
    }

    /// `statistics`, or its default.
    pub fn statistics(&self) -> bool {
        self.statistics.unwrap_or(true)
    }

    /// `concurrency`, or its default.
    pub fn concurrency(&self) -> usize {
        self.concurrency.unwrap_or(1)
    }

    /// `arrival`, or its default.
    pub fn arrival(&self) -> Arrival {
        self.arrival.unwrap_or(Arrival::InOrder)
    }

    /// `never_return`, or its default.
    pub fn never_return(&self) -> f64 {
        self.never_return.unwrap_or(0.0)
    }

    /// The devices that never meet the centre, numbered from 1.
    pub fn absent_devices(&self) -> &[usize] {
        self.absent_devices.as_deref().unwrap_or_default()
    }

    /// `rounds`, or its default.
    pub fn rounds(&self) -> usize {
        self.rounds.unwrap_or(10)
    }

    /// `client_fraction`, or its default.
    pub fn client_fraction(&self) -> f64 {
        self.client_fraction.unwrap_or(1.0)
    }

    /// The data that strategies may see.
    pub fn grants(&self) -> DataAccess {
        self.grants.unwrap_or(match self.kind {
            ProtocolKind::Dcl | ProtocolKind::Federated => DataAccess::Surrogate,
            ProtocolKind::Centralised => DataAccess::CurrentTask,
        })
    }

    /// Whether models cross between devices and centre. If not, there is one learner.
    pub fn crosses(&self) -> bool {
        self.kind != ProtocolKind::Centralised
    }

    /// How many of `devices` devices take part in a round: max(C · K, 1), as in the paper's algorithm 1.
    pub fn clients(&self, devices: usize) -> usize {
        ((self.client_fraction() * devices as f64).round() as usize).clamp(1, devices.max(1))
    }

    /// Whether several devices start from the same central model before the next consolidation.
    pub fn devices_overlap(&self) -> bool {
        self.kind == ProtocolKind::Federated || self.concurrency() > 1
    }

    /// What is wrong with the devices that the protocol names, on a stream of `devices` devices; `None` if nothing is.
    pub fn misnames(&self, devices: usize) -> Option<String> {
        let absent = self.absent_devices();
        let stranger = absent.iter().find(|number| !(1..=devices).contains(*number));
        let problem = match stranger {
            Some(number) => format!("names the device {number}, but the stream has {devices}"),
            None if (1..=devices).all(|number| absent.contains(&number)) => "leaves no device".to_owned(),
            None => return None,
        };
        Some(format!("`absent_devices` {problem}; accepted: some of the devices from 1 to {devices}, but not all"))
    }

    /// The given keys that have no meaning under this kind of protocol, each with the kind that knows it.
    pub fn foreign_keys(&self) -> Vec<(&'static str, &'static str)> {
        let given = [
            self.concurrency.is_some(),
            self.arrival.is_some(),
            self.never_return.is_some(),
            self.absent_devices.is_some(),
            self.rounds.is_some(),
            self.client_fraction.is_some(),
        ];
        let foreign = KEYS_OF_ONE_KIND.iter().zip(given).filter(|((_, kind), given)| *given && *kind != self.kind);
        foreign.map(|((key, kind), _)| (*key, kind.name())).collect()
    }

    /// Why a strategy with this data access cannot run under the protocol; `None` when it can.
    pub fn refuses(&self, access: DataAccess) -> Option<String> {
        let (name, grants) = (self.kind.name(), self.grants());
        if self.kind == ProtocolKind::Federated && access == DataAccess::AllTasks {
            let reason = "asks for all-tasks data, those of the devices so far, but under the protocol \"federated\" the same \
                          devices come back in every round; accepted: a strategy that needs no more than current-task \
                          data, or protocol = { kind = \"centralised\", grants = \"all-tasks\" }, which the results will \
                          say";
            return Some(reason.to_owned());
        }
        (access > grants).then(|| {
            format!(
                "asks for {access} data, but the protocol \"{name}\" grants {grants} data only; accepted: a strategy that \
                 needs no more than {grants} data, or protocol = {{ kind = \"{name}\", grants = \"{access}\" }}, which the \
                 results will say"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dcl_grants_surrogate_data_and_no_more() {
        let protocol: Protocol = serde_json::from_value(serde_json::json!({"kind": "dcl"})).unwrap();
        assert_eq!(protocol.refuses(DataAccess::None), None);
        assert_eq!(protocol.refuses(DataAccess::Surrogate), None);
        for access in [DataAccess::CurrentTask, DataAccess::AllTasks] {
            let reason = protocol.refuses(access).unwrap();
            assert!(reason.contains(&access.to_string()) && reason.contains("grants surrogate"), "{reason}");
        }
    }

    #[test]
    fn all_tasks_data_are_refused_in_rounds() {
        let generous = |kind| Protocol { grants: Some(DataAccess::AllTasks), ..Protocol::of(kind) };
        let federated = generous(ProtocolKind::Federated);
        let reason = federated.refuses(DataAccess::AllTasks).unwrap();
        assert!(reason.contains("\"federated\"") && reason.contains("kind = \"centralised\""), "{reason}");
        assert_eq!(federated.refuses(DataAccess::CurrentTask), None);
        assert_eq!(generous(ProtocolKind::Dcl).refuses(DataAccess::AllTasks), None);
    }

    #[test]
    fn defaults_are_those_of_the_kind() {
        let written = |kind| serde_json::to_value(Protocol::of(kind)).unwrap();
        assert_eq!(
            written(ProtocolKind::Dcl),
            serde_json::json!({"kind": "dcl", "grants": "surrogate", "statistics": true, "concurrency": 1,
                "arrival": "in-order", "never_return": 0.0})
        );
        assert_eq!(
            written(ProtocolKind::Federated),
            serde_json::json!({"kind": "federated", "grants": "surrogate", "statistics": true, "rounds": 10,
                "client_fraction": 1.0})
        );
        assert_eq!(
            written(ProtocolKind::Centralised),
            serde_json::json!({"kind": "centralised", "grants": "current-task", "statistics": true})
        );
    }

    #[test]
    fn devices_that_are_not_there_cannot_be_absent_and_neither_can_all() {
        let absent = |devices: &[usize]| {
            Protocol { absent_devices: Some(devices.to_vec()), ..Protocol::of(ProtocolKind::Dcl) }.misnames(3)
        };
        assert_eq!((absent(&[]), absent(&[1, 3])), (None, None));
        assert!(absent(&[4]).unwrap().contains("`absent_devices` names the device 4, but the stream has 3"));
        assert!(absent(&[0]).unwrap().contains("names the device 0"));
        assert!(absent(&[3, 1, 2]).unwrap().contains("leaves no device"));
    }

    #[test]
    fn keys_of_another_kind_are_found() {
        let protocol =
            Protocol { rounds: Some(3), arrival: Some(Arrival::Shuffled), ..Protocol::of(ProtocolKind::Dcl) };
        assert_eq!(protocol.foreign_keys(), [("rounds", "federated")]);
        assert!(Protocol::of(ProtocolKind::Federated).foreign_keys().is_empty());
    }
}
