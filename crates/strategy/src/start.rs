//! What strategies do with backbones and heads before anything else.

use alluvium_model::{Expert, ModelState};

use crate::StrategyError;

/// Gives `model` the expert's head with the expert's weights; replaces a head of the same name.
pub fn take_head(model: &mut ModelState, expert: &Expert) {
    let head = expert.head();
    model.set_head(head.clone(), expert.model.head_weights(head));
}

/// Averages a head that both have: `model`'s is weighted by `weight`, the expert's by 1 − `weight`. A model without the
/// expert's head stays as it is.
///
/// # Errors
/// When the heads differ in shape; the message names the tensor.
pub(crate) fn average_head(model: &mut ModelState, expert: &Expert, weight: f32) -> Result<(), StrategyError> {
    if let Some(head) = model.head(&expert.head().name).cloned() {
        let theirs = expert.model.head_weights(expert.head());
        let both = model.head_weights(&head).combine(&theirs, mean(weight))?;
        model.set_head(head, both);
    }
    Ok(())
}

/// The mean of two models' backbones, the first one's weighted by `weight`, the second one's by 1 − `weight`, in the
/// first one's heads. A head that both models have is averaged likewise.
///
/// # Errors
/// When the backbones differ; the message names the tensor.
pub fn average_backbones(first: &ModelState, second: &Expert, weight: f32) -> Result<ModelState, StrategyError> {
    let backbone = first.backbone_weights().combine(&second.model.backbone_weights(), mean(weight))?;
    let mut averaged = first.with_backbone_weights(backbone);
    average_head(&mut averaged, second, weight)?;
    Ok(averaged)
}

/// The mean of two numbers, the first one weighted by `weight`, the second one by 1 − `weight`.
pub(crate) fn mean(weight: f32) -> impl Fn(f32, f32) -> f32 {
    move |first, second| weight * first + (1.0 - weight) * second
}
