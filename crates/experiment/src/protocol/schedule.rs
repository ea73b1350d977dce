//! The schedule: the order in which devices take the model and send their experts.

use std::collections::{BTreeSet, VecDeque};

use alluvium_config::{Arrival, Protocol, ProtocolKind};
use alluvium_model::Seed;
use rand::seq::SliceRandom;

/// What happens next between the centre and the devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ScheduleEvent {
    /// A device takes the model.
    HandOut {
        device: usize,
        /// Whether it will send its own.
        returns: bool,
    },
    /// These devices send their experts, and the centre takes them in together.
    TakeIn(Vec<usize>),
}

/// All events of a protocol on a stream of `devices` devices. Random choices follow the seed.
pub(crate) fn schedule(protocol: &Protocol, devices: usize, seed: Seed) -> Vec<ScheduleEvent> {
    match protocol.kind {
        ProtocolKind::Dcl => one_after_another(protocol, devices, seed),
        ProtocolKind::Federated => in_rounds(protocol, devices, seed),
        ProtocolKind::Centralised => (0..devices)
            .flat_map(|device| [ScheduleEvent::HandOut { device, returns: true }, ScheduleEvent::TakeIn(vec![device])])
            .collect(),
    }
}

/// Devices come back one by one. Up to `concurrency` of them are under way at a time.
fn one_after_another(protocol: &Protocol, devices: usize, seed: Seed) -> Vec<ScheduleEvent> {
    let mut order: Vec<_> = (0..devices).collect();
    match protocol.arrival() {
        Arrival::InOrder => {}
        Arrival::Reversed => order.reverse(),
        Arrival::Shuffled => order.shuffle(&mut seed.of("arrival").random()),
    }
    let absent: BTreeSet<_> = protocol.absent_devices().iter().map(|number| number - 1).collect();
    order.retain(|device| !absent.contains(device));
    let lost = lost(protocol.never_return(), devices, &absent, seed);
    let concurrency = protocol.concurrency().max(1);
    let mut events = vec![];
    let mut under_way = VecDeque::new();
    for device in order {
        if under_way.len() == concurrency {
            events.extend(under_way.pop_front().map(|first| ScheduleEvent::TakeIn(vec![first])));
        }
        let returns = !lost.contains(&device);
        events.push(ScheduleEvent::HandOut { device, returns });
        if returns {
            under_way.push_back(device);
        }
    }
    events.extend(under_way.into_iter().map(|device| ScheduleEvent::TakeIn(vec![device])));
    events
}

/// The devices that never return: this fraction of those that are not absent. At least one device returns.
fn lost(fraction: f64, devices: usize, absent: &BTreeSet<usize>, seed: Seed) -> BTreeSet<usize> {
    let mut all: Vec<_> = (0..devices).collect();
    all.shuffle(&mut seed.of("never return").random());
    all.retain(|device| !absent.contains(device));
    let count = ((fraction * all.len() as f64).round() as usize).min(all.len().saturating_sub(1));
    all.into_iter().take(count).collect()
}

/// In each round, some devices take the model, and all of them send theirs.
fn in_rounds(protocol: &Protocol, devices: usize, seed: Seed) -> Vec<ScheduleEvent> {
    let clients = protocol.clients(devices);
    let mut events = vec![];
    for round in 0..protocol.rounds() {
        let mut all: Vec<_> = (0..devices).collect();
        all.shuffle(&mut seed.at("clients of round", round).random());
        let mut chosen: Vec<_> = all.into_iter().take(clients).collect();
        chosen.sort_unstable();
        events.extend(chosen.iter().map(|device| ScheduleEvent::HandOut { device: *device, returns: true }));
        events.push(ScheduleEvent::TakeIn(chosen));
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(protocol: Protocol, devices: usize) -> Vec<ScheduleEvent> {
        schedule(&protocol, devices, Seed::new(1))
    }

    fn out(device: usize) -> ScheduleEvent {
        ScheduleEvent::HandOut { device, returns: true }
    }

    fn back(device: usize) -> ScheduleEvent {
        ScheduleEvent::TakeIn(vec![device])
    }

    fn dcl() -> Protocol {
        Protocol::of(ProtocolKind::Dcl)
    }

    #[test]
    fn one_device_at_a_time_meets_the_newest_centre() {
        assert_eq!(events(dcl(), 2), [out(0), back(0), out(1), back(1)]);
        let reversed = Protocol { arrival: Some(Arrival::Reversed), ..dcl() };
        assert_eq!(events(reversed, 2), [out(1), back(1), out(0), back(0)]);
    }

    #[test]
    fn devices_under_way_start_from_an_older_centre() {
        let two = Protocol { concurrency: Some(2), ..dcl() };
        assert_eq!(events(two, 3), [out(0), out(1), back(0), out(2), back(1), back(2)]);
        let all = Protocol { concurrency: Some(9), ..dcl() };
        assert_eq!(events(all, 2), [out(0), out(1), back(0), back(1)]);
    }

    #[test]
    fn lost_devices_take_and_never_send() {
        let lossy = events(Protocol { never_return: Some(0.3), ..dcl() }, 10);
        let taken = lossy.iter().filter(|event| matches!(event, ScheduleEvent::HandOut { .. })).count();
        let lost = lossy.iter().filter(|event| matches!(event, ScheduleEvent::HandOut { returns: false, .. })).count();
        let back: Vec<_> = lossy.iter().filter(|event| matches!(event, ScheduleEvent::TakeIn(_))).collect();
        assert_eq!((taken, lost, back.len()), (10, 3, 7));
        let nobody = events(Protocol { never_return: Some(1.0), ..dcl() }, 3);
        assert_eq!(nobody.iter().filter(|event| matches!(event, ScheduleEvent::TakeIn(_))).count(), 1, "one returns");
    }

    #[test]
    fn absent_devices_have_no_contact_and_all_others_keep_their_place() {
        let without = |protocol| Protocol { absent_devices: Some(vec![2]), ..protocol };
        assert_eq!(events(without(dcl()), 3), [out(0), back(0), out(2), back(2)]);
        let two = Protocol { concurrency: Some(2), ..dcl() };
        assert_eq!(events(without(two), 3), [out(0), out(2), back(0), back(2)]);
        // The other devices keep their order, and one of them returns even if all would get lost.
        let shuffled = Protocol { arrival: Some(Arrival::Shuffled), ..dcl() };
        let mut with = events(shuffled.clone(), 6);
        with.retain(|event| ![out(1), back(1)].contains(event));
        assert_eq!(events(without(shuffled), 6), with);
        let lossy = events(without(Protocol { never_return: Some(1.0), ..dcl() }), 3);
        assert_eq!(lossy.iter().filter(|event| matches!(event, ScheduleEvent::TakeIn(_))).count(), 1);
        assert_eq!(lossy.len(), 3, "two take the model: {lossy:?}");
    }

    #[test]
    fn each_round_chooses_its_devices() {
        let protocol =
            Protocol { rounds: Some(20), client_fraction: Some(0.5), ..Protocol::of(ProtocolKind::Federated) };
        let events = events(protocol, 4);
        let rounds: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                ScheduleEvent::TakeIn(devices) => Some(devices.clone()),
                ScheduleEvent::HandOut { .. } => None,
            })
            .collect();
        assert_eq!(rounds.len(), 20);
        assert!(rounds.iter().all(|devices| devices.len() == 2 && devices[0] < devices[1]));
        assert!(rounds.iter().any(|devices| *devices != rounds[0]));
        assert_eq!(events.len(), 20 * 3);
    }
}
