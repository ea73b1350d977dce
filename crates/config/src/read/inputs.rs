//! Whether the stream's inputs fit the backbone and the augmentation.

use alluvium_device::DeviceSettings;
use alluvium_model::registry::{Family, described};
use alluvium_model::{BackboneConfig, InputShape, ModelError};
use alluvium_stream::ValueType;
use serde_json::json;

/// The problem of a backbone that does not take the stream's inputs, and the kinds that do.
pub(super) fn misfit(backbone: &dyn BackboneConfig, stream: &str, input: InputShape) -> Option<String> {
    let error = backbone.accepts(input).err()?;
    let ModelError::Input { kind, takes, .. } = error else { return Some(error.to_string()) };
    let accepts = |kind: &&str| {
        let config = serde_json::from_value::<Box<dyn BackboneConfig>>(json!({ "kind": kind }));
        config.is_ok_and(|config| config.accepts(input).is_ok())
    };
    let others: Vec<_> = described(Family::Backbone).iter().map(|one| one.kind).filter(accepts).collect();
    let accepted = if others.is_empty() { "a stream of such inputs".to_owned() } else { others.join(", ") };
    Some(format!(
        "the backbone \"{kind}\" takes {takes}; the stream \"{stream}\" gives {}; accepted: {accepted}",
        input.described()
    ))
}

/// The problem of settings that augment other inputs than those of the stream.
pub(super) fn augmentation_misfit(
    settings: &DeviceSettings,
    stream: &str,
    input: InputShape,
    value_type: ValueType,
) -> Option<String> {
    let augmentation = &settings.augmentation;
    let numbers = value_type == ValueType::Numbers;
    let given = || {
        let numbers = if numbers { ", as 32-bit numbers" } else { "" };
        format!("the stream \"{stream}\" gives {}{numbers}", input.described())
    };
    if !augmentation.leaves_pictures() && (input.picture().is_none() || numbers) {
        return Some(format!(
            "`augmentation` changes pictures whose values are bytes; {}; accepted: no such keys",
            given()
        ));
    }
    let spectrogram = input.picture().is_some_and(|picture| picture.channels == 1) && numbers;
    if !augmentation.sound.is_off() && !spectrogram {
        return Some(format!(
            "`augmentation.sound` changes spectrograms, which are pictures of one channel as 32-bit numbers; {}; accepted: no \
             `augmentation.sound`",
            given()
        ));
    }
    None
}
