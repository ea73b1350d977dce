//! A consolidation with its evaluation, as one stage.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use alluvium_config::StrategyRow;
use alluvium_evaluate::{evaluate, linear_cka};
use alluvium_model::{Answers, Digest, Model, ModelState};
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

/// What a consolidation measured, and what the next one needs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ConsolidationRecord {
    /// The digest of the new central model.
    central: Digest,
    /// The size of the new central model.
    bytes: u64,
    /// The model that the next device takes, stored in a separate file; absent where it takes the central model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    handed_out: Option<HandedOutRecord>,
    /// The digest of the strategy's state.
    state: Digest,
    /// The strategy's state without its weights.
    values: BTreeMap<String, Value>,
    /// Whether the state has weights, stored in a separate file.
    has_weights: bool,
    /// The bytes that the centre keeps: the new central model and the strategy's state.
    pub(crate) stored_bytes: u64,
    pub(crate) steps: u64,
    pub(crate) samples: u64,
    /// The seconds that the consolidation took, without the evaluation.
    pub(crate) seconds: f64,
    /// The accuracy on each task that was judged.
    pub(crate) task_aware: Vec<f64>,
    pub(crate) task_agnostic: Vec<f64>,
    /// The similarity with the latents of each expert so far; `null` where it is undefined, empty where it was not measured.
    pub(crate) latent_similarity: Vec<Option<f64>>,
    /// The accuracy on each test set that no task has; empty where it was not measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) further: Vec<f64>,
    /// When the classifier across tasks of the new central model answers; absent if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) answers: Option<Answers>,
    /// What people should know about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) notes: Vec<String>,
    /// The peak memory of the process up to this moment.
    pub(crate) peak_memory_bytes: Option<u64>,
}

/// A model that is handed out instead of the central model.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct HandedOutRecord {
    digest: Digest,
    bytes: u64,
}

/// The models of a computed consolidation, in memory: the new central model, and the model that is handed out instead of it.
struct ModelsAtHand {
    central: Arc<ModelState>,
    handed_out: Option<Arc<ModelState>>,
}

/// The experts that the centre has received.
pub(crate) struct ExpertHistory {
    /// The task and the latents of each expert, in the order of arrival.
    experts: Vec<(usize, Latents)>,
    /// One digest of all their tasks and experts, so that keys stay small on long streams.
    chain: Digest,
}

impl ExpertHistory {
    pub(crate) fn empty() -> Self {
        ExpertHistory { experts: vec![], chain: Digest::of(b"") }
    }

    /// Adds the expert of a device.
    pub(crate) fn add(&mut self, shared: &SharedSetup, device: usize, adapted: &AdaptedDevice) {
        let task = &shared.tasks[device].digest;
        self.chain = Digest::of(format!("{}{task}{}", self.chain, adapted.key()).as_bytes());
        self.experts.push((device, adapted.latents()));
    }

    /// The task of each expert.
    pub(crate) fn tasks(&self) -> impl Iterator<Item = usize> {
        self.experts.iter().map(|(task, _)| *task)
    }

    /// The task of the latest expert.
    fn last_task(&self) -> Option<usize> {
        self.experts.last().map(|(task, _)| *task)
    }
}

/// The tasks on which the new central model is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum EvaluationScope {
    /// The task of the latest expert.
    Last,
    /// The task of each expert so far. The similarity to each expert's latents is measured, too.
    SoFar,
    /// All tasks of the stream.
    Stream,
    /// Nothing.
    Nothing,
}

/// Consolidates the experts that came together into the centre, and judges the new central model. They are the latest of
/// `history`.
pub(crate) fn consolidate(
    run: &RunContext<'_>,
    row: &StrategyRow,
    shared: &SharedSetup,
    centre: &mut Centre,
    arrived: &IncomingExperts,
    history: &ExpertHistory,
    judged: EvaluationScope,
) -> Result<ConsolidationRecord, Interruption> {
    let device = history.last_task().unwrap_or(0);
    let (devices, before) = (shared.tasks.len(), centre.received());
    let work = |stage| Work { row: &row.name, seed: shared.seed, device: device + 1, devices, stage, before };
    let failed = |cause: StrategyError| ExperimentError::Strategy {
        row: row.name.clone(),
        seed: shared.seed,
        device: device + 1,
        cause: Box::new(cause),
    };
    let stage = run.stages.stage(inputs(run, row, shared, centre, arrived, history, judged)?, || {
        run.observer.begins(work(Stage::Consolidating));
        let granted = granted(centre.shown(), shared, history, arrived)?;
        let granted = granted.iter().map(|task| TaskDataset { head: &task.head, samples: &task.train }).collect();
        let started = Instant::now();
        let steps = Steps { observer: run.observer, work: work(Stage::Consolidating) };
        let consolidated = centre.receive(row, arrived, granted, run.stages, &steps)?.map_err(failed)?;
        let seconds = started.elapsed().as_secs_f64();

        run.observer.begins(work(Stage::Evaluating));
        let central = Model::load(&consolidated.model, &shared.compute)?;
        let scores = judge(run, shared, &central, history, judged)?;
        let digest = identity(&consolidated.model)?;
        let mut files = vec![(CENTRAL, consolidated.model.to_bytes()?)];
        let bytes = size(&files);
        let state = consolidated.state;
        if !state.weights.is_empty() {
            files.push((STATE, state.weights.to_safetensors(Default::default())?));
        }
        // The model that is handed out follows from the central model and the state, so the centre need not keep it.
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
            further: scores.further,
            answers: consolidated.model.across.as_ref().map(|across| across.answers),
            notes: consolidated.notes,
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

/// The scores of a central model, task by task.
#[derive(Default)]
struct TaskScores {
    task_aware: Vec<f64>,
    task_agnostic: Vec<f64>,
    latent_similarity: Vec<Option<f64>>,
    further: Vec<f64>,
}

/// Judges a central model.
fn judge(
    run: &RunContext<'_>,
    shared: &SharedSetup,
    central: &Model,
    history: &ExpertHistory,
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
        EvaluationScope::Last => history.last_task().map(judge).transpose().map(drop)?,
        EvaluationScope::Stream => (0..shared.tasks.len()).try_for_each(|task| judge(task).map(drop))?,
        EvaluationScope::SoFar => {
            let mut similarity = vec![];
            for (task, latents) in &history.experts {
                similarity.push(linear_cka(&judge(*task)?, &latents.get(run.stages, &shared.compute)?));
            }
            scores.latent_similarity = similarity;
        }
    }
    if matches!(judged, EvaluationScope::Stream | EvaluationScope::SoFar) {
        scores.further = shared.further.judge(central);
    }
    Ok(scores)
}

/// Moves the centre on to the output of the stage.
fn advance(
    centre: &mut Centre,
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

/// Adds the file of the model that is handed out, unless it equals the central model.
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

/// The size of a strategy's state without its weights, as the record holds it.
fn values_size(state: &StrategyState) -> u64 {
    if state.values.is_empty() { 0 } else { serde_json::to_string(&state.values).map_or(0, |text| text.len() as u64) }
}

/// Everything that the result depends on.
fn inputs(
    run: &RunContext<'_>,
    row: &StrategyRow,
    shared: &SharedSetup,
    centre: &Centre,
    arrived: &IncomingExperts,
    history: &ExpertHistory,
    judged: EvaluationScope,
) -> Result<Value, ExperimentError> {
    let strategy = serde_json::to_value(&row.config).map_err(|error| ExperimentError::Record(error.to_string()))?;
    let experts: Vec<_> = arrived.experts().iter().map(|(_, adapted)| &adapted.record.digest).collect();
    let mut inputs = json!({
        "what": "consolidation",
        "central": centre.central().digest,
        "state": centre.state(),
        "experts": experts,
        "strategy": strategy,
        "surrogate": run.inputs.surrogates.get(&row.name),
        "heads": centre.heads(),
        "met": history.chain,
        "judged": judged,
        "seed": shared.seed,
        "index": centre.received(),
    });
    if let Some(revision) = row.config.revision() {
        inputs["revision"] = json!(revision);
    }
    if !shared.further.is_empty() {
        inputs["further"] = json!(shared.further.digests());
    }
    Ok(inputs)
}

/// The tasks whose samples a strategy with this data access is given. Those of the latest experts come last.
fn granted(
    shown: DataAccess,
    shared: &SharedSetup,
    history: &ExpertHistory,
    arrived: &IncomingExperts,
) -> Result<Vec<Task>, ExperimentError> {
    let first = match shown {
        DataAccess::None | DataAccess::Surrogate => return Ok(vec![]),
        DataAccess::CurrentTask => history.experts.len() - arrived.experts().len(),
        DataAccess::AllTasks => 0,
    };
    history.experts[first..].iter().map(|(task, _)| shared.task(*task)).collect()
}
