//! One consolidation with its evaluation: a stage.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use alluvium_config::StrategyRow;
use alluvium_evaluate::{evaluate, linear_cka};
use alluvium_model::{Digest, Model, ModelState};
use alluvium_strategy::{DataAccess, StrategyError, StrategyState, TaskDataset};
use alluvium_stream::Task;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::ExperimentError;
use crate::centre::centre::{Centre, STATE, state_digest};
use crate::context::RunContext;
use crate::devices::SharedSetup;
use crate::memory::peak_memory_bytes;
use crate::progress::{Ending, Stage, Steps, Work};
use crate::protocol::IncomingExperts;
use crate::stored::{
    AdaptedDevice, CENTRAL, CentralModel, Computation, Files, HANDED_OUT, Interruption, Latents, identity,
};

/// What was measured during a consolidation, and what leads to the next one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ConsolidationRecord {
    /// The digest of the new central model.
    central: Digest,
    /// The size of the new central model.
    bytes: u64,
    /// What the next device takes, in a file of its own; absent where it takes the central model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    handed_out: Option<HandedOutRecord>,
    /// The digest of the strategy's state.
    state: Digest,
    /// The strategy's state but for its weights.
    values: BTreeMap<String, Value>,
    /// Whether the state has weights, in a file of their own.
    has_weights: bool,
    /// What the centre keeps: the size of the new central model and of the strategy's state.
    pub(crate) stored_bytes: u64,
    pub(crate) steps: u64,
    pub(crate) samples: u64,
    /// How long the consolidation took, in seconds, without the evaluation.
    pub(crate) seconds: f64,
    /// The accuracy on each task that was judged.
    pub(crate) task_aware: Vec<f64>,
    pub(crate) task_agnostic: Vec<f64>,
    /// The similarity with each expert's latents so far, `null` where it is undefined; empty where it was not measured.
    pub(crate) latent_similarity: Vec<Option<f64>>,
    /// The most memory that the process had held when this was measured.
    pub(crate) peak_memory_bytes: Option<u64>,
}

/// A model that is handed out in the central model's place.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct HandedOutRecord {
    digest: Digest,
    bytes: u64,
}

/// What a consolidation leaves at hand: the new central model, and what the next device takes in its place.
struct ModelsAtHand {
    central: Arc<ModelState>,
    handed_out: Option<Arc<ModelState>>,
}

/// The experts that the centre has met.
pub(crate) struct ExpertHistory {
    /// The task and the latents of each, in the order in which they came.
    experts: Vec<(usize, Latents)>,
    /// One digest for all their tasks and experts: keys stay small on long streams.
    chain: Digest,
}

impl ExpertHistory {
    pub(crate) fn nobody() -> Self {
        ExpertHistory { experts: vec![], chain: Digest::of(b"") }
    }

    /// The centre meets the expert of a device.
    pub(crate) fn meet(&mut self, shared: &SharedSetup, device: usize, adapted: &AdaptedDevice) {
        let task = &shared.tasks[device].digest;
        self.chain = Digest::of(format!("{}{task}{}", self.chain, adapted.key()).as_bytes());
        self.experts.push((device, adapted.latents()));
    }

    /// The task of each expert.
    pub(crate) fn tasks(&self) -> impl Iterator<Item = usize> {
        self.experts.iter().map(|(task, _)| *task)
    }

    /// The task of the expert that came last.
    fn last_task(&self) -> Option<usize> {
        self.experts.last().map(|(task, _)| *task)
    }
}

/// What the new central model is judged on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum EvaluationScope {
    /// The task of the expert that came last.
    Last,
    /// The task of each expert so far, and how similar the latents are to the expert's.
    SoFar,
    /// All tasks of the stream.
    Stream,
    /// Nothing.
    Nothing,
}

/// Consolidates the experts that came together, the last that were met, into the centre and judges the new central model.
pub(crate) fn consolidate(
    run: &RunContext<'_>,
    row: &StrategyRow,
    shared: &SharedSetup,
    centre: &mut Centre<'_>,
    arrived: &IncomingExperts,
    met: &ExpertHistory,
    judged: EvaluationScope,
) -> Result<ConsolidationRecord, Interruption> {
    let device = met.last_task().unwrap_or(0);
    let (devices, before) = (shared.tasks.len(), centre.received());
    let work = |stage| Work { row: &row.name, seed: shared.seed, device: device + 1, devices, stage, before };
    let failed = |cause: StrategyError| ExperimentError::Strategy {
        row: row.name.clone(),
        seed: shared.seed,
        device: device + 1,
        cause: Box::new(cause),
    };
    let stage = run.stages.stage(inputs(run, row, shared, centre, arrived, met, judged)?, || {
        run.observer.begins(work(Stage::Consolidating));
        let granted = granted(centre.shown(), shared, met, arrived)?;
        let granted = granted.iter().map(|task| TaskDataset { head: &task.head, samples: &task.train }).collect();
        let started = Instant::now();
        let steps = Steps { observer: run.observer, work: work(Stage::Consolidating) };
        let consolidated = centre.receive(arrived, granted, run.stages, &steps)?.map_err(failed)?;
        let seconds = started.elapsed().as_secs_f64();

        run.observer.begins(work(Stage::Evaluating));
        let central = Model::load(&consolidated.model, &shared.compute)?;
        let scores = judge(run, shared, &central, met, judged)?;
        let digest = identity(&consolidated.model)?;
        let mut files = vec![(CENTRAL, consolidated.model.to_bytes()?)];
        let bytes = size(&files);
        let state = consolidated.state;
        if !state.weights.is_empty() {
            files.push((STATE, state.weights.to_safetensors(Default::default())?));
        }
        // What is handed out follows from the model and the state, so it takes no room at the centre.
        let stored_bytes = size(&files) + values_size(&state);
        let handed_out = consolidated.handed_out.as_deref().map(|model| hand_out(model, &digest, &mut files));
        let record = ConsolidationRecord {
            central: digest,
            bytes,
            handed_out: handed_out.transpose()?.flatten(),
            stored_bytes,
            state: state_digest(&state),
            values: state.values,
            has_weights: !state.weights.is_empty(),
            steps: consolidated.effort.steps,
            samples: consolidated.effort.samples,
            seconds,
            task_aware: scores.task_aware,
            task_agnostic: scores.task_agnostic,
            latent_similarity: scores.latent_similarity,
            peak_memory_bytes: peak_memory_bytes(),
        };
        let at_hand = ModelsAtHand { central: consolidated.model, handed_out: consolidated.handed_out };
        Ok(Computation { record, files, at_hand })
    })?;
    let found = stage.at_hand.is_none();
    run.observer.ends(work(Stage::Consolidating), Ending { seconds: stage.record.seconds, found });
    advance(centre, arrived.experts().len(), stage.key, &stage.record, stage.at_hand);
    Ok(stage.record)
}

/// How good a central model is, task by task.
#[derive(Default)]
struct TaskScores {
    task_aware: Vec<f64>,
    task_agnostic: Vec<f64>,
    latent_similarity: Vec<Option<f64>>,
}

/// Judges a central model.
fn judge(
    run: &RunContext<'_>,
    shared: &SharedSetup,
    central: &Model,
    met: &ExpertHistory,
    judged: EvaluationScope,
) -> Result<TaskScores, Interruption> {
    let mut scores = TaskScores::default();
    let mut judge = |task| -> Result<_, ExperimentError> {
        let found = evaluate(central, &shared.test(task)?);
        scores.task_aware.push(found.task_aware);
        scores.task_agnostic.push(found.task_agnostic);
        Ok(found.latents)
    };
    match judged {
        EvaluationScope::Nothing => {}
        EvaluationScope::Last => met.last_task().map(judge).transpose().map(drop)?,
        EvaluationScope::Stream => (0..shared.tasks.len()).try_for_each(|task| judge(task).map(drop))?,
        EvaluationScope::SoFar => {
            let mut similarity = vec![];
            for (task, latents) in &met.experts {
                similarity.push(linear_cka(&judge(*task)?, &latents.get(run.stages, &shared.compute)?));
            }
            scores.latent_similarity = similarity;
        }
    }
    Ok(scores)
}

/// Moves the centre on to what the stage left.
fn advance(
    centre: &mut Centre<'_>,
    experts: usize,
    key: Digest,
    record: &ConsolidationRecord,
    at_hand: Option<ModelsAtHand>,
) {
    let stored = match &at_hand {
        Some(_) => None,
        None => Some((key.clone(), record.values.clone(), record.has_weights)),
    };
    let (model, handed_out) = at_hand.map_or((None, None), |models| (Some(models.central), models.handed_out));
    let of_stage =
        |HandedOutRecord { digest, bytes }| CentralModel::of_stage(key.clone(), HANDED_OUT, digest, bytes, handed_out);
    let handed_out = record.handed_out.clone().map(of_stage);
    let central = CentralModel::of_stage(key, CENTRAL, record.central.clone(), record.bytes, model);
    centre.advance(experts, central, handed_out, record.state.clone(), stored);
}

/// Adds the file of the model that is handed out, unless that is the central model.
fn hand_out(
    model: &ModelState,
    central: &Digest,
    files: &mut Files,
) -> Result<Option<HandedOutRecord>, ExperimentError> {
    let digest = identity(model)?;
    if digest == *central {
        return Ok(None);
    }
    let bytes = model.to_bytes()?;
    let taken = HandedOutRecord { digest, bytes: bytes.len() as u64 };
    files.push((HANDED_OUT, bytes));
    Ok(Some(taken))
}

fn size(files: &[(&str, Vec<u8>)]) -> u64 {
    files.iter().map(|(_, bytes)| bytes.len() as u64).sum()
}

/// The size of a strategy's state but for its weights, as the record holds it.
fn values_size(state: &StrategyState) -> u64 {
    if state.values.is_empty() { 0 } else { serde_json::to_string(&state.values).map_or(0, |text| text.len() as u64) }
}

/// Everything that the outcome depends on.
fn inputs(
    run: &RunContext<'_>,
    row: &StrategyRow,
    shared: &SharedSetup,
    centre: &Centre<'_>,
    arrived: &IncomingExperts,
    met: &ExpertHistory,
    judged: EvaluationScope,
) -> Result<Value, ExperimentError> {
    let strategy = serde_json::to_value(&row.config).map_err(|error| ExperimentError::Record(error.to_string()))?;
    let experts: Vec<_> = arrived.experts().iter().map(|(_, adapted)| &adapted.record.digest).collect();
    Ok(json!({
        "what": "consolidation",
        "central": centre.central().digest,
        "state": centre.state(),
        "experts": experts,
        "strategy": strategy,
        "surrogate": run.surrogates.get(&row.name),
        "heads": centre.heads(),
        "met": met.chain,
        "judged": judged,
        "seed": shared.seed,
        "index": centre.received(),
    }))
}

/// The tasks whose samples a strategy is given that is shown data of this kind, those of the experts that came last at the end.
fn granted(
    shown: DataAccess,
    shared: &SharedSetup,
    met: &ExpertHistory,
    arrived: &IncomingExperts,
) -> Result<Vec<Task>, ExperimentError> {
    let first = match shown {
        DataAccess::None | DataAccess::Surrogate => return Ok(vec![]),
        DataAccess::CurrentTask => met.experts.len() - arrived.experts().len(),
        DataAccess::AllTasks => 0,
    };
    met.experts[first..].iter().map(|(task, _)| shared.task(*task)).collect()
}
