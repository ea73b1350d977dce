//! The evaluation schedule: when the central model is judged on all tasks, and when devices are judged on their own task.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The `[evaluation]` table: when the central model is judged, and when devices are.
///
/// Judging all tasks after every device takes a time that grows with the square of the number of devices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Evaluation {
    /// The number of devices between two evaluations on all tasks so far. The last device is always followed by one. After the
    /// other devices, the central model is judged on the task of that device alone. 1: after every device.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub every: usize,
    /// Fractions of a device's budget after which each device is judged as well, such as 0.01 for one hundredth. The same
    /// device started from the initial weights is judged, too: the difference is what a device gains by taking part. Each
    /// fraction trains a separate device that stops there, so its learning-rate schedule ends there, and it takes that fraction
    /// of the time more. Nothing of it reaches the centre. Rows in rounds have none, because their devices come back. Default:
    /// none.
    #[schemars(length(max = 100), inner(range(min = 0.0001, max = 0.9999)))]
    pub budgets: Vec<f64>,
}

impl Default for Evaluation {
    fn default() -> Self {
        Evaluation { every: 1, budgets: vec![] }
    }
}

impl Evaluation {
    /// Whether all tasks so far are judged after the device of this index, counted from 0, on a stream of `devices` devices.
    pub fn judges_all(&self, device: usize, devices: usize) -> bool {
        (device + 1).is_multiple_of(self.every.max(1)) || device + 1 == devices
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_tasks_are_judged_at_multiples_and_at_the_end() {
        let at = |every| Evaluation { every, ..Default::default() };
        let judged = |every| (0..7).filter(|device| at(every).judges_all(*device, 7)).collect::<Vec<_>>();
        assert_eq!(judged(1), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(judged(3), [2, 5, 6]);
        assert_eq!(judged(100), [6]);
    }
}
