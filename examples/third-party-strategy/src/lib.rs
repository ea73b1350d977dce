//! The strategy `exponential-averaging`: an example of a strategy in a crate outside Alluvium.

use alluvium_strategy::{Context, Expert, ModelState, Strategy, StrategyError, average_backbones, strategy, take_head};

/// Exponential averaging: the central backbone moves a fixed fraction of the way to each expert's; each task keeps its head.
///
/// θ_t = (1 − α)·θ_{t−1} + α·θ_expert; the first expert is taken as it is. Unlike in a running mean, the newest expert
/// always weighs the same. A head that several tasks share is averaged like the backbone.
#[strategy(kind = "exponential-averaging")]
pub struct ExponentialAveraging {
    /// α, the weight of the newest expert; with 1, only it counts.
    #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0.0))]
    #[default(0.5)]
    pub alpha: f32,
}

impl Strategy for ExponentialAveraging {
    fn consolidate(
        &mut self,
        previous: &ModelState,
        expert: &Expert,
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        let alpha = if context.device() == 0 { 1.0 } else { self.alpha };
        let mut central = average_backbones(previous, expert, f64::from(1.0 - alpha))?;
        if central.head(&expert.head().name).is_none() {
            take_head(&mut central, expert);
        }
        Ok(central)
    }
}
