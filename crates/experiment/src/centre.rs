//! The centre: it hands out its model, takes experts, and sees nothing else.

use alluvium_model::{Expert, ModelState, Progress, Seed};
use alluvium_strategy::{Context, DataAccess, Effort, Strategy, StrategyError, Surrogate, TaskData};
use burn::tensor::Device as Compute;

/// The centre of one cell.
///
/// It has no way to a device or to the stream: experts come in through [`receive`](Self::receive), and samples only in
/// `granted`, which the runner fills with what the protocol grants.
pub(crate) struct Centre {
    strategy: Box<dyn Strategy>,
    access: DataAccess,
    surrogate: Option<Box<dyn Surrogate>>,
    model: ModelState,
    received: usize,
    compute: Compute,
    seed: Seed,
}

impl Centre {
    pub(crate) fn new(
        strategy: Box<dyn Strategy>,
        access: DataAccess,
        surrogate: Option<Box<dyn Surrogate>>,
        initial: ModelState,
        compute: &Compute,
        seed: Seed,
    ) -> Self {
        Centre { strategy, access, surrogate, model: initial, received: 0, compute: compute.clone(), seed }
    }

    /// The central model: what a device takes at its first contact.
    pub(crate) fn model(&self) -> &ModelState {
        &self.model
    }

    /// Consolidates what a device sends at its second contact.
    pub(crate) fn receive(
        &mut self,
        expert: &Expert,
        granted: Vec<TaskData<'_>>,
        progress: &dyn Progress,
    ) -> Result<Effort, StrategyError> {
        let mut context = Context::new(&self.compute, self.seed, self.received).with_progress(progress);
        if let Some(surrogate) = self.surrogate.as_mut().filter(|_| self.access >= DataAccess::Surrogate) {
            context = context.with_surrogate(surrogate.as_mut());
        }
        if self.access >= DataAccess::CurrentTask {
            context = context.with_tasks(granted);
        }
        self.model = self.strategy.consolidate(&self.model, expert, &mut context)?;
        self.received += 1;
        Ok(context.effort())
    }
}
