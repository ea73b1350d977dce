//! Strategies that consolidate models in pieces, so that a model need not fit into memory.
//!
//! Most weight-space strategies compute each new value from the same value of the models. Some also need a few numbers of
//! whole models, such as the angle between two tensors. They find these numbers in surveys: passes over all pieces before
//! the consolidation.

use std::fmt::Debug;

use alluvium_model::{Expert, ModelState};

use crate::piece::Piece;
use crate::{Strategy, StrategyError};

/// The smallest pieces that a strategy works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// Any part of a tensor.
    Value,
    /// Whole tensors.
    Tensor,
}

/// A pass over all pieces of some models, before they are merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survey {
    /// Looks at every expert, together with the central model before the first expert.
    Start,
    /// Looks at the expert of this index (from 0), together with the central model before it. For this, the experts before it
    /// are consolidated piece by piece, as with [`Piecewise::build`].
    Expert(usize),
}

/// What a survey sees of one piece: models that hold only the piece, see [`Piece`].
#[derive(Debug, Clone, Copy)]
pub struct Sight<'a> {
    /// The piece.
    pub piece: &'a Piece,
    /// The index of the expert among the experts, from 0.
    pub place: usize,
    /// The central model before the first expert.
    pub start: &'a ModelState,
    /// In a [`Survey::Expert`], the central model before this expert; in a [`Survey::Start`], the central model before the first
    /// expert.
    pub previous: &'a ModelState,
    /// The expert.
    pub expert: &'a Expert,
}

/// A strategy that consolidates in pieces. A [`StrategyConfig`](crate::StrategyConfig) returns it.
///
/// The caller first takes the surveys that it requests, one after another. Then it consolidates all experts of every piece
/// with a new strategy from [`build`](Self::build). The result equals that of the whole models bit for bit, which the
/// conformance tests check.
///
/// ```
/// use alluvium_strategy::{Context, Expert, ModelState, Strategy, StrategyError, conformance, strategy, take_head};
///
/// /// Keeps the newest expert's backbone, and all heads.
/// #[strategy(kind = "newest", piecewise)]
/// struct Newest {}
///
/// impl Strategy for Newest {
///     fn consolidate(
///         &mut self,
///         previous: &ModelState,
///         expert: &Expert,
///         _context: &mut Context<'_>,
///     ) -> Result<ModelState, StrategyError> {
///         let mut central = previous.with_backbone_weights(expert.model.backbone_weights());
///         take_head(&mut central, expert);
///         Ok(central)
///     }
/// }
///
/// conformance::check("newest");
/// ```
pub trait Piecewise: Debug + Send + Sync {
    /// The smallest pieces. Default: any part of a tensor.
    fn grain(&self) -> Grain {
        Grain::Value
    }

    /// The next survey that the strategy needs of the `experts` experts. Default, `None`: no survey is left.
    fn survey(&self, _experts: usize) -> Option<Survey> {
        None
    }

    /// Looks at the piece of one expert, in a survey that the strategy requested. The pieces of a tensor come in their order.
    /// Tensors come in any order, and so do the experts of one piece.
    ///
    /// # Errors
    /// When the models do not fit together; the message names the tensor.
    fn observe(&mut self, _sight: &Sight<'_>) -> Result<(), StrategyError> {
        Ok(())
    }

    /// Called when the survey has gone through all pieces.
    fn surveyed(&mut self) {}

    /// A new strategy for one piece, with the results of the surveys. It consolidates the same experts in the same order and
    /// the same rounds; [`Context::device`](crate::Context::device) counts them from 0.
    ///
    /// # Errors
    /// As for [`StrategyConfig::build`](crate::StrategyConfig::build).
    fn build(&self, piece: &Piece) -> Result<Box<dyn Strategy>, StrategyError>;
}

impl Survey {
    /// The number of experts that the survey needs, from the first.
    pub fn experts(self, all: usize) -> usize {
        match self {
            Survey::Start => all,
            Survey::Expert(index) => all.min(index + 1),
        }
    }
}
