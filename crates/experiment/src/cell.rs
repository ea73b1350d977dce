//! One cell of the comparison: one strategy under one seed, over the whole stream.

use std::time::Instant;

use alluvium_evaluate::{evaluate, linear_cka};
use alluvium_model::Model;
use alluvium_results::{Accuracy, AccuracyMatrix, Cell};
use alluvium_strategy::{DataAccess, StrategyError, TaskData};

use crate::centre::Centre;
use crate::measure::peak_memory_bytes;
use crate::observe::Steps;
use crate::shared::{Adapted, Shared};
use crate::{Experiment, ExperimentError, Observer, Stage, StrategyRow, Work};

/// Runs the stream of devices against one strategy. `first` is the first device, which all strategies share.
pub(crate) fn run_cell(
    experiment: &Experiment,
    row: &StrategyRow,
    shared: &Shared,
    first: &Adapted,
    observer: &dyn Observer,
) -> Result<Cell, ExperimentError> {
    let devices = shared.tasks.len();
    let work = |device: usize, stage| Work { row: &row.name, seed: shared.seed, device: device + 1, devices, stage };
    let failed = |device: usize| {
        move |cause: StrategyError| ExperimentError::Strategy {
            row: row.name.clone(),
            seed: shared.seed,
            device: device + 1,
            cause: Box::new(cause),
        }
    };

    let surrogate = experiment.surrogate.as_ref().map(|surrogate| surrogate.build()).transpose();
    let surrogate = surrogate.map_err(|cause| failed(0)(cause.into()))?;
    let strategy = row.config.build().map_err(failed(0))?;
    let access = row.config.data_access();
    let mut centre = Centre::new(strategy, access, surrogate, shared.initial.clone(), &shared.compute, shared.root);

    let mut task_aware = AccuracyMatrix::new();
    let mut task_agnostic = AccuracyMatrix::new();
    let mut cell = Cell::new(
        shared.seed,
        Accuracy::Stream { task_aware: AccuracyMatrix::new(), task_agnostic: AccuracyMatrix::new() },
    );
    let mut expert_latents = vec![];
    let mut similarities = vec![];
    for device in 0..devices {
        // First contact: the device takes the central model. The first one meets the initial weights, whatever the
        // strategy, so it was adapted once for all of them.
        cell.bytes_down.push(centre.model().to_bytes()?.len() as u64);
        let adapted = match device {
            0 => first.clone(),
            _ => shared.adapt(experiment, &row.name, device, centre.model(), observer)?,
        };
        cell.seconds += adapted.seconds;
        cell.expert_accuracy.push(adapted.accuracy);
        expert_latents.push(adapted.latents);

        // Second contact: the device sends its expert.
        cell.bytes_up.push(adapted.expert.to_bytes()?.len() as u64);
        let consolidating = work(device, Stage::Consolidating);
        observer.begins(consolidating);
        let started = Instant::now();
        let granted = granted(access, shared, device);
        let effort = centre.receive(&adapted.expert, granted, &Steps { observer, work: consolidating });
        let effort = effort.map_err(failed(device))?;
        cell.seconds += started.elapsed().as_secs_f64();
        cell.consolidation_steps.push(effort.steps);
        cell.consolidation_samples.push(effort.samples);

        observer.begins(work(device, Stage::Evaluating));
        let central = Model::load(centre.model(), &shared.compute)?;
        let scores: Vec<_> = shared.tests[..=device].iter().map(|test| evaluate(&central, test)).collect();
        task_aware.push_row(scores.iter().map(|score| score.task_aware).collect())?;
        task_agnostic.push_row(scores.iter().map(|score| score.task_agnostic).collect())?;
        if device + 1 == devices {
            let pairs = scores.iter().zip(&expert_latents);
            similarities = pairs.map(|(score, expert)| linear_cka(&score.latents, expert)).collect();
        }
        observer.device_done(work(device, Stage::Evaluating));
    }
    cell.accuracy = Accuracy::Stream { task_aware, task_agnostic };
    // Undefined for one task (latents that do not vary), undefined for the row.
    cell.latent_similarity = similarities.into_iter().collect::<Option<Vec<_>>>().unwrap_or_default();
    cell.peak_memory_bytes = peak_memory_bytes();
    Ok(cell)
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
