//! The options that every split has.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Share;
use crate::StreamError;

/// The options that all splits of one data set share; a stream flattens them into its own. The defaults change nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SplitSettings {
    /// The number of classes of the first device, if it differs from `classes_per_task`: many at first, then a few at a
    /// time. Only if devices have their own classes. Absent: `classes_per_task`.
    #[schemars(range(min = 1, max = 100_000))]
    pub first_classes: Option<usize>,
    /// The number of classes that each device after the first also learns from the device before it: the last of that
    /// device's own classes. Two devices that learn the same class divide its training samples equally. Each device has
    /// a head with all of its classes, and is tested on all of them. From 0 to `classes_per_task`, and only if devices
    /// have their own classes.
    #[schemars(range(min = 0, max = 1000))]
    pub shared_classes: usize,
    /// Devices, numbered from 1, that have no classes of their own. Instead, each learns the same number of classes of
    /// other devices, `shared_with`, through its own head, and is tested on all of them. All other devices have exactly
    /// the samples that they have without this key. A sharing device trains on samples that the others leave, so
    /// `train_samples_per_class` must be small enough; if devices have domains, it trains on samples of its own
    /// domains. Only if devices have their own classes, and not together with `shared_classes` or `rounds`. Absent:
    /// none.
    #[schemars(inner(range(min = 1)))]
    pub sharing_devices: Option<Vec<usize>>,
    /// The devices, numbered from 1, whose classes the `sharing_devices` learn. A sharing device learns the first class
    /// of each, then the second of each, and so on, until it has the usual number of classes. Only with
    /// `sharing_devices`. Absent: all others.
    #[schemars(inner(range(min = 1)))]
    pub shared_with: Option<Vec<usize>>,
    /// How often the sequence of tasks is repeated. With r rounds, the stream has r times as many devices. A device of
    /// a later round has the classes, the head and the test samples of the device that it repeats. The training samples
    /// of each class are divided equally over the rounds.
    #[schemars(range(min = 1, max = 1000))]
    pub rounds: usize,
    /// How unequal the devices' numbers of training samples are. They fall geometrically, from all samples to this
    /// fraction of them; the seed decides which device has which size. A device keeps the same fraction of each class,
    /// rounded, but at least one sample. 1: all devices keep all samples.
    #[schemars(range(min = 0.0001, max = 1.0))]
    pub size_ratio: f64,
    /// The fraction of a device's training samples, rounded to whole samples, whose labels are wrong. Each wrong label
    /// is another class of the same task; all are equally likely (symmetric label noise). Test samples keep their
    /// labels.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub label_noise: f64,
    /// The devices whose labels are wrong, numbered from 1. Only with a `label_noise` above 0. Absent: all devices.
    #[schemars(inner(range(min = 1)))]
    pub noisy_devices: Option<Vec<usize>>,
    /// α, how evenly a class is spread over devices with `shift = "label-skew"`. For each class, the devices' fractions
    /// are drawn from a symmetric Dirichlet distribution with this concentration. With large values they are nearly
    /// equal; with small values, a class is mostly on one device. Absent: every class is divided equally.
    #[schemars(range(min = 0.001, max = 1_000_000.0))]
    pub concentration: Option<f64>,
}

impl Default for SplitSettings {
    fn default() -> Self {
        SplitSettings {
            first_classes: None,
            shared_classes: 0,
            sharing_devices: None,
            shared_with: None,
            rounds: 1,
            size_ratio: 1.0,
            label_noise: 0.0,
            noisy_devices: None,
            concentration: None,
        }
    }
}

impl SplitSettings {
    /// Checks the ranges of the schema, for settings that do not come from a file. Also checks that no option is set
    /// that does not apply to this shift.
    pub(super) fn check(&self, own_classes: bool, label_skew: bool) -> Result<(), StreamError> {
        let wrong = |option, problem: String, accepted: &str| {
            Err(StreamError::Option { option, problem, accepted: accepted.to_owned() })
        };
        if self.rounds == 0 {
            return wrong("rounds", "= 0".to_owned(), "at least 1");
        }
        if !(self.size_ratio > 0.0 && self.size_ratio <= 1.0) {
            return wrong("size_ratio", format!("= {}", self.size_ratio), "a number above 0 and at most 1");
        }
        if !(0.0..=1.0).contains(&self.label_noise) {
            return wrong("label_noise", format!("= {}", self.label_noise), "a number from 0 to 1");
        }
        if self.noisy_devices.is_some() && self.label_noise == 0.0 {
            let problem = "is set, but `label_noise` is 0, so no labels are wrong".to_owned();
            return wrong("noisy_devices", problem, "no such key, or a `label_noise` above 0");
        }
        match self.concentration {
            Some(_) if !label_skew => {
                let problem = "is set, but does not apply to this shift".to_owned();
                return wrong("concentration", problem, "only with `shift` = \"label-skew\"");
            }
            Some(concentration) if !(concentration > 0.0 && concentration.is_finite()) => {
                return wrong("concentration", format!("= {concentration}"), "a number above 0");
            }
            _ => {}
        }
        if let (Some(first), false) = (self.first_classes, own_classes) {
            let problem = format!("= {first}, but all devices have the same classes");
            return wrong(
                "first_classes",
                problem,
                "no such key, or a `shift` in which devices have their own classes",
            );
        }
        if self.shared_classes > 0 && !own_classes {
            let problem = format!("= {}, but all devices have the same classes", self.shared_classes);
            return wrong("shared_classes", problem, "0, or a `shift` in which devices have their own classes");
        }
        match (&self.sharing_devices, &self.shared_with) {
            (None, Some(_)) => {
                let problem = "is set, but `sharing_devices` is not".to_owned();
                return wrong("shared_with", problem, "no such key, or `sharing_devices`");
            }
            (Some(_), _) if !own_classes => {
                let problem = "is set, but all devices have the same classes".to_owned();
                let accepted = "no such key, or a `shift` in which devices have their own classes";
                return wrong("sharing_devices", problem, accepted);
            }
            (Some(_), _) if self.shared_classes > 0 || self.rounds > 1 => {
                let problem = "is set together with `shared_classes` or `rounds`".to_owned();
                return wrong("sharing_devices", problem, "no such key, or `shared_classes` = 0 and `rounds` = 1");
            }
            _ => {}
        }
        Ok(())
    }

    /// Checks that labels can be wrong where they should.
    pub(super) fn check_noise(&self, devices: &[Share]) -> Result<(), StreamError> {
        let strangers = self.noisy_devices.iter().flatten().find(|number| !(1..=devices.len()).contains(*number));
        if let Some(number) = strangers {
            return Err(StreamError::Option {
                option: "noisy_devices",
                problem: format!("names the device {number}, but the stream has {}", devices.len()),
                accepted: format!("devices from 1 to {}", devices.len()),
            });
        }
        let alone = |(index, device): &(usize, &Share)| self.noise_of(*index) > 0.0 && device.head.classes.len() < 2;
        if devices.iter().enumerate().any(|device| alone(&device)) {
            return Err(StreamError::Option {
                option: "label_noise",
                problem: format!(
                    "= {}, but some tasks have only one class, so a label cannot be wrong",
                    self.label_noise
                ),
                accepted: "0, or `classes_per_task` of at least 2".to_owned(),
            });
        }
        Ok(())
    }

    /// The fraction of wrong labels of a device, by its index from 0.
    pub(super) fn noise_of(&self, index: usize) -> f64 {
        let noisy = self.noisy_devices.as_ref().is_none_or(|devices| devices.contains(&(index + 1)));
        if noisy { self.label_noise } else { 0.0 }
    }
}
