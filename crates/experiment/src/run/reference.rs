//! The reference rows: each device alone, and joint training on all data.

use std::time::Instant;

use alluvium_device::{ClassificationLoss, TaskDataset, train};
use alluvium_evaluate::evaluate;
use alluvium_model::Model;
use alluvium_results::{Accuracy, Cell, EarlyAccuracy, FurtherAccuracy, FurtherStep};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::ExperimentError;
use crate::context::RunContext;
use crate::devices::SharedSetup;
use crate::memory::peak_memory_bytes;
use crate::progress::{Ending, Stage, Steps, Work};
use crate::stored::{AdaptedDevice, Computation, Interruption, redo};

/// Each device alone: adapted from the initial weights, judged on its own task.
pub(crate) fn devices_alone(shared: &SharedSetup, alone: &[AdaptedDevice], budgets: &[f64]) -> Cell {
    let seed = shared.seed;
    let accuracy: Vec<_> = alone.iter().filter_map(|device| device.record.accuracy).collect();
    let mut cell = Cell::new(seed, Accuracy::Final { task_aware: accuracy.clone(), task_agnostic: None });
    cell.expert_accuracy = accuracy;
    let early = |(index, budget): (usize, &f64)| EarlyAccuracy {
        budget: *budget,
        accuracy: alone.iter().map(|device| device.early[index]).collect(),
        alone: vec![],
    };
    cell.early_accuracy = budgets.iter().enumerate().map(early).collect();
    let elsewhere: Vec<_> = alone.iter().filter_map(|device| device.elsewhere.as_ref()).collect();
    cell.accuracy_elsewhere = elsewhere.iter().filter_map(|elsewhere| elsewhere.tasks).collect();
    let further = |(index, name): (usize, &str)| FurtherAccuracy {
        devices: elsewhere.iter().map(|elsewhere| elsewhere.further[index]).collect(),
        ..FurtherAccuracy::new(name.to_owned())
    };
    cell.further_accuracy = shared.further.names().enumerate().map(further).collect();
    cell.device_seconds = alone.iter().map(|device| device.record.seconds).collect();
    cell.seconds = cell.device_seconds.iter().sum();
    cell
}

/// The measurements of joint training.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct JointRecord {
    task_aware: Vec<f64>,
    task_agnostic: Vec<f64>,
    /// The accuracy on each test set that no task has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    further: Vec<f64>,
    seconds: f64,
    peak_memory_bytes: Option<u64>,
}

/// Joint training: one model learns all tasks at once with the devices' settings. The loss decides whether the heads of other
/// tasks compete for a sample.
///
/// It sees every device's data as often as the device itself does. No protocol grants that; it is for comparison.
pub(crate) fn joint(
    run: &RunContext<'_>,
    row: &str,
    shared: &SharedSetup,
    loss: ClassificationLoss,
) -> Result<Cell, ExperimentError> {
    let record = redo(|| joint_stage(run, row, shared, loss))?;
    let JointRecord { task_aware, task_agnostic, .. } = record.clone();
    let mut cell = Cell::new(shared.seed, Accuracy::Final { task_aware, task_agnostic: Some(task_agnostic) });
    let further = |(name, accuracy): (&str, &f64)| FurtherAccuracy {
        steps: vec![FurtherStep { experts: shared.tasks.len(), accuracy: *accuracy }],
        ..FurtherAccuracy::new(name.to_owned())
    };
    cell.further_accuracy = shared.further.names().zip(&record.further).map(further).collect();
    cell.seconds = record.seconds;
    cell.peak_memory_bytes = record.peak_memory_bytes;
    Ok(cell)
}

fn joint_stage(
    run: &RunContext<'_>,
    row: &str,
    shared: &SharedSetup,
    loss: ClassificationLoss,
) -> Result<JointRecord, Interruption> {
    let devices = shared.tasks.len();
    let work = Work { row, seed: shared.seed, device: devices, devices, stage: Stage::Adapting, before: 0 };
    let settings = run.experiment.device.training();
    let settings =
        settings.ok_or_else(|| ExperimentError::Record("joint training needs devices that train here".to_owned()))?;
    let devices_of_run = run.experiment.device.as_ref();
    let digest = |index| Ok(shared.announced(run, row, devices_of_run, index)?.digest);
    let tasks = (0..devices).map(digest).collect::<Result<Vec<_>, ExperimentError>>()?;
    let mut inputs = json!({
        "what": "joint training",
        "central": shared.initial.digest,
        "tasks": tasks,
        "tests": shared.tasks.iter().map(|task| &task.digest).collect::<Vec<_>>(),
        "device": settings,
        "loss": loss,
        "seed": shared.seed,
    });
    if !shared.further.is_empty() {
        inputs["further"] = json!(shared.further.digests());
    }
    let stage = run.stages.stage(inputs, || {
        run.observer.begins(work);
        let started = Instant::now();
        let learning = shared.compute.clone().autodiff();
        let mut state = shared.initial.load(run.stages)?.as_ref().clone();
        let latent_size = state.backbone.build(state.input, &shared.compute)?.latent_size();
        let tasks = (0..devices).map(|index| shared.task(index)).collect::<Result<Vec<_>, _>>()?;
        for task in &tasks {
            state.grow_head(&task.head, latent_size, shared.root);
        }
        let mut model = Model::load(&state, &learning)?;
        let datasets: Vec<_> =
            tasks.iter().map(|task| TaskDataset { head: &task.head, samples: &task.train }).collect();
        let seed = shared.root.of("joint training");
        train(loss, &mut model, &datasets, settings, &learning, seed, &Steps { observer: run.observer, work })?;
        let seconds = started.elapsed().as_secs_f64();

        let trained = Model::load(&model.state(), &shared.compute)?;
        let judge = |index| Ok(evaluate(&trained, &shared.test(index)?));
        let scores = (0..devices).map(judge).collect::<Result<Vec<_>, ExperimentError>>()?;
        let record = JointRecord {
            task_aware: scores.iter().map(|score| score.task_aware).collect(),
            task_agnostic: scores.iter().map(|score| score.task_agnostic).collect(),
            further: shared.further.judge(&trained),
            seconds,
            peak_memory_bytes: peak_memory_bytes(),
        };
        Ok(Computation { record, files: vec![], at_hand: () })
    })?;
    run.observer.ends(work, Ending { seconds: stage.record.seconds, found: stage.at_hand.is_none() });
    Ok(stage.record)
}
