//! The strategy: its configuration, the running object, and what it keeps between devices.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use alluvium_device::DeviceStatistic;
use alluvium_model::{Expert, ModelState, Weights};
use alluvium_stream::Scenario;

use crate::{Context, DataAccess, Piecewise, StrategyError};

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
    /// [`Expert::statistic`]. Default: nothing.
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

/// What a strategy keeps between devices, as plain data.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StrategyState {
    /// Numbers and texts by name.
    pub values: BTreeMap<String, serde_json::Value>,
    /// Weights by name.
    pub weights: Weights,
}

/// A running consolidation strategy.
pub trait Strategy: Debug + Send {
    /// Consolidates one expert: previous central model + expert → new central model.
    ///
    /// The first expert meets a central model without heads, with initial weights. The new model has all heads of the
    /// previous one, and the expert's.
    ///
    /// # Errors
    /// [`StrategyError`] when models do not fit together, data are missing, or the result is no number.
    fn consolidate(
        &mut self,
        previous: &ModelState,
        expert: &Expert,
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError>;

    /// Consolidates the experts of one round: previous central model + experts → new central model.
    ///
    /// What a federated protocol calls once a round, with every expert that came back, in the order of the devices; all of
    /// them began from the same handed-out model. [`Manifest::samples`](alluvium_model::Manifest::samples) says how many
    /// samples each device has, the usual weight of a mean.
    ///
    /// Default: the experts are consolidated one after another, and `context` is for each what it would be in a protocol
    /// that consolidates them so: [`Context::device`] counts on from one expert to the next, with seeds and granted tasks
    /// that follow. A strategy that overrides it is given the context of the whole round, see [`Context::turn_to`]. Either
    /// way, a round of one is the same as [`consolidate`](Self::consolidate), and a round of none changes nothing.
    ///
    /// # Errors
    /// As [`consolidate`](Self::consolidate); the round is then lost as a whole.
    fn consolidate_round(
        &mut self,
        previous: &ModelState,
        experts: &[&Expert],
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        let mut central = previous.clone();
        for (place, expert) in experts.iter().enumerate() {
            context.turn_to(place, experts.len());
            central = self.consolidate(&central, expert, context)?;
        }
        context.end_turns();
        Ok(central)
    }

    /// The model that the next device takes at its first contact. Default, `None`: the central model itself.
    ///
    /// For a centre that no device could adapt, such as an ensemble. It has the backbone that the first device's model has,
    /// and follows from `central`, which is what the last consolidation gave, and from what [`state`](Self::state) keeps.
    /// The first device takes the initial model, whatever the strategy. Where devices are under way together, heads that tasks
    /// share and the model lacks are added to it, so that all devices begin from the same weights.
    fn handed_out(&self, _central: &ModelState) -> Option<ModelState> {
        None
    }

    /// What must be stored so that a run can go on after this device. Default: nothing.
    fn state(&self) -> StrategyState {
        StrategyState::default()
    }

    /// Takes up a stored state.
    ///
    /// # Errors
    /// [`StrategyError::State`] when it is not one of this strategy.
    fn restore(&mut self, _state: StrategyState) -> Result<(), StrategyError> {
        Ok(())
    }
}
