//! Tells parameters of a backbone from running statistics.

use alluvium_model::{ModelState, Weights};

/// Whether a tensor of this name is a running statistic of a normalisation: burn's batch normalisation calls them
/// `running_mean` and `running_var`. All other tensors are parameters.
pub fn is_statistic(name: &str) -> bool {
    name.rsplit('.').next().is_some_and(|last| last.starts_with("running_"))
}

/// A model's parameters: its backbone's tensors without running statistics.
pub fn parameters(model: &ModelState) -> Weights {
    let backbone = model.backbone_weights();
    let kept = backbone.iter().filter(|(name, _)| !is_statistic(name));
    kept.map(|(name, tensor)| (name.to_owned(), tensor.clone())).collect()
}
