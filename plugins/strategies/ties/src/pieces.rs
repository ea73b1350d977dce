//! TIES in pieces: surveys find where to trim, from counts of magnitudes.

use std::collections::BTreeMap;

use alluvium_strategy::{Piece, Piecewise, Sight, Strategy, StrategyError, Survey};

use crate::config::TiesConfig;
use crate::selection::Selection;
use crate::strategy::Ties;

/// Two surveys find what trimming keeps; weights of 64 bits need four. A survey covers all experts at once. If the reference of
/// task vectors is the previous central model, it covers one expert after another.
#[derive(Debug)]
pub(crate) struct InPieces {
    config: TiesConfig,
    /// The surveyed experts, by their indices.
    selecting: BTreeMap<usize, Selection>,
    /// The result of the surveys: the smallest kept magnitude of each expert.
    smallest: Vec<f64>,
    /// Whether a survey saw nothing, because there are no weights.
    nothing: bool,
}

impl InPieces {
    pub(crate) fn new(config: TiesConfig) -> Self {
        InPieces { config, selecting: BTreeMap::new(), smallest: vec![], nothing: false }
    }
}

impl Piecewise for InPieces {
    fn survey(&self, experts: usize) -> Option<Survey> {
        let next = self.smallest.len();
        let trims = self.config.density < 1.0;
        (trims && next < experts && !self.nothing).then(|| self.config.relative_to.survey(next))
    }

    fn observe(&mut self, sight: &Sight<'_>) -> Result<(), StrategyError> {
        let vector = self.config.relative_to.vector(sight)?;
        let selection = self.selecting.entry(sight.place).or_default();
        vector.iter().for_each(|(_, tensor)| selection.count(&tensor.numbers));
        Ok(())
    }

    fn surveyed(&mut self) {
        let density = self.config.density;
        self.nothing = self.selecting.is_empty();
        let found: Vec<_> = self.selecting.values_mut().map(|selection| selection.narrow(density)).collect();
        if found.iter().all(Option::is_some) {
            self.smallest.extend(found.into_iter().flatten());
            self.selecting.clear();
        }
    }

    fn build(&self, _piece: &Piece) -> Result<Box<dyn Strategy>, StrategyError> {
        Ok(Box::new(Ties::new(self.config.clone(), self.smallest.clone())))
    }
}
