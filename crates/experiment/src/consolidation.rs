//! One consolidation with its evaluation: a stage.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use alluvium_evaluate::{evaluate, linear_cka};
use alluvium_model::{Digest, Model, ModelState};
use alluvium_strategy::{DataAccess, StrategyError, TaskData};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::adapted::{Adapted, Latents};
use crate::central::{CENTRAL, Central, identity};
use crate::centre::{Centre, STATE, state_digest};
use crate::measure::peak_memory_bytes;
use crate::observe::Steps;
use crate::run::Run;
use crate::shared::Shared;
use crate::stages::{Computed, Interruption};
use crate::{Ending, ExperimentError, Stage, StrategyRow, Work};

/// What was measured during a consolidation, and what leads to the next one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ConsolidationRecord {
    /// The digest of the new central model.
    central: Digest,
    /// The size of the new central model.
    bytes: u64,
    /// The digest of the strategy's state.
    state: Digest,
    /// The strategy's state but for its weights.
    values: BTreeMap<String, Value>,
    /// Whether the state has weights, in a file of their own.
    has_weights: bool,
    pub(crate) steps: u64,
    pub(crate) samples: u64,
    /// How long the consolidation took, in seconds, without the evaluation.
    pub(crate) seconds: f64,
    /// The accuracy on each task so far.
    pub(crate) task_aware: Vec<f64>,
    pub(crate) task_agnostic: Vec<f64>,
    /// The similarity with each expert's latents so far; `null` where it is undefined.
    pub(crate) latent_similarity: Vec<Option<f64>>,
    /// The most memory that the process had held when this was measured.
    pub(crate) peak_memory_bytes: Option<u64>,
}

/// Consolidates one device's expert into the centre and judges the new central model on all tasks so far.
pub(crate) fn consolidate(
    run: &Run<'_>,
    row: &StrategyRow,
    shared: &Shared,
    centre: &mut Centre<'_>,
    adapted: &Adapted,
    latents: &mut [Latents],
) -> Result<ConsolidationRecord, Interruption> {
    let device = latents.len() - 1;
    let work =
        |stage| Work { row: &row.name, seed: shared.seed, device: device + 1, devices: shared.tasks.len(), stage };
    let failed = |cause: StrategyError| ExperimentError::Strategy {
        row: row.name.clone(),
        seed: shared.seed,
        device: device + 1,
        cause: Box::new(cause),
    };
    let stage = run.stages.stage(inputs(run, row, shared, centre, adapted, latents)?, || {
        run.observer.begins(work(Stage::Consolidating));
        let expert = adapted.expert(run.stages)?;
        let granted = granted(row.config.data_access(), shared, device);
        let started = Instant::now();
        let steps = Steps { observer: run.observer, work: work(Stage::Consolidating) };
        let consolidated = centre.receive(&expert, granted, run.stages, &steps)?.map_err(failed)?;
        let seconds = started.elapsed().as_secs_f64();

        run.observer.begins(work(Stage::Evaluating));
        let central = Model::load(&consolidated.model, &shared.compute)?;
        let scores: Vec<_> = shared.tests[..=device].iter().map(|test| evaluate(&central, test)).collect();
        let mut latent_similarity = vec![];
        for (score, expert) in scores.iter().zip(latents) {
            latent_similarity.push(linear_cka(&score.latents, expert.get(run.stages, &shared.compute)?));
        }
        let bytes = consolidated.model.to_bytes()?;
        let state = consolidated.state;
        let record = ConsolidationRecord {
            central: identity(&consolidated.model)?,
            bytes: bytes.len() as u64,
            state: state_digest(&state),
            values: state.values,
            has_weights: !state.weights.is_empty(),
            steps: consolidated.effort.steps,
            samples: consolidated.effort.samples,
            seconds,
            task_aware: scores.iter().map(|score| score.task_aware).collect(),
            task_agnostic: scores.iter().map(|score| score.task_agnostic).collect(),
            latent_similarity,
            peak_memory_bytes: peak_memory_bytes(),
        };
        let mut files = vec![(CENTRAL, bytes)];
        if record.has_weights {
            files.push((STATE, state.weights.to_safetensors(Default::default())?));
        }
        Ok(Computed { record, files, at_hand: consolidated.model })
    })?;
    let found = stage.at_hand.is_none();
    run.observer.ends(work(Stage::Consolidating), Ending { seconds: stage.record.seconds, found });
    advance(centre, stage.key, &stage.record, stage.at_hand);
    Ok(stage.record)
}

/// Moves the centre on to what the stage left.
fn advance(centre: &mut Centre<'_>, key: Digest, record: &ConsolidationRecord, model: Option<Arc<ModelState>>) {
    let stored = match &model {
        Some(_) => None,
        None => Some((key.clone(), record.values.clone(), record.has_weights)),
    };
    let central = Central::of_stage(key, record.central.clone(), record.bytes, model);
    centre.advance(central, record.state.clone(), stored);
}

/// Everything that the outcome depends on.
fn inputs(
    run: &Run<'_>,
    row: &StrategyRow,
    shared: &Shared,
    centre: &Centre<'_>,
    adapted: &Adapted,
    latents: &[Latents],
) -> Result<Value, ExperimentError> {
    let device = latents.len() - 1;
    let strategy = serde_json::to_value(&row.config).map_err(|error| ExperimentError::Record(error.to_string()))?;
    let surrogate = (row.config.data_access() >= DataAccess::Surrogate).then_some(&run.surrogate);
    // One digest for the tasks and one for the experts so far: keys stay small on long streams.
    let chain = |digests: &mut dyn Iterator<Item = &Digest>| {
        digests.fold(Digest::of(b""), |chain, next| Digest::of(format!("{chain}{next}").as_bytes()))
    };
    Ok(json!({
        "what": "consolidation",
        "central": centre.central().digest,
        "state": centre.state(),
        "expert": adapted.record.digest,
        "strategy": strategy,
        "surrogate": surrogate,
        "tasks": chain(&mut shared.digests[..=device].iter()),
        "experts": chain(&mut latents.iter().map(Latents::key)),
        "seed": shared.seed,
        "index": device,
    }))
}

/// The samples that a strategy of this data access is given; the protocol was asked before the run.
fn granted(access: DataAccess, shared: &Shared, device: usize) -> Vec<TaskData<'_>> {
    let first = match access {
        DataAccess::None | DataAccess::Surrogate => return vec![],
        DataAccess::CurrentTask => device,
        DataAccess::AllTasks => 0,
    };
    let tasks = shared.tasks[first..=device].iter();
    tasks.map(|task| TaskData { head: &task.head, samples: &task.train }).collect()
}
