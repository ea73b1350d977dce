//! The accuracies on test sets that no task has, such as those of a domain without a device.

use serde::{Deserialize, Serialize};

use crate::mean::mean;

/// The accuracy at and above which a model counts as knowing a test set.
pub const KNOWN: f64 = 0.8;

/// The accuracies of one cell on one test set that no task has, judged over all heads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FurtherAccuracy {
    /// The name of the test set.
    pub name: String,
    /// The accuracies of the central model along the stream, or of a reference's one model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<FurtherStep>,
    /// The accuracy of each device's own model, where devices are alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<f64>,
}

/// An accuracy of the central model at some point of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FurtherStep {
    /// The number of experts that the centre had taken in.
    pub experts: usize,
    /// The accuracy, in \[0, 1\].
    pub accuracy: f64,
}

impl FurtherAccuracy {
    /// A test set on which nothing was judged yet.
    pub fn new(name: String) -> Self {
        FurtherAccuracy { name, steps: vec![], devices: vec![] }
    }

    /// The accuracy at the end of the stream; the mean over devices, where devices are alone.
    pub fn last(&self) -> Option<f64> {
        self.steps.last().map(|step| step.accuracy).or_else(|| mean(self.devices.iter().copied()))
    }

    /// The accuracy of the best of the devices that are alone.
    pub fn best_device(&self) -> Option<f64> {
        self.devices.iter().copied().reduce(f64::max)
    }

    /// The number of experts that the centre had taken in when it first knew the test set, [`KNOWN`] or better; `None` if it never
    /// did.
    pub fn known_after(&self) -> Option<f64> {
        self.steps.iter().find(|step| step.accuracy >= KNOWN).map(|step| step.experts as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_set_is_known_from_the_first_step_at_four_fifths() {
        let further = |accuracies: &[f64]| {
            let step = |(index, accuracy): (usize, &f64)| FurtherStep { experts: 2 * index + 1, accuracy: *accuracy };
            FurtherAccuracy {
                steps: accuracies.iter().enumerate().map(step).collect(),
                ..FurtherAccuracy::new("unseen".to_owned())
            }
        };
        let known = further(&[0.5, 0.8, 0.75]);
        assert_eq!((known.last(), known.known_after(), known.best_device()), (Some(0.75), Some(3.0), None));
        assert_eq!(further(&[0.5, 0.79]).known_after(), None);
        let alone = FurtherAccuracy { devices: vec![0.25, 0.75], ..further(&[]) };
        assert_eq!((alone.last(), alone.best_device(), alone.known_after()), (Some(0.5), Some(0.75), None));
    }
}
