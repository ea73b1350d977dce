//! Strategies that consolidate models in pieces, so that no model has to be whole in memory.
//!
//! Most weight-space strategies compute each new value from the same value of the models. Some need a few numbers of whole
//! models besides, such as the angle between two tensors: they take surveys first, passes over all pieces that leave just
//! these numbers.

use std::fmt::Debug;

use alluvium_model::{Expert, ModelState};

use crate::piece::Piece;
use crate::{Strategy, StrategyError};

/// How small the pieces may be that a strategy works on.
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
    /// Looks at every expert beside the central model that the first one meets.
    Start,
    /// Looks at the expert at that place, from 0, beside the central model that it meets: the experts before it are
    /// consolidated piece by piece for this, as by [`Piecewise::build`].
    Expert(usize),
}

/// What a survey sees of one piece: models that hold nothing else, see [`Piece`].
#[derive(Debug, Clone, Copy)]
pub struct Sight<'a> {
    /// The piece.
    pub piece: &'a Piece,
    /// The expert's place among the experts, from 0.
    pub place: usize,
    /// The central model that the first expert meets.
    pub start: &'a ModelState,
    /// The central model that this expert meets, as of [`Survey::Expert`]; under [`Survey::Start`] that of the first one.
    pub previous: &'a ModelState,
    /// The expert.
    pub expert: &'a Expert,
}

/// A strategy's way of consolidating in pieces: what a [`StrategyConfig`](crate::StrategyConfig) gives that can.
///
/// Whoever consolidates takes the surveys that it asks for, one after another, until it asks for none, and then, for every
/// piece, consolidates all experts with a fresh strategy from [`build`](Self::build). The result is that of the whole models,
/// bit for bit. The conformance tests check it.
///
/// ```
/// use alluvium_strategy::registry::{Family, describe, schemars};
/// use alluvium_strategy::{Context, DataAccess, Expert, ModelState, Piecewise, Strategy, StrategyConfig, StrategyError};
/// use alluvium_strategy::{typetag, value_by_value};
/// use serde::{Deserialize, Serialize};
///
/// /// Keeps the newest expert and forgets everything else.
/// #[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
/// struct Newest {}
///
/// describe!(Family::Strategy, "newest", Newest, paper: "");
///
/// #[typetag::serde(name = "newest")]
/// impl StrategyConfig for Newest {
///     fn data_access(&self) -> DataAccess {
///         DataAccess::None
///     }
///
///     fn build(&self) -> Result<Box<dyn Strategy>, StrategyError> {
///         Ok(Box::new(Newest {}))
///     }
///
///     fn piecewise(&self) -> Option<Box<dyn Piecewise>> {
///         Some(value_by_value(self))
///     }
/// }
///
/// impl Strategy for Newest {
///     fn consolidate(
///         &mut self,
///         _previous: &ModelState,
///         expert: &Expert,
///         _context: &mut Context<'_>,
///     ) -> Result<ModelState, StrategyError> {
///         Ok(expert.model.clone())
///     }
/// }
/// ```
pub trait Piecewise: Debug + Send + Sync {
    /// How small the pieces may be. Default: any part of a tensor.
    fn grain(&self) -> Grain {
        Grain::Value
    }

    /// The next survey that it needs, of so many experts. Default: none.
    fn survey(&self, _experts: usize) -> Option<Survey> {
        None
    }

    /// Looks at one expert's piece, in a survey that it asked for. The pieces of a tensor come in their order; tensors come
    /// in any order, and so do the experts of one piece.
    ///
    /// # Errors
    /// When the models do not go together; the message names the tensor.
    fn observe(&mut self, _sight: &Sight<'_>) -> Result<(), StrategyError> {
        Ok(())
    }

    /// The survey has gone through all pieces.
    fn surveyed(&mut self) {}

    /// A fresh strategy for one piece, that knows what the surveys found. It consolidates the same experts in the same order and
    /// the same rounds; [`Context::device`](crate::Context::device) counts them from 0.
    ///
    /// # Errors
    /// As for [`StrategyConfig::build`](crate::StrategyConfig::build).
    fn build(&self, piece: &Piece) -> Result<Box<dyn Strategy>, StrategyError>;
}

impl Survey {
    /// How many experts it needs, from the first.
    pub fn experts(self, all: usize) -> usize {
        match self {
            Survey::Start => all,
            Survey::Expert(place) => all.min(place + 1),
        }
    }
}
