//! The configuration of a strategy: what a `[[strategies]]` table is read into.

use std::fmt::Debug;
use std::sync::Arc;

use alluvium_device::DeviceStatistic;
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
    /// The data that the strategy needs while consolidating. A protocol that does not grant them refuses the strategy
    /// before anything runs. It is asked once, when the configuration is read; what it says later grants nothing.
    fn data_access(&self) -> DataAccess;

    /// What every device computes of its own samples and sends along with its expert; the strategy finds it under
    /// [`Expert::statistic`](crate::Expert::statistic). Default: nothing.
    fn statistics(&self) -> Vec<Arc<dyn DeviceStatistic>> {
        vec![]
    }

    /// Whether the strategy can work on a stream of this scenario.
    fn supports(&self, _scenario: Scenario) -> bool {
        true
    }

    /// Builds the running strategy; checks what a schema cannot say, such as options that do not go together.
    ///
    /// # Errors
    /// [`StrategyError::Option`], which names the option.
    fn build(&self) -> Result<Box<dyn Strategy>, StrategyError>;

    /// The same configuration with the options set that were left open and whose default depends on what the experts started
    /// from. Default, `None`: there are none left open.
    ///
    /// A stream's runner asks with [`ExpertStart::Previous`]; so does whoever consolidates files into a previous model that
    /// counts as a first expert. Into one that the experts started from, files are consolidated with
    /// [`ExpertStart::Common`]. An option that the user has set stays as it is. A configuration that nobody completes is built
    /// as for a stream.
    fn completed(&self, _start: ExpertStart) -> Option<Box<dyn StrategyConfig>> {
        None
    }

    /// How the strategy consolidates models in pieces, so that checkpoints of any size can be merged. Default, `None`: it
    /// cannot, and wants whole models. One that can needs no data and no statistics of devices, and gives the same numbers
    /// either way.
    fn piecewise(&self) -> Option<Box<dyn Piecewise>> {
        None
    }
}

/// What the experts of a run were adapted from. Whoever calls a strategy knows it; the strategy sees models alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpertStart {
    /// Each from the central model that it meets, as the devices of a stream are.
    Previous,
    /// All from one model, the central model that the first expert meets: models that were fine-tuned from one base model.
    Common,
}

/// For a strategy that computes each value from the same value of the models and needs to know nothing else: what it builds
/// for whole models works on any piece.
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
