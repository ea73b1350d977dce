//! The boundary between the centre and the devices: every model that crosses it is counted here, and held against the
//! clauses of the protocol.

use alluvium_strategy::DataAccess;
use thiserror::Error;

use super::Clauses;

/// What would break the protocol. The cell is stopped before it does.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "the protocol \"{protocol}\" permits {permitted}, but {wanted}; accepted: a protocol that permits it, or a run that \
     keeps to this one"
)]
pub struct Breach {
    /// The protocol.
    pub protocol: &'static str,
    /// The clause.
    pub permitted: String,
    /// What would have happened.
    pub wanted: String,
}

/// What has crossed.
#[derive(Debug)]
pub(crate) struct Boundary {
    clauses: Clauses,
    devices: Vec<Crossings>,
    /// How often the centre has taken in experts.
    rounds: usize,
    /// All bytes so far: asked for after every consolidation, so not to be added up over all devices each time.
    moved: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Crossings {
    down: u64,
    up: u64,
    contacts: usize,
    /// Whether the device holds a model that it has not sent back.
    holds: bool,
}

/// An expert that is about to cross.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crossing {
    /// Its device.
    pub(crate) device: usize,
    /// Its size.
    pub(crate) bytes: u64,
    /// Whether statistics of the device's samples go with it.
    pub(crate) statistics: bool,
}

impl Boundary {
    pub(crate) fn new(clauses: Clauses, devices: usize) -> Self {
        Boundary { clauses, devices: vec![Crossings::default(); devices], rounds: 0, moved: 0 }
    }

    /// The centre is to see data of this kind; gives what it is shown.
    pub(crate) fn show(&self, data: DataAccess) -> Result<DataAccess, Breach> {
        let permitted = self.clauses.data_access;
        match data > permitted {
            true => {
                Err(self
                    .breach(format!("{permitted} data at the centre"), format!("the strategy would see {data} data")))
            }
            false => Ok(data),
        }
    }

    /// A device takes a model of so many bytes.
    pub(crate) fn hand_out(&mut self, device: usize, bytes: u64) -> Result<(), Breach> {
        self.contact(device)?;
        self.devices[device].down += bytes;
        self.moved += bytes;
        self.devices[device].holds = true;
        Ok(())
    }

    /// Devices send their experts, which the centre takes in together.
    pub(crate) fn take_in(&mut self, experts: &[Crossing]) -> Result<(), Breach> {
        let Clauses { rounds, experts_at_a_time, statistics, .. } = self.clauses;
        if self.rounds == rounds {
            return Err(self.breach(format!("{rounds} rounds"), format!("this would be round {}", rounds + 1)));
        }
        if experts.len() > experts_at_a_time {
            let plural = if experts_at_a_time == 1 { "" } else { "s" };
            let permitted = format!("{experts_at_a_time} expert{plural} at a time");
            return Err(self.breach(permitted, format!("{} would come together", experts.len())));
        }
        for expert in experts {
            let name = expert.device + 1;
            if !self.devices[expert.device].holds {
                let wanted = format!("device {name} would send a model without having taken one");
                return Err(self.breach("an answer to each model that was taken".to_owned(), wanted));
            }
            if expert.statistics && !statistics {
                let wanted = format!("device {name} would send statistics of its samples");
                return Err(self.breach("models only".to_owned(), wanted));
            }
            self.contact(expert.device)?;
            self.devices[expert.device].up += expert.bytes;
            self.moved += expert.bytes;
            self.devices[expert.device].holds = false;
        }
        self.rounds += 1;
        Ok(())
    }

    /// The bytes that each device took.
    pub(crate) fn down(&self) -> Vec<u64> {
        self.devices.iter().map(|device| device.down).collect()
    }

    /// The bytes that each device sent.
    pub(crate) fn up(&self) -> Vec<u64> {
        self.devices.iter().map(|device| device.up).collect()
    }

    /// The contacts of each device.
    pub(crate) fn contacts(&self) -> Vec<u64> {
        self.devices.iter().map(|device| device.contacts as u64).collect()
    }

    /// All bytes so far.
    pub(crate) fn moved(&self) -> u64 {
        self.moved
    }

    fn contact(&mut self, device: usize) -> Result<(), Breach> {
        let most = self.clauses.contacts_per_device;
        if self.devices[device].contacts == most {
            let wanted = format!("this would be contact {} of device {}", most + 1, device + 1);
            return Err(self.breach(format!("{most} contacts a device"), wanted));
        }
        self.devices[device].contacts += 1;
        Ok(())
    }

    fn breach(&self, permitted: String, wanted: String) -> Breach {
        Breach { protocol: self.clauses.protocol, permitted, wanted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Protocol, ProtocolKind};

    fn expert(device: usize) -> Crossing {
        Crossing { device, bytes: 7, statistics: false }
    }

    fn boundary(kind: ProtocolKind) -> Boundary {
        Boundary::new(Protocol { rounds: Some(2), ..Protocol::of(kind) }.clauses(3), 3)
    }

    #[test]
    fn what_crosses_is_counted() {
        let mut dcl = boundary(ProtocolKind::Dcl);
        dcl.hand_out(0, 5).unwrap();
        dcl.hand_out(2, 6).unwrap();
        dcl.take_in(&[expert(0)]).unwrap();
        assert_eq!((dcl.down(), dcl.up(), dcl.contacts()), (vec![5, 0, 6], vec![7, 0, 0], vec![2, 0, 1]));
        assert_eq!(dcl.moved(), 18);
    }

    #[test]
    fn each_clause_is_enforced_and_named() {
        let says = |breach: Result<(), Breach>, texts: &[&str]| {
            let message = breach.unwrap_err().to_string();
            assert!(texts.iter().all(|text| message.contains(text)), "{message}");
        };
        let mut dcl = boundary(ProtocolKind::Dcl);
        says(dcl.take_in(&[expert(0)]), &["\"dcl\"", "device 1 would send a model without"]);
        for device in 0..2 {
            dcl.hand_out(device, 1).unwrap();
        }
        says(dcl.take_in(&[expert(0), expert(1)]), &["1 expert at a time", "2 would come together"]);
        dcl.take_in(&[expert(0)]).unwrap();
        says(dcl.hand_out(0, 1), &["2 contacts a device", "contact 3 of device 1"]);
        dcl.clauses.statistics = false;
        says(dcl.take_in(&[Crossing { statistics: true, ..expert(1) }]), &["models only", "device 2"]);

        dcl.show(DataAccess::Surrogate).unwrap();
        says(
            dcl.show(DataAccess::CurrentTask).map(drop),
            &["surrogate data at the centre", "would see current-task data"],
        );

        let mut federated = boundary(ProtocolKind::Federated);
        for _ in 0..2 {
            federated.hand_out(0, 1).unwrap();
            federated.take_in(&[expert(0)]).unwrap();
        }
        says(federated.take_in(&[]), &["\"federated\"", "2 rounds", "round 3"]);

        says(boundary(ProtocolKind::Centralised).hand_out(0, 1), &["\"centralised\"", "0 contacts"]);
    }
}
