//! OPCM tensor by tensor: surveys find the lengths of whole changes, and so each λ.

use alluvium_strategy::{
    Grain, Piece, Piecewise, RelativeTo, Sight, Strategy, StrategyError, Survey, difference, parameters,
};

use crate::length::{Lengths, Squares, squares};
use crate::strategy::{Opcm, add_projected};

/// One survey per expert, because the model before an expert depends on the λ of the expert before it. Each survey decomposes
/// all matrices of the earlier experts again.
#[derive(Debug)]
pub(crate) struct InPieces {
    protected_share: f64,
    lengths: Lengths,
    /// For the surveyed expert: its change, and what λ divides.
    vector: Squares,
    total: Squares,
    /// λ of the experts surveyed so far.
    scales: Vec<f64>,
}

impl InPieces {
    pub(crate) fn new(protected_share: f64) -> Self {
        let (vector, total, scales) = (Squares::new(), Squares::new(), vec![]);
        InPieces { protected_share, lengths: Lengths::default(), vector, total, scales }
    }
}

impl Piecewise for InPieces {
    fn grain(&self) -> Grain {
        Grain::Tensor
    }

    fn survey(&self, experts: usize) -> Option<Survey> {
        let next = self.scales.len();
        (next < experts).then_some(Survey::Expert(next))
    }

    fn observe(&mut self, sight: &Sight<'_>) -> Result<(), StrategyError> {
        let vector = RelativeTo::Initial.vector(sight)?;
        self.vector.extend(squares(&vector));
        let total = if sight.place == 0 {
            vector
        } else {
            let merged = difference(&parameters(sight.previous), &parameters(sight.start))?;
            add_projected(self.lengths.scale, &merged, &vector, self.protected_share)?
        };
        self.total.extend(squares(&total));
        Ok(())
    }

    fn surveyed(&mut self) {
        let experts = self.scales.len() as u32 + 1;
        self.lengths.receive(&self.vector, &self.total, experts);
        self.scales.push(self.lengths.scale);
        (self.vector, self.total) = (Squares::new(), Squares::new());
    }

    fn build(&self, _piece: &Piece) -> Result<Box<dyn Strategy>, StrategyError> {
        Ok(Box::new(Opcm::new(self.protected_share, self.scales.clone())))
    }
}
