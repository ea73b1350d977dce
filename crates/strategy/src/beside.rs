//! What the tensors that are handed out beside the model are made from.

use alluvium_model::{Inputs, ModelState, Seed};
use burn::tensor::Device;

use crate::{DataAccess, RunDescription, StrategyError, Surrogate, SurrogateRequest};

/// What a strategy makes the tensors from that are handed out to every device beside the model. They are made once for each cell,
/// before the first device.
#[derive(Debug)]
pub struct BesideRequest<'a> {
    /// The run.
    pub run: &'a RunDescription,
    /// The central model before the first device.
    pub initial: &'a ModelState,
    /// Surrogate data, if the strategy declared that it needs them.
    pub surrogate: Option<&'a mut dyn Surrogate>,
    /// The compute device, without autodiff.
    pub compute: &'a Device,
    /// The cell's seed.
    pub seed: Seed,
}

impl BesideRequest<'_> {
    /// `count` inputs of surrogate data. No model has learned yet, so sources that need one fail.
    ///
    /// # Errors
    /// [`StrategyError::NotGranted`] without surrogate data; [`StrategyError::Surrogate`] when they cannot be made.
    pub fn draw(&mut self, count: usize) -> Result<Inputs, StrategyError> {
        let missing = StrategyError::NotGranted { wanted: DataAccess::Surrogate };
        let surrogate = self.surrogate.as_mut().ok_or(missing)?;
        let (input, seed) = (self.initial.input, self.seed.of("surrogate"));
        let request = SurrogateRequest { input, compute: self.compute, seed, previous: self.initial, expert: None };
        Ok(surrogate.draw(count, &request)?)
    }
}
