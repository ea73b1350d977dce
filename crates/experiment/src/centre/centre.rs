//! The centre: it hands out its model and takes in experts. It sees nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use alluvium_config::StrategyRow;
use alluvium_device::Beside;
use alluvium_model::{Digest, Expert, ModelState, Progress, Seed, Weights};
use alluvium_strategy::{
    Context, DataAccess, Effort, RunDescription, Strategy, StrategyError, StrategyState, Surrogate, TaskDataset,
};
use burn::tensor::Device as Compute;
use serde_json::Value;

use crate::devices::SharedHeads;
use crate::protocol::{GrantedAccess, IncomingExperts};
use crate::stored::{CentralModel, Interruption, Stages};

pub(crate) const STATE: &str = "state.safetensors";

/// The centre of one cell.
///
/// It cannot reach a device or the stream. Experts come in through [`receive`](Self::receive). Samples come in only through
/// `granted`, which the runner fills with what the protocol grants. Its row is that of the whole cell.
pub(crate) struct Centre {
    /// What the strategy is told about the run.
    run: RunDescription,
    strategy: Box<dyn Strategy>,
    shown: GrantedAccess,
    surrogate: Option<Box<dyn Surrogate>>,
    /// The heads of every model that is handed out, where devices are under way together and share heads.
    heads: Option<Arc<SharedHeads>>,
    central: CentralModel,
    /// The model that the next device takes, if it is not the central model.
    handed_out: Option<CentralModel>,
    state: State,
    received: usize,
    /// What is handed out beside the model.
    beside: Arc<Beside>,
    compute: Compute,
    seed: Seed,
}

/// What the strategy keeps between devices.
struct State {
    digest: Digest,
    /// Where the state is stored, if the running strategy does not have it yet because the stage was found, not computed.
    stored: Option<(Digest, BTreeMap<String, Value>, bool)>,
}

/// The output of a consolidation.
pub(crate) struct ConsolidationOutput {
    pub(crate) model: Arc<ModelState>,
    /// The model that the next device takes, if it is not the central model.
    pub(crate) handed_out: Option<Arc<ModelState>>,
    pub(crate) state: StrategyState,
    pub(crate) effort: Effort,
    /// What people should know about it.
    pub(crate) notes: Vec<String>,
}

/// What a centre begins with.
pub(crate) struct CentreStart {
    /// The model before the first device.
    pub(crate) initial: CentralModel,
    /// The heads of every model that is handed out, where devices are under way together and share heads.
    pub(crate) heads: Option<Arc<SharedHeads>>,
    /// What is handed out beside the model.
    pub(crate) beside: Arc<Beside>,
    /// The compute device.
    pub(crate) compute: Compute,
    /// The cell's seed.
    pub(crate) seed: Seed,
}

impl Centre {
    /// A centre that has received nothing yet. It is not given the stream, nor the experiment, which could build one.
    pub(crate) fn new(
        row: &StrategyRow,
        run: RunDescription,
        surrogate: Option<Box<dyn Surrogate>>,
        shown: GrantedAccess,
        start: CentreStart,
    ) -> Result<Self, StrategyError> {
        let CentreStart { initial: central, heads, beside, compute, seed } = start;
        let strategy = row.config.build(&run)?;
        let state = State { digest: state_digest(&strategy.state()), stored: None };
        let handed_out = heads.as_ref().map(|heads| heads.initial.clone());
        let received = 0;
        Ok(Centre {
            run,
            strategy,
            shown,
            surrogate,
            heads,
            central,
            handed_out,
            state,
            received,
            beside,
            compute,
            seed,
        })
    }

    /// The central model.
    pub(crate) fn central(&self) -> &CentralModel {
        &self.central
    }

    /// The model that a device takes at its first contact. It is the central model, unless the strategy hands out another one or
    /// the devices must begin from heads that the central model lacks.
    pub(crate) fn handed_out(&self) -> &CentralModel {
        self.handed_out.as_ref().unwrap_or(&self.central)
    }

    /// The data that the strategy sees.
    pub(crate) fn shown(&self) -> DataAccess {
        self.shown.access()
    }

    /// The digest of what the strategy keeps between devices.
    pub(crate) fn state(&self) -> &Digest {
        &self.state.digest
    }

    /// The digest of the heads that the centre adds to models that it hands out, if it adds any.
    pub(crate) fn heads(&self) -> Option<&Digest> {
        self.heads.as_ref().map(|heads| &heads.digest)
    }

    /// The number of experts that were consolidated.
    pub(crate) fn received(&self) -> usize {
        self.received
    }

    /// Consolidates experts that come together. The output takes effect only with [`advance`](Self::advance).
    pub(crate) fn receive(
        &mut self,
        row: &StrategyRow,
        arrived: &IncomingExperts,
        granted: Vec<TaskDataset<'_>>,
        stages: &Stages<'_>,
        progress: &dyn Progress,
    ) -> Result<Result<ConsolidationOutput, StrategyError>, Interruption> {
        let experts = arrived.experts().iter().map(|(_, expert)| expert.expert(stages));
        let experts = experts.collect::<Result<Vec<_>, _>>()?;
        let previous = self.central.load(stages)?;
        if let Some((key, values, has_weights)) = &self.state.stored {
            let weights = if *has_weights {
                stages.file(key, STATE, |bytes| {
                    Weights::from_safetensors(bytes).map(|(weights, _)| weights).map_err(|error| error.to_string())
                })?
            } else {
                Weights::new()
            };
            let state = StrategyState { values: values.clone(), weights };
            let restored = row.config.build(&self.run).and_then(|mut strategy| {
                strategy.restore(state)?;
                Ok(strategy)
            });
            match restored {
                Ok(strategy) => self.strategy = strategy,
                Err(error) => return Ok(Err(error)),
            }
            self.state.stored = None;
        }
        let experts: Vec<_> = experts.iter().map(AsRef::as_ref).collect();
        Ok(self.consolidate(&previous, &experts, granted, progress))
    }

    fn consolidate(
        &mut self,
        previous: &ModelState,
        experts: &[&Expert],
        granted: Vec<TaskDataset<'_>>,
        progress: &dyn Progress,
    ) -> Result<ConsolidationOutput, StrategyError> {
        let mut context = Context::new(&self.compute, self.seed, self.received).with_progress(progress);
        if let Some(surrogate) = &mut self.surrogate {
            context = context.with_surrogate(surrogate.as_mut());
        }
        context = context.with_tasks(granted).with_beside(&self.beside);
        let model = self.strategy.consolidate_round(previous, experts, &mut context)?;
        let (effort, notes) = (context.effort(), context.notes().to_vec());
        // Devices adapt the network. The classifier across tasks stays at the centre.
        let network = || model.across.is_some().then(|| model.clone().without_across());
        let handed_out = self.strategy.handed_out(&model).or_else(network);
        let with_heads = self.heads.as_ref().and_then(|heads| heads.added_to(handed_out.as_ref().unwrap_or(&model)));
        let handed_out = with_heads.or(handed_out).map(Arc::new);
        Ok(ConsolidationOutput { model: model.into(), handed_out, state: self.strategy.state(), effort, notes })
    }

    /// Moves on to the output of a consolidation; `experts` is the number of its experts. `stored` says where the strategy's
    /// state is stored and whether it has weights. It is `None` if the running strategy has that state.
    pub(crate) fn advance(
        &mut self,
        experts: usize,
        central: CentralModel,
        handed_out: Option<CentralModel>,
        state: Digest,
        stored: Option<(Digest, BTreeMap<String, Value>, bool)>,
    ) {
        self.central = central;
        self.handed_out = handed_out;
        self.state = State { digest: state, stored };
        self.received += experts;
    }
}

/// The digest of what a strategy keeps between devices.
pub(crate) fn state_digest(state: &StrategyState) -> Digest {
    let values = serde_json::to_string(&state.values).unwrap_or_default();
    Digest::of(format!("{values} {}", state.weights.digest()).as_bytes())
}
