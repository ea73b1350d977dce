//! What a protocol permits, as data.

use std::fmt;

use alluvium_strategy::DataAccess;

use crate::{Protocol, ProtocolKind};

/// What a protocol permits. The runner enforces it, and the results state it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clauses {
    /// How the protocol is called.
    pub protocol: &'static str,
    /// The contacts of a device: each model that it takes or sends is one.
    pub contacts_per_device: usize,
    /// How often the centre takes in experts at most.
    pub rounds: usize,
    /// The experts that the centre takes in at a time.
    pub experts_at_a_time: usize,
    /// The data that the centre sees.
    pub data_access: DataAccess,
    /// Whether devices send statistics of their samples along with their model.
    pub statistics: bool,
}

impl Protocol {
    /// What the protocol permits on a stream of so many devices.
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

impl fmt::Display for Clauses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Clauses { protocol, contacts_per_device, data_access, .. } = self;
        write!(f, "{protocol} (contacts a device: {contacts_per_device}; the centre sees: {data_access}")?;
        f.write_str(if self.statistics { ", statistics)" } else { ")" })
    }
}
