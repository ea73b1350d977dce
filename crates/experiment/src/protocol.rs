//! The protocol: who may meet whom, how often, and who may see which data.

use alluvium_strategy::DataAccess;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How devices and the centre work together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum ProtocolKind {
    /// Distributed continual learning (Carta et al., arXiv 2303.15888): tasks differ between devices, two contacts a
    /// device, the centre consolidates the experts one after another.
    Dcl,
}

impl ProtocolKind {
    /// The kind as it is written in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            ProtocolKind::Dcl => "dcl",
        }
    }
}

/// The `protocol` key: how devices and the centre work together, and which data a strategy is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Protocol {
    /// How devices and the centre work together.
    pub kind: ProtocolKind,
    /// The data that strategies may see while they consolidate. `surrogate` is what the scenario is about; `current-task`
    /// lifts the privacy of the devices, for comparison with centralised methods.
    #[serde(default = "surrogate")]
    pub grants: DataAccess,
}

fn surrogate() -> DataAccess {
    DataAccess::Surrogate
}

impl Protocol {
    /// Why a strategy with this data access cannot run under the protocol; `None` when it can.
    pub fn refuses(&self, access: DataAccess) -> Option<String> {
        (access > self.grants).then(|| {
            format!(
                "asks for {access} data, but the protocol \"{}\" grants {} data only; accepted: a strategy that needs no \
                 more than {} data, or protocol = {{ kind = \"{}\", grants = \"{access}\" }}, which the results will say",
                self.kind.name(),
                self.grants,
                self.grants,
                self.kind.name(),
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
}
