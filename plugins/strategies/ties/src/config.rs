//! The options of the strategy.

use alluvium_strategy::{RelativeTo, options};

/// TIES-merging: trims each expert's change to its largest values, elects a sign for each weight, and averages the
/// changes of that sign; each task keeps its head.
///
/// Of the task vector τ_t = θ_expert − θ₀, trim keeps the `density` of largest magnitude, over the backbone as a whole,
/// and sets the rest to 0 (values equal to the smallest kept one stay, too). Elect: γ^p = sgn(Σ_t τ_t^p) for each
/// weight p. Disjoint merge: τ^p = the mean of the trimmed τ_t^p over the devices where their sign is γ^p, and 0 where
/// γ^p is. Then θ = θ₀ + λ·τ. θ₀ is the central model that the first device took.
///
/// Task vectors are not kept: the election and the mean need only the sums and counts of the positive and of the negative
/// values of each weight. With θ₀ these are five copies of the backbone, for any number of devices. Running statistics of a
/// normalisation are averaged over the experts, and a head that comes back is averaged over the experts that had it.
#[options]
#[derive(PartialEq)]
pub struct TiesConfig {
    /// The fraction of a task vector's values that trimming keeps; it keeps at least one. The paper keeps the top 20 %.
    #[schemars(range(min = 0.0, max = 1.0))]
    #[default(0.2)]
    pub density: f64,
    /// λ, the weight of the merged task vector. The paper takes 1 if there are no held-out data to choose it on.
    #[schemars(range(min = 0.0, max = 100.0))]
    #[default(1.0)]
    pub scaling: f64,
    /// The reference of a task vector. `initial`, the default, is the paper's, and suits a mean: every expert holds
    /// what the centre knew when its device began. With `previous`, a mean over t devices leaves 1/t of each one's change.
    #[default(RelativeTo::Initial)]
    pub relative_to: RelativeTo,
}
