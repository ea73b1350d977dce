//! The same piece of all models that are consolidated, and its consolidation.

use alluvium_model::{Expert, ModelState, Seed, Values};
use burn::tensor::Device;

use crate::{Context, Piece, Piecewise, Sight, StrategyError, Survey};

/// The same piece of all models that are consolidated.
#[derive(Debug, Clone)]
pub struct Cut {
    /// The piece.
    pub piece: Piece,
    /// The piece of the central model before the first expert.
    pub previous: ModelState,
    /// The pieces of the experts, in the order in which they are consolidated.
    pub experts: Vec<Expert>,
    /// The number of experts in each round. A strategy gets the experts of a round at once, see
    /// [`Strategy::consolidate_round`](crate::Strategy::consolidate_round).
    pub rounds: Vec<usize>,
}

impl Cut {
    /// A piece of whole models.
    ///
    /// # Panics
    /// When the piece is not within its tensor.
    pub fn of(piece: Piece, previous: &ModelState, experts: &[Expert], rounds: &[usize]) -> Self {
        let cut = |expert: &Expert| {
            let mut cut = expert.clone();
            cut.model = piece.of(&expert.model);
            cut
        };
        let experts = experts.iter().map(cut).collect();
        Cut { previous: piece.of(previous), experts, rounds: rounds.to_vec(), piece }
    }

    /// The piece of the central model before the surveyed expert. `None` if that is the central model before the first expert.
    /// `seed` is the cell's seed.
    ///
    /// # Errors
    /// As for [`Strategy::consolidate_round`](crate::Strategy::consolidate_round).
    pub fn met(
        &self,
        survey: Survey,
        strategy: &dyn Piecewise,
        compute: &Device,
        seed: Seed,
    ) -> Result<Option<ModelState>, StrategyError> {
        match survey {
            Survey::Start | Survey::Expert(0) => Ok(None),
            Survey::Expert(index) => Ok(Some(self.first(index, strategy, compute, seed)?)),
        }
    }

    /// Consolidates all experts with a new strategy for this piece. Returns the piece's values in the new central model, if
    /// that model has the tensor. `seed` is the cell's seed.
    ///
    /// # Errors
    /// As for [`Strategy::consolidate_round`](crate::Strategy::consolidate_round).
    pub fn consolidate(
        &self,
        strategy: &dyn Piecewise,
        compute: &Device,
        seed: Seed,
    ) -> Result<Option<Values>, StrategyError> {
        let central = self.first(self.experts.len(), strategy, compute, seed)?;
        Ok(central.weights.get(&self.piece.tensor).cloned())
    }

    /// Consolidates the first experts, as many as `count`.
    fn first(
        &self,
        count: usize,
        strategy: &dyn Piecewise,
        compute: &Device,
        seed: Seed,
    ) -> Result<ModelState, StrategyError> {
        let mut strategy = strategy.build(&self.piece)?;
        let mut experts = self.experts.iter().take(count);
        let mut central = None;
        let mut before = 0;
        for size in &self.rounds {
            let round: Vec<_> = experts.by_ref().take(*size).collect();
            if round.is_empty() {
                break;
            }
            let previous = central.as_ref().unwrap_or(&self.previous);
            let next = strategy.consolidate_round(previous, &round, &mut Context::new(compute, seed, before))?;
            before += round.len();
            central = Some(next);
        }
        Ok(central.unwrap_or_else(|| self.previous.clone()))
    }
}

impl Survey {
    /// Shows one piece of all models to a strategy. `met` is the result of [`Cut::met`] for this piece.
    ///
    /// # Errors
    /// As for [`Piecewise::observe`].
    pub fn show(self, cut: &Cut, met: Option<&ModelState>, to: &mut dyn Piecewise) -> Result<(), StrategyError> {
        let start = &cut.previous;
        for (index, expert) in cut.experts.iter().enumerate() {
            if self == Survey::Start || self == Survey::Expert(index) {
                let previous = met.unwrap_or(start);
                to.observe(&Sight { piece: &cut.piece, place: index, start, previous, expert })?;
            }
        }
        Ok(())
    }
}
