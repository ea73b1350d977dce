//! The configuration of a strategy: what a `[[strategies]]` table is read into.

use std::fmt::Debug;
use std::sync::Arc;

use alluvium_device::{Beside, DeviceStatistic};
use alluvium_model::Seed;
use alluvium_stream::Scenario;

use crate::{DataAccess, Piece, Piecewise, Strategy, StrategyError};

/// A `[[strategies]]` table: which strategy, and its options.
///
/// ```
/// use alluvium_strategy::registry::{Family, describe, schemars};
/// use alluvium_strategy::{Context, DataAccess, Expert, ModelState, Strategy, StrategyConfig, StrategyError, typetag};
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
#[typetag::serde(tag = "kind")]
pub trait StrategyConfig: Debug + Send + Sync {
    /// The data that the strategy needs while it consolidates. A protocol that does not grant them refuses the strategy
    /// before anything runs. The method is called once, when the configuration is read; later answers grant nothing.
    fn data_access(&self) -> DataAccess;

    /// The statistics that every device computes from its own samples and sends along with its expert. The strategy finds
    /// them under [`Expert::statistic`](crate::Expert::statistic). Default: none.
    fn statistics(&self) -> Vec<Arc<dyn DeviceStatistic>> {
        vec![]
    }

    /// The tensors that are handed out to every device beside the model, by what they are for: a feature map that all devices
    /// must share, for instance. Devices compute their statistics with them, and their bytes are counted. `seed` is the cell's.
    /// They are the same for all devices of a cell. Default: none.
    ///
    /// # Errors
    /// When they cannot be made.
    fn handed_beside(&self, _seed: Seed) -> Result<Beside, StrategyError> {
        Ok(Beside::new())
    }

    /// Whether the strategy can work on a stream of this scenario.
    fn supports(&self, _scenario: Scenario) -> bool {
        true
    }

    /// Builds the running strategy. Checks what a schema cannot express, such as options that exclude each other.
    ///
    /// # Errors
    /// [`StrategyError::Option`], which names the option.
    fn build(&self) -> Result<Box<dyn Strategy>, StrategyError>;

    /// Fills in the options that the user left open and whose default depends on what the experts started from. Default,
    /// `None`: the configuration has no such option, or all of them are set.
    ///
    /// The runner of a stream calls it with [`ExpertStart::Previous`], and so does a consolidation of files whose previous
    /// model counts as a first expert. A consolidation of files into the model that the experts started from calls it with
    /// [`ExpertStart::Common`]. An option that the user has set stays as it is. A configuration that was not completed is
    /// built as for a stream.
    fn completed(&self, _start: ExpertStart) -> Option<Box<dyn StrategyConfig>> {
        None
    }

    /// How the strategy consolidates models in pieces, so that checkpoints of any size can be merged. Default, `None`: the
    /// strategy needs whole models. A strategy that works in pieces needs neither data nor statistics of devices, and gives
    /// the same numbers in pieces as on whole models.
    fn piecewise(&self) -> Option<Box<dyn Piecewise>> {
        None
    }
}

/// What the experts of a run were adapted from. The caller of a strategy knows it; the strategy sees only models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpertStart {
    /// Each expert from the central model that it is consolidated into, as in a stream of devices.
    Previous,
    /// All experts from one model, the central model that the first expert is consolidated into: models fine-tuned from one
    /// base model.
    Common,
}

/// The [`Piecewise`] form of a strategy that computes each new value only from the same value of the models. The strategy that
/// it builds for whole models works on any piece.
pub fn value_by_value<C: StrategyConfig + Clone + 'static>(config: &C) -> Box<dyn Piecewise> {
    Box::new(ValueByValue(config.clone()))
}

#[derive(Debug)]
struct ValueByValue<C>(C);

impl<C: StrategyConfig> Piecewise for ValueByValue<C> {
    fn build(&self, _piece: &Piece) -> Result<Box<dyn Strategy>, StrategyError> {
        self.0.build()
    }
}
