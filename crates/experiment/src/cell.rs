//! One cell of the comparison: one strategy under one seed, over the whole stream.

use alluvium_results::{Accuracy, AccuracyMatrix, Cell};
use alluvium_strategy::StrategyError;

use crate::centre::Centre;
use crate::consolidation::{ConsolidationRecord, Met, consolidate};
use crate::run::Run;
use crate::shared::{Asked, Shared};
use crate::stages::{Interruption, redo};
use crate::{ExperimentError, StrategyRow};

/// Runs the stream of devices against one strategy.
///
/// A cell that was stopped is simply run again: the stages that it left are found, and only the first one that is not
/// needs the weights of the model before it.
pub(crate) fn run_cell(run: &Run<'_>, row: &StrategyRow, shared: &Shared) -> Result<Cell, ExperimentError> {
    redo(|| attempt(run, row, shared))
}

fn attempt(run: &Run<'_>, row: &StrategyRow, shared: &Shared) -> Result<Cell, Interruption> {
    let failed = |cause: StrategyError| ExperimentError::Strategy {
        row: row.name.clone(),
        seed: shared.seed,
        device: 1,
        cause: Box::new(cause),
    };
    let initial = shared.initial.clone();
    let centre = Centre::new(run.experiment, row, initial, &shared.compute, shared.root);
    let mut centre = centre.map_err(failed)?;
    let (mut task_aware, mut task_agnostic) = (AccuracyMatrix::new(), AccuracyMatrix::new());
    let mut cell = Cell::new(
        shared.seed,
        Accuracy::Stream { task_aware: AccuracyMatrix::new(), task_agnostic: AccuracyMatrix::new() },
    );
    let asked = Asked::by(row.config.as_ref())?;
    let mut met = Met::nobody();
    let mut similarities = vec![];
    for device in 0..shared.tasks.len() {
        // First contact: the device takes what the centre hands out.
        cell.bytes_down.push(centre.handed_out().bytes);
        let adapted = shared.adapt(run, &row.name, device, centre.handed_out(), &asked)?;
        cell.device_seconds.push(adapted.record.seconds);
        cell.expert_accuracy.push(adapted.record.accuracy);
        met.meet(shared, &adapted);

        // Second contact: the device sends its expert.
        cell.bytes_up.push(adapted.record.bytes);
        let record = consolidate(run, row, shared, &mut centre, &adapted, &met)?;
        take_measurements(&mut cell, &record);
        if !record.latent_similarity.is_empty() {
            similarities.push(record.latent_similarity.into_iter().collect::<Option<Vec<_>>>());
        }
        task_aware.push(record.task_aware)?;
        task_agnostic.push(record.task_agnostic)?;
    }
    cell.seconds = cell.device_seconds.iter().chain(&cell.consolidation_seconds).sum();
    cell.accuracy = Accuracy::Stream { task_aware, task_agnostic };
    // Undefined for one task (latents that do not vary), undefined for the row.
    cell.latent_similarity = similarities.last().cloned().flatten().unwrap_or_default();
    let mean = |row: &Option<Vec<f64>>| row.as_ref().map(|row| row.iter().sum::<f64>() / row.len() as f64);
    cell.latent_similarity_over_stream = similarities.iter().map(mean).collect::<Option<_>>().unwrap_or_default();
    Ok(cell)
}

fn take_measurements(cell: &mut Cell, record: &ConsolidationRecord) {
    cell.consolidation_seconds.push(record.seconds);
    cell.consolidation_steps.push(record.steps);
    cell.consolidation_samples.push(record.samples);
    cell.stored_bytes.push(record.stored_bytes);
    cell.peak_memory_bytes = cell.peak_memory_bytes.max(record.peak_memory_bytes);
}
