//! The options that every split has.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Share;
use crate::StreamError;

/// What else there is to a split of one data set: options to flatten into those of a stream. The defaults change nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SplitSettings {
    /// How many classes the first device has, where that is another number than `classes_per_task`: many for a start, then a
    /// few at a time. Only where devices have classes of their own. Absent: `classes_per_task`.
    #[schemars(range(min = 1, max = 100_000))]
    pub first_classes: Option<usize>,
    /// Each device after the first also learns so many classes of the device before it: the last ones of that device's own.
    /// The training samples of a class that two devices learn are dealt between them in equal parts; each has a head with
    /// all of its classes, and is tested on all of them. From 0 to `classes_per_task`, and only where devices have classes
    /// of their own.
    #[schemars(range(min = 0, max = 1000))]
    pub shared_classes: usize,
    /// Devices, numbered from 1, that bring no classes of their own: in their place each learns as many classes of other
    /// devices, `shared_with`, through a head of its own, and is tested on all of them. All other devices are what they are
    /// without this key, to the sample: what a sharing device trains on are samples that they leave, for which
    /// `train_samples_per_class` must be small enough, or samples of its own domains where devices have some. Only where devices
    /// have classes of their own, and not together with `shared_classes` or `rounds`. Absent: none.
    #[schemars(inner(range(min = 1)))]
    pub sharing_devices: Option<Vec<usize>>,
    /// The devices, numbered from 1, whose classes the `sharing_devices` learn: the first class of each, then the second of each,
    /// and so on, until they have as many as they would have of their own. Only with `sharing_devices`. Absent: all others.
    #[schemars(inner(range(min = 1)))]
    pub shared_with: Option<Vec<usize>>,
    /// How often the sequence of tasks comes: with r rounds the stream has r times as many devices. A device of a later
    /// round has the classes and the head of the one that it repeats, its own equal portion of the training samples of each
    /// class, and the same test samples.
    #[schemars(range(min = 1, max = 1000))]
    pub rounds: usize,
    /// q, how unequal devices are: their numbers of training samples fall geometrically, from all of them to q of them, by
    /// the same factor from one to the next, and the seed decides which device has which size. Of each class the same part
    /// is kept, rounded, and one sample at least. 1: all devices keep all.
    #[schemars(range(min = 0.0001, max = 1.0))]
    pub size_ratio: f64,
    /// The part of a device's training samples, rounded to whole samples, whose labels are wrong: each is replaced by another
    /// class of the same task, all of them equally likely (symmetric label noise). Test samples keep their labels.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub label_noise: f64,
    /// The devices that `label_noise` is about, numbered from 1; only with a `label_noise` above 0. Absent: all.
    #[schemars(inner(range(min = 1)))]
    pub noisy_devices: Option<Vec<usize>>,
    /// α, how evenly a class is spread over devices with `shift = "label-skew"`: of each class, the parts of the devices are
    /// drawn from a symmetric Dirichlet distribution of this concentration. Large values come near to equal parts; with small
    /// ones a class is mostly on one device. Absent: every device has an equal part of every class.
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
    /// Checks what the schema says, for settings that do not come from a file; and that no option is set that has no
    /// meaning under this shift.
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
            let problem = "is set, but `label_noise` is 0: no label of theirs is wrong".to_owned();
            return wrong("noisy_devices", problem, "no such key, or a `label_noise` above 0");
        }
        match self.concentration {
            Some(_) if !label_skew => {
                let problem = "is set, but has no meaning under this shift".to_owned();
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
                "no such key, or a `shift` in which devices have classes of their own",
            );
        }
        if self.shared_classes > 0 && !own_classes {
            let problem = format!("= {}, but all devices have the same classes", self.shared_classes);
            return wrong("shared_classes", problem, "0, or a `shift` in which devices have classes of their own");
        }
        match (&self.sharing_devices, &self.shared_with) {
            (None, Some(_)) => {
                let problem = "is set, but no `sharing_devices`".to_owned();
                return wrong("shared_with", problem, "no such key, or `sharing_devices`");
            }
            (Some(_), _) if !own_classes => {
                let problem = "is set, but all devices have the same classes".to_owned();
                let accepted = "no such key, or a `shift` in which devices have classes of their own";
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

    /// Checks that labels can go wrong where they should.
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
                problem: format!("= {}, but there are tasks of one class, which has no other", self.label_noise),
                accepted: "0, or `classes_per_task` of at least 2".to_owned(),
            });
        }
        Ok(())
    }

    /// The part of wrong labels of a device, by its index from 0.
    pub(super) fn noise_of(&self, index: usize) -> f64 {
        let noisy = self.noisy_devices.as_ref().is_none_or(|devices| devices.contains(&(index + 1)));
        if noisy { self.label_noise } else { 0.0 }
    }
}
