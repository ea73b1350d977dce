//! What strategies do with backbones and heads before anything else.

use alluvium_model::{Expert, ModelState};

use crate::StrategyError;

/// Gives `model` the expert's head with the expert's weights; replaces a head of the same name.
pub fn take_head(model: &mut ModelState, expert: &Expert) {
    let head = expert.head();
    model.set_head(head.clone(), expert.model.head_weights(head));
}

/// The mean of two models' backbones, the first one's weighted by `weight`, the second one's by 1 − `weight`, in the
/// first one's heads. A head that both models have is averaged likewise.
///
/// # Errors
/// When the backbones differ; the message names the tensor.
pub fn average_backbones(first: &ModelState, second: &Expert, weight: f32) -> Result<ModelState, StrategyError> {
    let mean = |a: f32, b: f32| weight * a + (1.0 - weight) * b;
    let backbone = first.backbone_weights().combine(&second.model.backbone_weights(), mean)?;
    let mut averaged = first.with_backbone_weights(backbone);
    if let Some(head) = first.head(&second.head().name) {
        let both = first.head_weights(head).combine(&second.model.head_weights(second.head()), mean)?;
        averaged.set_head(head.clone(), both);
    }
    Ok(averaged)
}
