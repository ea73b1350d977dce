//! Devices that learn the classes of other devices instead of their own.

use std::collections::BTreeSet;

use alluvium_model::Seed;

use super::{SplitSettings, deal, indices_of, sizes};
use crate::StreamError;

/// The devices that learn classes of others, and whose classes they learn. Indices count from 0.
#[derive(Debug, Clone)]
pub(super) struct Sharing {
    devices: Vec<usize>,
    /// The devices whose classes they learn. None of them is a sharing device itself.
    with: Vec<usize>,
}

impl Sharing {
    /// Reads the settings for a stream of `devices` devices. `None` if no device shares.
    pub(super) fn of(settings: &SplitSettings, devices: usize) -> Result<Option<Self>, StreamError> {
        let wrong = |option, problem, accepted| Err(StreamError::Option { option, problem, accepted });
        let Some(sharing) = &settings.sharing_devices else { return Ok(None) };
        let named = [("sharing_devices", Some(sharing)), ("shared_with", settings.shared_with.as_ref())];
        for (option, numbers) in named {
            if let Some(number) = numbers.into_iter().flatten().find(|number| !(1..=devices).contains(*number)) {
                let problem = format!("names the device {number}, but the stream has {devices}");
                return wrong(option, problem, format!("devices from 1 to {devices}"));
            }
        }
        let others = || (1..=devices).filter(|number| !sharing.contains(number)).collect();
        let with: Vec<usize> = settings.shared_with.clone().unwrap_or_else(others);
        if let Some(number) = with.iter().find(|number| sharing.contains(number)) {
            let problem = format!("names the device {number}, which has no classes of its own");
            return wrong("shared_with", problem, "devices that `sharing_devices` does not name".to_owned());
        }
        let from_zero = |numbers: &[usize]| numbers.iter().map(|number| number - 1).collect();
        Ok(Some(Sharing { devices: from_zero(sharing), with: from_zero(&with) }))
    }

    /// The classes of each device, given what would be its own. A sharing device learns the same number of other
    /// devices' classes: the first class of each in turn, then the second ones.
    pub(super) fn classes(&self, own: &[Vec<usize>]) -> Result<Vec<Vec<usize>>, StreamError> {
        let most = self.with.iter().map(|device| own[*device].len()).max().unwrap_or_default();
        let in_turn = (0..most).flat_map(|index| self.with.iter().filter_map(move |device| own[*device].get(index)));
        let in_turn: Vec<_> = in_turn.copied().collect();
        let mut classes = own.to_vec();
        for device in &self.devices {
            let count = own[*device].len();
            if in_turn.len() < count {
                return Err(StreamError::Option {
                    option: "shared_with",
                    problem: format!(
                        "names devices with {} classes together, but the device {} has {count}",
                        in_turn.len(),
                        device + 1
                    ),
                    accepted: format!("devices with at least {count} classes, or no such key"),
                });
            }
            classes[*device] = in_turn[..count].to_vec();
        }
        Ok(classes)
    }

    /// The training samples of each device. A device with its own classes has all of their samples. Sharing devices
    /// divide the samples that the owners leave when they keep `limit` of each class; `kept_by` draws those for a
    /// device.
    pub(super) fn train(
        &self,
        labels: &[usize],
        names: &[String],
        classes: &[Vec<usize>],
        limit: Option<usize>,
        kept_by: impl Fn(usize) -> Seed,
        seed: Seed,
    ) -> Result<Vec<Vec<usize>>, StreamError> {
        let mut train: Vec<_> = classes.iter().map(|classes| indices_of(labels, classes)).collect();
        let owners = (0..classes.len()).filter(|device| !self.devices.contains(device));
        let kept = owners.flat_map(|device| sizes::limited(labels, train[device].clone(), limit, kept_by(device)));
        let kept: BTreeSet<_> = kept.collect();
        self.devices.iter().for_each(|device| train[*device].clear());
        let shared: BTreeSet<_> = self.devices.iter().flat_map(|device| &classes[*device]).copied().collect();
        for class in shared {
            let learners: Vec<_> = self.devices.iter().filter(|device| classes[**device].contains(&class)).collect();
            let all = indices_of(labels, &[class]);
            let left: Vec<_> = all.iter().copied().filter(|index| !kept.contains(index)).collect();
            if left.len() < learners.len() {
                return Err(StreamError::Option {
                    option: "sharing_devices",
                    problem: format!(
                        "learn the class \"{}\", of whose {} training samples other devices leave {}",
                        names[class],
                        all.len(),
                        left.len()
                    ),
                    accepted: format!("a `train_samples_per_class` of at most {}", all.len() - learners.len()),
                });
            }
            let parts = deal::in_turn(labels, left, learners.len(), seed.at("left samples of class", class));
            learners.into_iter().zip(parts).for_each(|(device, part)| train[*device].extend(part));
        }
        train.iter_mut().for_each(|indices| indices.sort_unstable());
        Ok(train)
    }
}
