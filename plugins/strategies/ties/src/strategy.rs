//! The running strategy, and what it keeps between devices.

use alluvium_strategy::{Context, Expert, ModelState, Strategy, StrategyError, StrategyState, TaskVectors, add_scaled};

use crate::config::TiesConfig;
use crate::sums::SignedSums;
use crate::trimming::{smallest_kept, trim};

#[derive(Debug)]
pub(crate) struct Ties {
    config: TiesConfig,
    vectors: TaskVectors,
    /// The signed sums of all trimmed task vectors so far.
    sums: SignedSums,
    /// The smallest kept magnitude of each expert's whole task vector. Empty unless the strategy works in pieces, which do not
    /// show it.
    smallest: Vec<f64>,
}

impl Ties {
    pub(crate) fn new(config: TiesConfig, smallest: Vec<f64>) -> Self {
        Ties { config, vectors: TaskVectors::default(), sums: SignedSums::default(), smallest }
    }
}

impl Strategy for Ties {
    fn consolidate(
        &mut self,
        previous: &ModelState,
        expert: &Expert,
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        let vector = self.vectors.receive(self.config.relative_to, previous, expert)?;
        let known = self.smallest.get(context.device()).copied();
        let smallest = known.unwrap_or_else(|| smallest_kept(&vector, self.config.density));
        self.sums.add(&trim(&vector, smallest)?)?;
        let merged = add_scaled(self.vectors.base(), self.config.scaling, &self.sums.merged()?)?;
        self.vectors.central(previous, expert, merged)
    }

    fn handed_out(&self, central: &ModelState) -> Option<ModelState> {
        self.vectors.handed_out(self.config.relative_to, central)
    }

    fn state(&self) -> StrategyState {
        let mut state = self.vectors.state();
        self.sums.store(&mut state.weights);
        state
    }

    fn restore(&mut self, state: StrategyState) -> Result<(), StrategyError> {
        self.vectors = TaskVectors::restore(&state)?;
        self.sums = SignedSums::stored(&state.weights);
        Ok(())
    }
}
