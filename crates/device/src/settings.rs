//! How a device trains.

use alluvium_model::{InputShape, Schedule, SgdSettings};
use alluvium_stream::Augmentation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a device sends of the model that it adapted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum ExpertForm {
    /// The whole model.
    #[default]
    Model,
    /// Only the tensors that differ from those of the model that it took.
    Changes,
}

/// How devices train that adapt the model in this process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(inline)]
pub struct DeviceSettings {
    /// The number of passes over the device's training samples.
    #[schemars(range(min = 1, max = 100_000))]
    pub epochs: usize,
    /// The number of samples per gradient step.
    #[schemars(range(min = 1, max = 65_536))]
    pub batch_size: usize,
    /// The learning rate of stochastic gradient descent.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub learning_rate: f64,
    /// The momentum; 0 for none.
    #[schemars(range(min = 0.0, max = 0.9999))]
    pub momentum: f64,
    /// The L2 penalty on the weights; 0 for none.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub weight_decay: f64,
    /// The change of the learning rate over the device's steps.
    pub schedule: Schedule,
    /// The largest norm of a step's gradients; larger ones are scaled down to it. 0: no limit.
    #[schemars(range(min = 0.0, max = 1e6))]
    pub gradient_clip: f64,
    /// μ, the strength with which the device's weights are kept near those that it took. The loss gets an additional
    /// term: μ/2 times the squared distance to these weights (FedProx, Li et al., arXiv 1812.06127, eq. 2). It covers
    /// the backbone and a head that came from the centre, but not a new head. Steps are stable if μ times the learning
    /// rate is below 2(1 + momentum). `gradient_clip` limits the gradients without this term. 0: none.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub proximal: f64,
    /// The fraction of its steps that the device takes. Below 1, the device stops early.
    #[schemars(range(min = 0.0001, max = 1.0))]
    pub budget: f64,
    /// Random changes to the training images, new ones for every image in every epoch.
    pub augmentation: Augmentation,
    /// What the device sends. It changes the bytes that a device sends, and not the model that the centre receives.
    pub sends: ExpertForm,
}

impl Default for DeviceSettings {
    fn default() -> Self {
        DeviceSettings {
            epochs: 5,
            batch_size: 32,
            learning_rate: 0.01,
            momentum: 0.9,
            weight_decay: 0.0,
            schedule: Schedule::Constant,
            gradient_clip: 0.0,
            proximal: 0.0,
            budget: 1.0,
            augmentation: Augmentation::default(),
            sends: ExpertForm::default(),
        }
    }
}

impl DeviceSettings {
    /// The number of gradient steps of a device with `samples` samples; at least one.
    pub fn steps(&self, samples: usize) -> usize {
        let all = self.epochs * samples.div_ceil(self.batch_size);
        ((all as f64 * self.budget).ceil() as usize).clamp(1, all.max(1))
    }

    /// What does not go together, or does not fit inputs of this shape: the path of its key, and what is wrong and accepted.
    pub fn misfit(&self, input: InputShape) -> Option<(&'static [&'static str], String)> {
        let padding = self.augmentation.crop_padding;
        let side = input.picture().map_or(usize::MAX, |picture| picture.height.min(picture.width));
        if padding > 0 && padding >= side {
            let message = format!(
                "`augmentation.crop_padding` = {padding} may cut out a window beside the image, because inputs are {input}; \
                 accepted: at most {}",
                side.saturating_sub(1)
            );
            return Some((&["augmentation", "crop_padding"], message));
        }
        let (pull, limit) = (self.proximal * self.learning_rate, 2.0 * (1.0 + self.momentum));
        (pull >= limit).then(|| {
            let message = format!(
                "`proximal` = {} with `learning_rate` = {} and `momentum` = {} makes the weights swing ever further; accepted: \
                 `proximal` × `learning_rate` below {limit}",
                self.proximal, self.learning_rate, self.momentum,
            );
            (&["proximal"][..], message)
        })
    }

    /// The settings of the gradient step.
    pub fn sgd(&self) -> SgdSettings {
        SgdSettings {
            learning_rate: self.learning_rate,
            momentum: self.momentum,
            weight_decay: self.weight_decay,
            gradient_clip: self.gradient_clip,
            schedule: self.schedule,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_work_are_named() {
        let says =
            |settings: DeviceSettings| settings.misfit([1, 8, 6].into()).map(|(key, message)| (key.join("."), message));
        assert_eq!(says(DeviceSettings::default()), None);
        let padded = |crop_padding| {
            let augmentation = Augmentation { crop_padding, ..Default::default() };
            says(DeviceSettings { augmentation, ..Default::default() })
        };
        assert_eq!(padded(5), None);
        let (key, message) = padded(6).unwrap();
        assert!(key == "augmentation.crop_padding" && message.contains("1×8×6") && message.contains("at most 5"));
        // 2(1 + 0.5) = 3, and 3/0.25 = 12.
        let pulled =
            |proximal| says(DeviceSettings { proximal, learning_rate: 0.25, momentum: 0.5, ..Default::default() });
        assert_eq!(pulled(11.9), None);
        let (key, message) = pulled(12.0).unwrap();
        assert!(key == "proximal" && message.contains("below 3"), "{message}");
    }

    #[test]
    fn steps_follow_epochs_batches_and_budget() {
        let settings = DeviceSettings { epochs: 3, batch_size: 32, ..Default::default() };
        assert_eq!(settings.steps(65), 9); // 3 batches an epoch
        assert_eq!(DeviceSettings { budget: 0.5, ..settings.clone() }.steps(65), 5);
        assert_eq!(DeviceSettings { budget: 0.0001, ..settings }.steps(65), 1);
    }
}
