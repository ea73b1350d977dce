//! Which tensors of a backbone are parameters, and which are running statistics.

use alluvium_model::{ModelState, Weights};

/// Whether a tensor of this name is a running statistic of a normalisation and no parameter: burn's batch normalisation
/// calls them `running_mean` and `running_var`.
pub fn is_statistic(name: &str) -> bool {
    name.rsplit('.').next().is_some_and(|last| last.starts_with("running_"))
}

/// A model's parameters: its backbone's tensors without running statistics.
pub fn parameters(model: &ModelState) -> Weights {
    let backbone = model.backbone_weights();
    let kept = backbone.iter().filter(|(name, _)| !is_statistic(name));
    kept.map(|(name, tensor)| (name.to_owned(), tensor.clone())).collect()
}
