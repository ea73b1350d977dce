//! Two strategies in one row: one consolidates the network, the other makes the classifier across tasks.

use std::sync::Arc;

use alluvium_device::{Beside, DeviceStatistic};
use alluvium_model::{Digest, Expert, ModelState};
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::{
    BesideRequest, Context, DataAccess, RunDescription, Strategy, StrategyConfig, StrategyError, StrategyState,
};

/// The key of a `[[strategies]]` table with the strategy for samples of an unknown task.
pub const UNKNOWN_TASK: &str = "unknown_task";

/// A strategy with another one for samples whose task is unknown: `network` consolidates the network with its heads, and
/// `across` makes the classifier across tasks beside it, from the statistics that devices send along. The pair has the kind and
/// the options of `network`, and the options of `across` under [`UNKNOWN_TASK`].
///
/// # Errors
/// [`StrategyError::Misfit`] when `across` makes no classifier across tasks.
pub fn with_unknown_task(
    network: Box<dyn StrategyConfig>,
    across: Box<dyn StrategyConfig>,
) -> Result<Box<dyn StrategyConfig>, StrategyError> {
    if !across.makes_across() {
        return Err(StrategyError::Misfit {
            problem: format!("\"{}\" makes no classifier for samples of an unknown task", across.typetag_name()),
            accepted: "a strategy that does, such as \"analytic\" or \"class-statistics\"".to_owned(),
        });
    }
    Ok(Box::new(WithUnknownTask { network, across }))
}

#[derive(Debug)]
struct WithUnknownTask {
    network: Box<dyn StrategyConfig>,
    across: Box<dyn StrategyConfig>,
}

impl WithUnknownTask {
    /// The run as the strategy of the classifier across tasks sees it.
    fn run(run: &RunDescription) -> RunDescription {
        RunDescription { across_only: true, ..run.clone() }
    }
}

impl Serialize for WithUnknownTask {
    /// The options of both. The caller writes the kind.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut table = serde_json::to_value(&self.network).map_err(S::Error::custom)?;
        table[UNKNOWN_TASK] = serde_json::to_value(&self.across).map_err(S::Error::custom)?;
        if let Value::Object(table) = &mut table {
            table.remove("kind");
        }
        table.serialize(serializer)
    }
}

/// It has the kind of the strategy that consolidates the network, so it is not registered under a kind of its own.
impl StrategyConfig for WithUnknownTask {
    fn typetag_name(&self) -> &'static str {
        self.network.typetag_name()
    }

    fn typetag_deserialize(&self) {}

    fn data_access(&self) -> DataAccess {
        self.network.data_access().max(self.across.data_access())
    }

    fn accepts_unlike_networks(&self) -> bool {
        self.network.accepts_unlike_networks() && self.across.accepts_unlike_networks()
    }

    fn statistics(&self) -> Vec<Arc<dyn DeviceStatistic>> {
        let mut statistics = self.network.statistics();
        statistics.extend(self.across.statistics());
        statistics
    }

    fn handed_beside(&self, request: &mut BesideRequest<'_>) -> Result<Beside, StrategyError> {
        let mut beside = self.network.handed_beside(request)?;
        let BesideRequest { run, initial, surrogate, compute, seed } = request;
        let run = Self::run(run);
        let surrogate = surrogate.as_mut().map(|surrogate| &mut **surrogate as _);
        let mut own = BesideRequest { run: &run, initial, surrogate, compute, seed: *seed };
        beside.extend(self.across.handed_beside(&mut own)?);
        Ok(beside)
    }

    fn revision(&self) -> Option<Digest> {
        Digest::joined([self.network.revision(), self.across.revision()].into_iter().flatten())
    }

    fn validate(&self, run: &RunDescription) -> Result<(), StrategyError> {
        self.network.validate(run)?;
        let names: Vec<_> = self.network.statistics().iter().map(|statistic| statistic.name().to_owned()).collect();
        if let Some(twice) = self.across.statistics().iter().find(|own| names.iter().any(|name| name == own.name())) {
            return Err(StrategyError::Misfit {
                problem: format!("asks devices for the statistic \"{}\", as its `{UNKNOWN_TASK}` does", twice.name()),
                accepted: format!("an `{UNKNOWN_TASK}` with other statistics"),
            });
        }
        self.across.validate(&Self::run(run)).map_err(|error| match error {
            StrategyError::Option { problem, accepted, option } => StrategyError::Option {
                option: UNKNOWN_TASK,
                problem: format!("has `{option}`, which {problem}"),
                accepted,
            },
            error => error,
        })
    }

    fn build(&self, run: &RunDescription) -> Result<Box<dyn Strategy>, StrategyError> {
        Ok(Box::new(StrategyPair { network: self.network.build(run)?, across: self.across.build(&Self::run(run))? }))
    }

    fn completed(&self, run: &RunDescription) -> Option<Box<dyn StrategyConfig>> {
        let (network, across) = (self.network.completed(run), self.across.completed(&Self::run(run)));
        if network.is_none() && across.is_none() {
            return None;
        }
        let network = network.or_else(|| again(&*self.network))?;
        let across = across.or_else(|| again(&*self.across))?;
        Some(Box::new(WithUnknownTask { network, across }))
    }
}

/// The same configuration once more.
fn again(config: &dyn StrategyConfig) -> Option<Box<dyn StrategyConfig>> {
    serde_json::from_value(serde_json::to_value(config).ok()?).ok()
}

/// Both strategies at work.
#[derive(Debug)]
struct StrategyPair {
    network: Box<dyn Strategy>,
    across: Box<dyn Strategy>,
}

/// The prefix of what the strategy of the classifier across tasks keeps.
const KEPT: &str = "unknown-task";

impl Strategy for StrategyPair {
    fn consolidate(
        &mut self,
        previous: &ModelState,
        expert: &Expert,
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        let previous = previous.clone().without_across();
        let central = self.network.consolidate(&previous, expert, context)?;
        self.across.across(central, &previous, &[expert], context)
    }

    fn consolidate_round(
        &mut self,
        previous: &ModelState,
        experts: &[&Expert],
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        if experts.is_empty() {
            return Ok(previous.clone());
        }
        let previous = previous.clone().without_across();
        let central = self.network.consolidate_round(&previous, experts, context)?;
        self.across.across(central, &previous, experts, context)
    }

    fn handed_out(&self, central: &ModelState) -> Option<ModelState> {
        self.network.handed_out(&central.clone().without_across())
    }

    fn state(&self) -> StrategyState {
        let (mut state, across) = (self.network.state(), self.across.state());
        let values = across.values.into_iter().map(|(name, value)| (format!("{KEPT}.{name}"), value));
        state.values.extend(values);
        state.weights.extend_below(KEPT, across.weights);
        state
    }

    fn restore(&mut self, state: StrategyState) -> Result<(), StrategyError> {
        let prefix = format!("{KEPT}.");
        let mut own = StrategyState { values: Default::default(), weights: state.weights.below(KEPT) };
        let mut network = StrategyState::default();
        for (name, value) in state.values {
            match name.strip_prefix(&prefix) {
                Some(name) => own.values.insert(name.to_owned(), value),
                None => network.values.insert(name, value),
            };
        }
        let weights = state.weights.iter().filter(|(name, _)| !name.starts_with(&prefix));
        network.weights = weights.map(|(name, tensor)| (name.to_owned(), tensor.clone())).collect();
        self.across.restore(own)?;
        self.network.restore(network)
    }
}
