//! The running strategy, and what it keeps between devices.

use std::collections::BTreeMap;
use std::fmt::Debug;

use alluvium_model::{Expert, ModelState, Weights};

use crate::{Context, StrategyError};

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
        for (index, expert) in experts.iter().enumerate() {
            context.turn_to(index, experts.len());
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
