//! The learning rate over the steps.

use std::f64::consts::PI;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the learning rate changes from the first step to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum Schedule {
    /// It stays constant.
    #[default]
    Constant,
    /// It falls to zero along half a cosine (Loshchilov & Hutter, "SGDR", ICLR 2017, eq. 5, without restarts).
    Cosine,
    /// It falls to zero along a line.
    Linear,
}

impl Schedule {
    /// The factor on the learning rate at a step, in `[0, 1]`; `step` counts from 0.
    pub fn factor(self, step: usize, steps: usize) -> f64 {
        let done = step as f64 / steps.max(1) as f64;
        match self {
            Schedule::Constant => 1.0,
            Schedule::Cosine => 0.5 * (1.0 + (PI * done).cos()),
            Schedule::Linear => 1.0 - done,
        }
    }

    /// The factor with a warm-up: over the first `warmup`·`steps` steps, rounded up to W, it rises along a line, (step + 1) / W, and the
    /// schedule begins after them.
    pub fn factor_after(self, warmup: f64, step: usize, steps: usize) -> f64 {
        let rising = (warmup * steps as f64).ceil() as usize;
        match step < rising {
            true => (step + 1) as f64 / rising as f64,
            false => self.factor(step - rising, steps - rising.min(steps)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_start_at_one_and_fall_as_they_say() {
        assert_eq!(Schedule::Constant.factor(7, 10), 1.0);
        assert_eq!(Schedule::Linear.factor(0, 10), 1.0);
        assert!((Schedule::Linear.factor(5, 10) - 0.5).abs() < 1e-12);
        // ½(1 + cos(π/4)) = 0.853553…
        assert!((Schedule::Cosine.factor(25, 100) - 0.853_553_390_6).abs() < 1e-9);
    }

    #[test]
    fn the_schedule_begins_after_the_warm_up() {
        let factors: Vec<_> = (0..10).map(|step| Schedule::Linear.factor_after(0.35, step, 10)).collect();
        // 3.5 steps are 4: ¼, ½, ¾, 1; then six steps from 1 to 0.
        let expected = [0.25, 0.5, 0.75, 1.0, 1.0, 5.0 / 6.0, 4.0 / 6.0, 0.5, 2.0 / 6.0, 1.0 / 6.0];
        assert!(factors.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{factors:?}");
        assert_eq!(Schedule::Cosine.factor_after(0.0, 3, 10), Schedule::Cosine.factor(3, 10));
        assert_eq!(Schedule::Cosine.factor_after(1.0, 9, 10), 1.0);
    }
}
