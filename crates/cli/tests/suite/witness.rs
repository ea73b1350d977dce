//! A strategy that observes the centre: it records every model and every expert that it sees, and what data it can reach.
//!
//! The digest of an expert's parent tells it which model the device took. It does not know the boundary, which counts for the
//! results.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use alluvium_model::{Digest, Expert, ModelState};
use alluvium_strategy::{
    Context, DataAccess, DeviceStatistic, RunDescription, Strategy, StrategyConfig, StrategyError, options, plugin,
};

/// Keeps the newest expert, and records everything that it sees under the name of its case.
#[options]
struct WitnessConfig {
    /// The name of the case.
    case: String,
    /// The data that it asks for.
    #[default(DataAccess::None)]
    wants: DataAccess,
    /// Whether devices compute a statistic for it.
    statistic: bool,
    /// Whether it hands out the central model without its heads.
    hands_out: bool,
    /// How often it says what it wants before it wants everything; absent: always.
    honest: Option<usize>,
    /// How often it was asked.
    #[state]
    asked: Arc<AtomicUsize>,
}

#[plugin(kind = "witness")]
impl StrategyConfig for WitnessConfig {
    fn data_access(&self) -> DataAccess {
        let before = self.asked.fetch_add(1, Ordering::Relaxed);
        if self.honest.is_some_and(|times| before >= times) { DataAccess::AllTasks } else { self.wants }
    }

    fn statistics(&self) -> Vec<Arc<dyn DeviceStatistic>> {
        if !self.statistic {
            return vec![];
        }
        let other: Box<dyn StrategyConfig> =
            serde_json::from_value(serde_json::json!({"kind": "fisher-merging"})).unwrap();
        other.statistics()
    }

    fn build(&self, _run: &RunDescription) -> Result<Box<dyn Strategy>, StrategyError> {
        Ok(Box::new(Witness { case: self.case.clone(), hands_out: self.hands_out }))
    }
}

#[derive(Debug)]
struct Witness {
    case: String,
    hands_out: bool,
}

/// What a witness has recorded.
#[derive(Debug, Default)]
pub struct Observations {
    /// The central models, the initial one first.
    pub centres: Vec<ModelState>,
    /// The task and the size of each expert, and the digest of the model that its device took.
    pub experts: Vec<(usize, u64, Digest)>,
    /// The digest of each expert's weights.
    pub weights: BTreeSet<Digest>,
    /// The number of experts in each consolidation.
    pub rounds: Vec<usize>,
    /// The number of experts with a statistic.
    pub with_statistics: usize,
    /// Consolidations in which samples of a device could be reached, and those with surrogate data.
    pub with_samples: usize,
    pub with_surrogate: usize,
}

pub static SEEN: Mutex<BTreeMap<String, Observations>> = Mutex::new(BTreeMap::new());

/// The size of a model that is sent.
pub fn size(model: &ModelState) -> u64 {
    model.to_bytes().unwrap().len() as u64
}

impl Strategy for Witness {
    fn consolidate(
        &mut self,
        previous: &ModelState,
        expert: &Expert,
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        self.consolidate_round(previous, &[expert], context)
    }

    fn consolidate_round(
        &mut self,
        previous: &ModelState,
        experts: &[&Expert],
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        let mut all = SEEN.lock().unwrap();
        let seen = all.entry(self.case.clone()).or_default();
        seen.centres.push(previous.clone());
        seen.rounds.push(experts.len());
        seen.with_surrogate += usize::from(context.surrogate_samples().is_ok());
        seen.with_samples += usize::from(context.current_task().is_ok() || context.all_tasks().is_ok());
        let mut central = previous.clone();
        for expert in experts {
            let bytes = expert.to_bytes().unwrap().len() as u64;
            seen.experts.push((expert.manifest.task, bytes, expert.manifest.parent.clone()));
            seen.weights.insert(expert.model.digest());
            seen.with_statistics += usize::from(!expert.manifest.statistics.is_empty());
            central = central.with_backbone_weights(expert.model.backbone_weights());
            central.set_head(expert.head().clone(), expert.model.head_weights(expert.head()));
        }
        seen.centres.push(central.clone());
        Ok(central)
    }

    fn handed_out(&self, central: &ModelState) -> Option<ModelState> {
        self.hands_out.then(|| without_heads(central))
    }
}

pub fn without_heads(model: &ModelState) -> ModelState {
    model.with_heads(|_| false)
}
