//! How a device trains.

use std::collections::BTreeMap;

use alluvium_model::{InputShape, Learning, LowRankSettings};
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

/// What happens to the classes of a device's head of which the device has no samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum AbsentClasses {
    /// They compete like the others, so the device learns that they do not occur.
    #[default]
    Compete,
    /// They are left out of the loss, so the device does not unlearn them.
    Ignore,
}

impl AbsentClasses {
    fn is_default(&self) -> bool {
        *self == AbsentClasses::default()
    }
}

/// How devices train that adapt the model in this process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(inline)]
pub struct DeviceSettings {
    /// The number of passes over the device's training samples. With 0, the device does not train: a strategy that needs only statistics
    /// of its samples asks for no more.
    #[schemars(range(min = 0, max = 100_000))]
    pub epochs: usize,
    /// The number of samples per gradient step.
    #[schemars(range(min = 1, max = 65_536))]
    pub batch_size: usize,
    /// How the model learns.
    #[serde(flatten)]
    pub learning: Learning,
    /// The fraction of its steps that the device takes. Below 1, the device stops early.
    #[schemars(range(min = 0.0001, max = 1.0))]
    pub budget: f64,
    /// Random changes to the training images, new ones for every image in every epoch.
    pub augmentation: Augmentation,
    /// What happens to the classes of the device's head of which it has no samples, where devices share a head. `compete`: they
    /// compete like the others, so the device learns that they do not occur, and unlearns what others have learned of them.
    /// `ignore`: the softmax of the loss leaves them out (as in FedRS with α = 0, Li & Zhan, KDD 2021, and in the loss of ER-ACE,
    /// Caccia et al., arXiv 2104.05025).
    #[serde(skip_serializing_if = "AbsentClasses::is_default")]
    pub absent_classes: AbsentClasses,
    /// Low-rank updates: the device learns, and sends, two small factors for each weight of the backbone. Default: it learns the
    /// weights themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lora: Option<LowRankSettings>,
    /// What the device sends. It changes the bytes that a device sends, and not the model that the centre receives. With `lora`, it
    /// is always the changes.
    pub sends: ExpertForm,
}

impl Default for DeviceSettings {
    fn default() -> Self {
        DeviceSettings {
            epochs: 5,
            batch_size: 32,
            learning: Learning::default(),
            budget: 1.0,
            augmentation: Augmentation::default(),
            absent_classes: AbsentClasses::default(),
            lora: None,
            sends: ExpertForm::default(),
        }
    }
}

impl DeviceSettings {
    /// The number of gradient steps of a device with `samples` samples; at least one, unless it does not train.
    pub fn steps(&self, samples: usize) -> usize {
        let all = self.epochs * samples.div_ceil(self.batch_size);
        ((all as f64 * self.budget).ceil() as usize).clamp(all.min(1), all)
    }

    /// What does not go together, or does not fit inputs of this shape and a backbone whose parameters have these names and shapes: the
    /// path of its key, and what is wrong and accepted.
    pub fn misfit(
        &self,
        input: InputShape,
        shapes: &BTreeMap<String, Vec<usize>>,
    ) -> Option<(&'static [&'static str], String)> {
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
        let of_lora = || self.lora.as_ref()?.misfit(&self.learning, shapes);
        let misfit = self.learning.misfit(shapes).or_else(of_lora)?;
        Some((misfit.path, misfit.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_work_are_named() {
        let shapes = BTreeMap::from([("layer.weight".to_owned(), vec![48, 10])]);
        let says = |settings: DeviceSettings| {
            settings.misfit([1, 8, 6].into(), &shapes).map(|(key, message)| (key.join("."), message))
        };
        assert_eq!(says(DeviceSettings::default()), None);
        let padded = |crop_padding| {
            let augmentation = Augmentation { crop_padding, ..Default::default() };
            says(DeviceSettings { augmentation, ..Default::default() })
        };
        assert_eq!(padded(5), None);
        let (key, message) = padded(6).unwrap();
        assert!(key == "augmentation.crop_padding" && message.contains("1×8×6") && message.contains("at most 5"));
        let lora = |rank| {
            let lora = LowRankSettings { rank, ..Default::default() };
            says(DeviceSettings { lora: Some(lora), ..Default::default() })
        };
        // 8 · (48 + 10) = 464 numbers instead of 480; 9 · 58 = 522.
        assert_eq!(lora(8), None);
        let (key, message) = lora(9).unwrap();
        assert!(key == "lora.rank" && message.contains("= 9"), "{message}");
    }

    #[test]
    fn steps_follow_epochs_batches_and_budget() {
        let settings = DeviceSettings { epochs: 3, batch_size: 32, ..Default::default() };
        assert_eq!(settings.steps(65), 9); // 3 batches an epoch
        assert_eq!(DeviceSettings { budget: 0.5, ..settings.clone() }.steps(65), 5);
        assert_eq!(DeviceSettings { budget: 0.0001, ..settings.clone() }.steps(65), 1);
        assert_eq!(DeviceSettings { epochs: 0, ..settings }.steps(65), 0);
    }
}
