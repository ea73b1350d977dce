//! Spherical interpolation in pieces: surveys find the angles of whole tensors from sums of products.

use alluvium_strategy::{Piece, Piecewise, Sight, Strategy, StrategyError, Survey};

use crate::arc::TensorProducts;
use crate::strategy::Slerp;

/// One survey per expert, because the centre before an expert depends on the angles of the expert before it.
#[derive(Debug)]
pub(crate) struct InPieces {
    expert_weight: f64,
    /// The products of the surveyed expert.
    sums: TensorProducts,
    /// The products of the experts surveyed so far.
    found: Vec<TensorProducts>,
}

impl InPieces {
    pub(crate) fn new(expert_weight: f64) -> Self {
        InPieces { expert_weight, sums: TensorProducts::new(), found: vec![] }
    }
}

impl Piecewise for InPieces {
    fn survey(&self, experts: usize) -> Option<Survey> {
        let next = self.found.len();
        (next < experts).then_some(Survey::Expert(next))
    }

    fn observe(&mut self, sight: &Sight<'_>) -> Result<(), StrategyError> {
        let tensor = &sight.piece.tensor;
        let (own, other) = (sight.previous.weights.get(tensor), sight.expert.model.weights.get(tensor));
        if let (Some(own), Some(other)) = (own, other) {
            self.sums.entry(tensor.clone()).or_default().add(&own.numbers, &other.numbers);
        }
        Ok(())
    }

    fn surveyed(&mut self) {
        self.found.push(std::mem::take(&mut self.sums));
    }

    fn build(&self, piece: &Piece) -> Result<Box<dyn Strategy>, StrategyError> {
        let of_piece = |found: &TensorProducts| -> TensorProducts {
            found.get(&piece.tensor).map(|products| (piece.tensor.clone(), *products)).into_iter().collect()
        };
        let found = self.found.iter().map(of_piece).collect();
        Ok(Box::new(Slerp::new(self.expert_weight, found)))
    }
}
