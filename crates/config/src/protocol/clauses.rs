//! What a protocol permits, as data.

use alluvium_results::Clause;
use alluvium_strategy::DataAccess;

use crate::protocol::{Protocol, ProtocolKind};

/// What a protocol permits. The runner enforces it, and the results state it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clauses {
    /// The kind of the protocol.
    pub protocol: &'static str,
    /// The most contacts of a device. Each model that it takes or sends is one contact.
    pub contacts_per_device: usize,
    /// The most rounds in which the centre takes in experts.
    pub rounds: usize,
    /// The most experts that the centre takes in at a time.
    pub experts_at_a_time: usize,
    /// The data that the centre may see.
    pub data_access: DataAccess,
    /// Whether devices may send statistics of their samples along with their model.
    pub statistics: bool,
}

impl Protocol {
    /// What the protocol permits on a stream of `devices` devices.
    pub fn clauses(&self, devices: usize) -> Clauses {
        let rounds = self.rounds();
        let (contacts_per_device, rounds, experts_at_a_time) = match self.kind {
            ProtocolKind::Dcl => (2, devices, 1),
            ProtocolKind::Federated => (2 * rounds, rounds, self.clients(devices)),
            ProtocolKind::Centralised => (0, devices, 1),
        };
        Clauses {
            protocol: self.kind.name(),
            contacts_per_device,
            rounds,
            experts_at_a_time,
            data_access: self.grants(),
            statistics: self.statistics(),
        }
    }
}

impl Clauses {
    /// The clauses as results state them. Numbers are upper limits.
    pub fn list(&self) -> Vec<Clause> {
        let Clauses { protocol: _, contacts_per_device, rounds, experts_at_a_time, data_access, statistics } = self;
        let clauses = [
            ("contacts a device", contacts_per_device.to_string()),
            ("rounds", rounds.to_string()),
            ("experts at a time", experts_at_a_time.to_string()),
            ("data that the centre sees", data_access.to_string()),
            ("statistics of samples", if *statistics { "yes" } else { "no" }.to_owned()),
        ];
        clauses.map(|(name, value)| Clause { name: name.to_owned(), value }).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_clause_is_listed() {
        let listed = |protocol: Protocol| {
            protocol.clauses(5).list().into_iter().map(|clause| clause.value).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(listed(Protocol::of(ProtocolKind::Dcl)), "2, 5, 1, surrogate, yes");
        // Down and up in each of three rounds, all five devices together.
        let federated = Protocol { rounds: Some(3), statistics: Some(false), ..Protocol::of(ProtocolKind::Federated) };
        assert_eq!(listed(federated), "6, 3, 5, surrogate, no");
        assert_eq!(listed(Protocol::of(ProtocolKind::Centralised)), "0, 5, 1, current-task, yes");
    }
}
