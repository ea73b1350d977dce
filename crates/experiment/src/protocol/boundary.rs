//! The boundary between the centre and the devices. Every model that crosses it is counted, and checked against the clauses of
//! the protocol.

use alluvium_config::{Clauses, Protocol};
use alluvium_device::{Announcement, HandOut, Terms};
use alluvium_model::{Digest, Seed};
use alluvium_strategy::DataAccess;

use crate::protocol::{Breach, Visit};
use crate::stored::{AdaptedDevice, CentralModel, Interruption, Stages};

/// A model that a device has taken. Only [`Boundary::hand_out`] makes one, and a device adapts nothing else.
pub(crate) struct HandedOutModel {
    visit: Visit,
    model: CentralModel,
    teacher: Option<CentralModel>,
    announced: Announcement,
    terms: Terms,
}

impl HandedOutModel {
    /// The device that took it, and how often it took one before.
    pub(crate) fn visit(&self) -> Visit {
        self.visit
    }

    /// The model.
    pub(crate) fn model(&self) -> &CentralModel {
        &self.model
    }

    /// The central model, if the device's own network learns from it first.
    pub(crate) fn teacher(&self) -> Option<&CentralModel> {
        self.teacher.as_ref()
    }

    /// The digest of the central model that was handed out; that of the device's own network if it took none.
    pub(crate) fn digest(&self) -> &Digest {
        &self.teacher.as_ref().unwrap_or(&self.model).digest
    }

    /// What the device takes, with the weights.
    pub(crate) fn loaded(&self, terms: Terms, stages: &Stages<'_>) -> Result<HandOut, Interruption> {
        let teacher = self.teacher.as_ref().map(|teacher| teacher.load(stages)).transpose()?;
        Ok(HandOut { model: self.model.load(stages)?, teacher, terms })
    }

    /// What the device stated when it asked for the model.
    pub(crate) fn announced(&self) -> &Announcement {
        &self.announced
    }

    /// What was handed out beside the model.
    pub(crate) fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The model that a device starts from which takes part in nothing: it is not handed out, and nothing is counted.
    pub(crate) fn alone(device: usize, initial: CentralModel, announced: Announcement, root: Seed) -> Self {
        let visit = Visit { device, number: 0 };
        HandedOutModel { visit, model: initial, teacher: None, announced, terms: visit.terms(root) }
    }
}

/// Experts that came together. Only [`Boundary::take_in`] makes one, and the centre receives nothing else.
pub(crate) struct IncomingExperts {
    experts: Vec<(usize, AdaptedDevice)>,
}

impl IncomingExperts {
    /// The experts, each with its device.
    pub(crate) fn experts(&self) -> &[(usize, AdaptedDevice)] {
        &self.experts
    }
}

/// The data that the centre may see. Only [`Boundary::show`] makes one.
pub(crate) struct GrantedAccess(DataAccess);

impl GrantedAccess {
    /// Which data.
    pub(crate) fn access(&self) -> DataAccess {
        self.0
    }
}

/// Counts everything that crosses.
#[derive(Debug)]
pub(crate) struct Boundary {
    clauses: Clauses,
    /// Whether models cross at all. A single learner stays at the centre.
    crosses: bool,
    devices: Vec<Crossings>,
    /// The number of rounds in which the centre has taken in experts.
    rounds: usize,
    /// All bytes so far. The sum is kept, because it is needed after every consolidation.
    moved: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Crossings {
    down: u64,
    up: u64,
    /// The statistics among what it sent.
    statistics: u64,
    contacts: usize,
    /// How often the device took a model.
    visits: usize,
    /// Whether the device holds a model that it has not sent back.
    holds: bool,
}

/// An expert that is about to cross.
#[derive(Debug, Clone, Copy)]
struct Crossing {
    /// Its device.
    device: usize,
    /// Its size.
    bytes: u64,
    /// Whether statistics of the device's samples go with it.
    statistics: bool,
    /// Their size.
    statistics_bytes: u64,
}

impl Boundary {
    /// The boundary of a stream of `devices` devices, under a protocol.
    pub(crate) fn new(protocol: &Protocol, devices: usize) -> Self {
        let (clauses, crosses) = (protocol.clauses(devices), protocol.crosses());
        Boundary { clauses, crosses, devices: vec![Crossings::default(); devices], rounds: 0, moved: 0 }
    }

    /// Grants the centre access to data of this kind.
    pub(crate) fn show(&self, data: DataAccess) -> Result<GrantedAccess, Breach> {
        let permitted = self.clauses.data_access;
        if data > permitted {
            Err(self.breach(format!("{permitted} data at the centre"), format!("the strategy would see {data} data")))
        } else {
            Ok(GrantedAccess(data))
        }
    }

    /// The next visit of a device.
    pub(crate) fn visit(&self, device: usize) -> Visit {
        Visit { device, number: self.devices[device].visits }
    }

    /// Hands out a model to a device, with its terms, and perhaps another model for it to learn from. `bytes_beside` is the size of
    /// the terms.
    pub(crate) fn hand_out(
        &mut self,
        announced: Announcement,
        model: CentralModel,
        teacher: Option<CentralModel>,
        terms: Terms,
        bytes_beside: u64,
    ) -> Result<HandedOutModel, Breach> {
        let device = terms.device;
        if self.crosses {
            self.goes_down(device, model.bytes + teacher.as_ref().map_or(0, |teacher| teacher.bytes) + bytes_beside)?;
        }
        let visit = self.visit(device);
        self.devices[device].visits += 1;
        Ok(HandedOutModel { visit, model, teacher, announced, terms })
    }

    /// Takes in the experts of several devices together.
    pub(crate) fn take_in(&mut self, experts: Vec<(usize, AdaptedDevice)>) -> Result<IncomingExperts, Breach> {
        if self.crosses {
            let crossing = |(device, expert): &(usize, AdaptedDevice)| Crossing {
                device: *device,
                bytes: expert.record.bytes,
                statistics: !expert.record.statistics.is_empty(),
                statistics_bytes: expert.record.statistics_bytes,
            };
            self.come_up(&experts.iter().map(crossing).collect::<Vec<_>>())?;
        }
        Ok(IncomingExperts { experts })
    }

    fn goes_down(&mut self, device: usize, bytes: u64) -> Result<(), Breach> {
        let (most, made) = (self.clauses.contacts_per_device, self.devices[device].contacts);
        // A device that never answered may ask again. What it then sent could not be taken in, so it is told now.
        if made + 1 == most {
            let wanted =
                format!("device {} took a model before, and no contact would be left for its answer", device + 1);
            return Err(self.breach(counted(most, "contact") + " a device", wanted));
        }
        self.contact(device)?;
        self.devices[device].down += bytes;
        self.moved += bytes;
        self.devices[device].holds = true;
        Ok(())
    }

    fn come_up(&mut self, experts: &[Crossing]) -> Result<(), Breach> {
        let Clauses { rounds, experts_at_a_time, statistics, .. } = self.clauses;
        if self.rounds == rounds {
            return Err(self.breach(counted(rounds, "round"), format!("this would be round {}", rounds + 1)));
        }
        if experts.len() > experts_at_a_time {
            let permitted = format!("{} at a time", counted(experts_at_a_time, "expert"));
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
            self.devices[expert.device].statistics += expert.statistics_bytes;
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

    /// The bytes of statistics among what each device sent.
    pub(crate) fn statistics(&self) -> Vec<u64> {
        self.devices.iter().map(|device| device.statistics).collect()
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

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alluvium_config::ProtocolKind;

    fn expert(device: usize) -> Crossing {
        Crossing { device, bytes: 7, statistics: false, statistics_bytes: 0 }
    }

    fn boundary(kind: ProtocolKind) -> Boundary {
        Boundary::new(&Protocol { rounds: Some(2), ..Protocol::of(kind) }, 3)
    }

    #[test]
    fn what_crosses_is_counted() {
        let mut dcl = boundary(ProtocolKind::Dcl);
        dcl.goes_down(0, 5).unwrap();
        dcl.goes_down(2, 6).unwrap();
        dcl.come_up(&[expert(0)]).unwrap();
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
        says(dcl.come_up(&[expert(0)]), &["\"dcl\"", "device 1 would send a model without"]);
        for device in 0..2 {
            dcl.goes_down(device, 1).unwrap();
        }
        says(dcl.come_up(&[expert(0), expert(1)]), &["1 expert at a time", "2 would come together"]);
        dcl.come_up(&[expert(0)]).unwrap();
        says(dcl.goes_down(0, 1), &["2 contacts a device", "contact 3 of device 1"]);
        says(dcl.goes_down(1, 1), &["2 contacts a device", "device 2 took a model before"]);
        dcl.clauses.statistics = false;
        says(dcl.come_up(&[Crossing { statistics: true, ..expert(1) }]), &["models only", "device 2"]);

        dcl.show(DataAccess::Surrogate).unwrap();
        says(
            dcl.show(DataAccess::CurrentTask).map(drop),
            &["surrogate data at the centre", "would see current-task data"],
        );

        let mut federated = boundary(ProtocolKind::Federated);
        for _ in 0..2 {
            federated.goes_down(0, 1).unwrap();
            federated.come_up(&[expert(0)]).unwrap();
        }
        says(federated.come_up(&[]), &["\"federated\"", "2 rounds", "round 3"]);

        let once = Protocol { rounds: Some(1), ..Protocol::of(ProtocolKind::Federated) };
        let mut once = Boundary::new(&once, 3);
        once.come_up(&[]).unwrap();
        says(once.come_up(&[]), &["permits 1 round, but this would be round 2"]);

        let half = Protocol { client_fraction: Some(0.5), ..Protocol::of(ProtocolKind::Federated) };
        let mut half = Boundary::new(&half, 4);
        (0..3).for_each(|device| half.goes_down(device, 1).unwrap());
        says(half.come_up(&[expert(0), expert(1), expert(2)]), &["2 experts at a time", "3 would come together"]);

        let mut centralised = boundary(ProtocolKind::Centralised);
        assert!(!centralised.crosses, "what is handed out to a learner at the centre is not counted");
        says(centralised.goes_down(0, 1), &["\"centralised\"", "0 contacts"]);
    }
}
