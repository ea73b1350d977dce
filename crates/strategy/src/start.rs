//! First steps of many strategies: averaging backbones, and taking over heads.

use alluvium_model::{Expert, ModelState, Number, Pairwise};

use crate::StrategyError;

/// Copies the expert's head and its weights into `model`. Replaces a head of the same name.
pub fn take_head(model: &mut ModelState, expert: &Expert) {
    let head = expert.head();
    model.set_head(head.clone(), expert.model.head_weights(head));
}

/// Averages a head that both models have: the weight of `model` is `weight`, that of the expert 1 − `weight`. A model without
/// the expert's head stays as it is.
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

/// The mean of two models' backbones, with the heads of the first. The weight of the first model is `weight`, that of the
/// second 1 − `weight`. A head that both models have is averaged in the same way.
///
/// # Errors
/// When the backbones differ; the message names the tensor.
pub fn average_backbones(first: &ModelState, second: &Expert, weight: f64) -> Result<ModelState, StrategyError> {
    let backbone = first.backbone_weights().combine_by(&second.model.backbone_weights(), &Mean(weight))?;
    let mut averaged = first.with_backbone_weights(backbone);
    average_head(&mut averaged, second, weight)?;
    Ok(averaged)
}

/// The mean of two numbers. This is the weight of the first; the weight of the second is 1 minus this.
pub(crate) struct Mean(pub f64);

impl Pairwise for Mean {
    fn of<N: Number>(&self, first: N, second: N) -> N {
        let weight = N::rounded(self.0);
        weight * first + (N::ONE - weight) * second
    }
}
