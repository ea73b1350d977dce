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
///
/// This one keeps a number between devices, so that each expert weighs the same. It passes the conformance tests, which also
/// check that it resumes from its state:
///
/// ```
/// use alluvium_strategy::{Context, Expert, ModelState, Strategy, StrategyError, StrategyState};
/// use alluvium_strategy::{average_backbones, conformance, strategy, take_head};
///
/// /// The mean of all experts' backbones.
/// #[strategy(kind = "even")]
/// struct Even {
///     /// The number of experts so far.
///     #[state]
///     experts: u32,
/// }
///
/// impl Strategy for Even {
///     fn consolidate(
///         &mut self,
///         previous: &ModelState,
///         expert: &Expert,
///         _context: &mut Context<'_>,
///     ) -> Result<ModelState, StrategyError> {
///         self.experts += 1;
///         let mut central = average_backbones(previous, expert, 1.0 - 1.0 / f64::from(self.experts))?;
///         if central.head(&expert.head().name).is_none() {
///             take_head(&mut central, expert);
///         }
///         Ok(central)
///     }
///
///     fn state(&self) -> StrategyState {
///         StrategyState { values: [("experts".to_owned(), self.experts.into())].into(), ..Default::default() }
///     }
///
///     fn restore(&mut self, state: StrategyState) -> Result<(), StrategyError> {
///         let experts = state.values.get("experts").and_then(|value| value.as_u64()?.try_into().ok());
///         self.experts = experts.ok_or_else(|| StrategyError::State("`experts` is not a count".to_owned()))?;
///         Ok(())
///     }
/// }
///
/// conformance::check("even");
/// ```
pub trait Strategy: Debug + Send {
    /// Consolidates one expert: previous central model + expert → new central model.
    ///
    /// Before the first expert, the central model has initial weights and no heads. The new model has all heads of the previous
    /// one, and the expert's.
    ///
    /// # Errors
    /// [`StrategyError`] when models do not fit together, data are missing, or the result is not finite.
    fn consolidate(
        &mut self,
        previous: &ModelState,
        expert: &Expert,
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError>;

    /// Consolidates the experts of one round: previous central model + experts → new central model.
    ///
    /// A federated protocol calls this once per round, with every expert that came back, in the order of the devices. All
    /// experts started from the same handed-out model. [`Manifest::samples`](alluvium_model::Manifest::samples) is the number
    /// of samples of each device, the usual weight in a mean.
    ///
    /// Default: consolidates the experts one after another. Each expert gets a context of its own, see [`Context::of_expert`], as
    /// if the experts came one by one: [`Context::device`], the seed and the granted tasks advance from expert to expert. An
    /// override gets the context of the whole round. Either way, a round of one expert equals
    /// [`consolidate`](Self::consolidate), and an empty round changes nothing.
    ///
    /// # Errors
    /// As [`consolidate`](Self::consolidate). After an error, the whole round is lost.
    fn consolidate_round(
        &mut self,
        previous: &ModelState,
        experts: &[&Expert],
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        let mut central = previous.clone();
        for (index, expert) in experts.iter().enumerate() {
            central = self.consolidate(&central, expert, &mut context.of_expert(index, experts.len()))?;
        }
        Ok(central)
    }

    /// Adds a classifier across tasks to a central model: the one that another strategy made of `previous` and `experts`. The
    /// experts carry the statistics that this strategy asks for. It is called in place of the consolidation for a strategy whose
    /// configuration [makes](crate::StrategyConfig::makes_across) such a classifier, if it is the `unknown_task` of a row. Neither
    /// `central` nor `previous` has a classifier across tasks.
    ///
    /// # Errors
    /// As [`consolidate`](Self::consolidate). Default: [`StrategyError::Misfit`].
    fn across(
        &mut self,
        _central: ModelState,
        _previous: &ModelState,
        _experts: &[&Expert],
        _context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        Err(StrategyError::Misfit {
            problem: "makes no classifier across tasks".to_owned(),
            accepted: "a strategy that does".to_owned(),
        })
    }

    /// The model that the next device takes at its first contact. Default, `None`: the central model itself.
    ///
    /// Override it if devices cannot adapt the central model, as with an ensemble. The model must have the backbone of the
    /// initial model. It may depend only on `central`, the result of the last consolidation, and on what
    /// [`state`](Self::state) keeps. The first device always takes the initial model. If several devices are under way at once,
    /// shared heads that the model lacks are added to it, so that all devices start from the same weights.
    fn handed_out(&self, _central: &ModelState) -> Option<ModelState> {
        None
    }

    /// The state to store so that a run can continue after this device. Default: empty.
    fn state(&self) -> StrategyState {
        StrategyState::default()
    }

    /// Restores a stored state.
    ///
    /// # Errors
    /// [`StrategyError::State`] when the state does not belong to this strategy.
    fn restore(&mut self, _state: StrategyState) -> Result<(), StrategyError> {
        Ok(())
    }
}
