//! The configuration of a strategy: what a `[[strategies]]` table is read into.

use std::fmt::Debug;
use std::sync::Arc;

use alluvium_device::{Beside, DeviceStatistic};
use alluvium_model::Digest;

use crate::{BesideRequest, DataAccess, Piece, Piecewise, RunDescription, Strategy, StrategyError};

/// A `[[strategies]]` table: which strategy, and its options.
///
/// A strategy whose configuration and running strategy are two types. It passes the conformance tests. If the options are also
/// the running strategy, [`strategy`](macro@crate::strategy) writes this implementation; see [`Strategy`].
///
/// ```
/// use alluvium_strategy::{Context, Expert, ModelState, RunDescription, Strategy, StrategyConfig, StrategyError};
/// use alluvium_strategy::{average_backbones, conformance, options, plugin, take_head};
///
/// /// Moves the central backbone a fixed fraction of the way to the expert's.
/// #[options]
/// struct TowardsConfig {
///     /// The fraction of the way.
///     #[schemars(range(min = 0.0, max = 1.0))]
///     #[default(0.5)]
///     fraction: f64,
/// }
///
/// #[plugin(kind = "towards")]
/// impl StrategyConfig for TowardsConfig {
///     fn build(&self, _run: &RunDescription) -> Result<Box<dyn Strategy>, StrategyError> {
///         Ok(Box::new(Towards { kept: 1.0 - self.fraction }))
///     }
/// }
///
/// #[derive(Debug)]
/// struct Towards {
///     kept: f64,
/// }
///
/// impl Strategy for Towards {
///     fn consolidate(
///         &mut self,
///         previous: &ModelState,
///         expert: &Expert,
///         _context: &mut Context<'_>,
///     ) -> Result<ModelState, StrategyError> {
///         let mut central = average_backbones(previous, expert, self.kept)?;
///         take_head(&mut central, expert);
///         Ok(central)
///     }
/// }
///
/// conformance::check("towards");
/// ```
#[typetag::serde(tag = "kind")]
pub trait StrategyConfig: Debug + Send + Sync {
    /// The data that the strategy needs while it consolidates. A protocol that does not grant them refuses the strategy
    /// before anything runs. The method is called once, when the configuration is read; later answers grant nothing. Default:
    /// none.
    fn data_access(&self) -> DataAccess {
        DataAccess::None
    }

    /// Whether the strategy takes experts whose backbone is not the centre's, from devices with networks of their own. The first
    /// expert of a stream may be one: the central model has initial weights then. Whatever comes, the centre keeps its backbone.
    /// [`ModelState::has_the_backbone_of`](alluvium_model::ModelState::has_the_backbone_of) tells such experts apart. Default: no,
    /// because weights of different shapes can be neither averaged nor copied.
    fn accepts_unlike_networks(&self) -> bool {
        false
    }

    /// The statistics that every device computes from its own samples and sends along with its expert. The strategy finds
    /// them under [`Expert::statistic`](crate::Expert::statistic). Default: none.
    fn statistics(&self) -> Vec<Arc<dyn DeviceStatistic>> {
        vec![]
    }

    /// The tensors that are handed out to every device beside the model, by what they are for: a feature map that all devices
    /// must share, for instance. Devices compute their statistics with them, and their bytes are counted. They are the same for all
    /// devices of a cell. Default: none.
    ///
    /// # Errors
    /// When they cannot be made.
    fn handed_beside(&self, _request: &mut BesideRequest<'_>) -> Result<Beside, StrategyError> {
        Ok(Beside::new())
    }

    /// Whether the strategy makes a classifier across tasks, for samples whose task is unknown, and can do so beside another
    /// strategy; see [`Strategy::across`]. Default: no.
    fn makes_across(&self) -> bool {
        false
    }

    /// A digest of the code that the strategy runs outside this program, such as a script. When it changes, everything computed with
    /// the strategy is computed again. Default, `None`: all its code is in the program.
    fn revision(&self) -> Option<Digest> {
        None
    }

    /// Checks the strategy against the run: its options, and whether they fit the backbone, the input, the protocol and the
    /// stream. It is called before anything is trained, and decides without reading files. What the description leaves open is
    /// not checked. Default: everything fits.
    ///
    /// # Errors
    /// [`StrategyError::Option`], which names the option, or [`StrategyError::Misfit`]. Both say what is accepted.
    fn validate(&self, _run: &RunDescription) -> Result<(), StrategyError> {
        Ok(())
    }

    /// Builds the running strategy for a run that [`validate`](Self::validate) accepts.
    ///
    /// # Errors
    /// When the strategy cannot be built.
    fn build(&self, run: &RunDescription) -> Result<Box<dyn Strategy>, StrategyError>;

    /// Fills in the options that the user left open and whose default depends on the run, such as what the experts started from,
    /// so that results state them. An option that the user has set stays as it is. Default, `None`: the configuration has no such
    /// option, or all of them are set. A configuration gives the same strategy before and after.
    fn completed(&self, _run: &RunDescription) -> Option<Box<dyn StrategyConfig>> {
        None
    }

    /// How the strategy consolidates models in pieces, so that checkpoints of any size can be merged. Default, `None`: the
    /// strategy needs whole models. A strategy that works in pieces needs neither data nor statistics of devices, and gives
    /// the same numbers in pieces as on whole models.
    fn piecewise(&self, _run: &RunDescription) -> Option<Box<dyn Piecewise>> {
        None
    }
}

/// The [`Piecewise`] form of a strategy that computes each new value only from the same value of the models. The strategy that
/// it builds for whole models works on any piece.
pub fn value_by_value<C: StrategyConfig + Clone + 'static>(config: &C, run: &RunDescription) -> Box<dyn Piecewise> {
    Box::new(ValueByValue(config.clone(), run.clone()))
}

#[derive(Debug)]
struct ValueByValue<C>(C, RunDescription);

impl<C: StrategyConfig> Piecewise for ValueByValue<C> {
    fn build(&self, _piece: &Piece) -> Result<Box<dyn Strategy>, StrategyError> {
        self.0.build(&self.1)
    }
}
