//! What strategies do with backbones and heads before anything else.

use alluvium_model::{Expert, ModelState, Number, Pairwise};

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
pub(crate) fn average_head(model: &mut ModelState, expert: &Expert, weight: f64) -> Result<(), StrategyError> {
    if let Some(head) = model.head(&expert.head().name).cloned() {
        let theirs = expert.model.head_weights(expert.head());
        let both = model.head_weights(&head).combine_by(&theirs, &Mean(weight))?;
        model.set_head(head, both);
    }
    Ok(())
}

/// The mean of two models' backbones, the first one's weighted by `weight`, the second one's by 1 − `weight`, in the
/// first one's heads. A head that both models have is averaged likewise.
///
/// # Errors
/// When the backbones differ; the message names the tensor.
pub fn average_backbones(first: &ModelState, second: &Expert, weight: f64) -> Result<ModelState, StrategyError> {
    let backbone = first.backbone_weights().combine_by(&second.model.backbone_weights(), &Mean(weight))?;
    let mut averaged = first.with_backbone_weights(backbone);
    average_head(&mut averaged, second, weight)?;
    Ok(averaged)
}

/// The mean of two numbers, the first one weighted by this number, the second one by 1 − it.
pub(crate) struct Mean(pub f64);

impl Pairwise for Mean {
    fn of<N: Number>(&self, first: N, second: N) -> N {
        let weight = N::rounded(self.0);
        weight * first + (N::ONE - weight) * second
    }
}
