//! One cell of the comparison: one strategy under one seed, over the whole stream.

use std::collections::BTreeMap;

use alluvium_config::{ProtocolKind, StrategyRow};
use alluvium_results::{Accuracy, AccuracyMatrix, Cell, EarlyAccuracy, MatrixRow, RoundAccuracy};
use alluvium_strategy::StrategyError;

use crate::ExperimentError;
use crate::centre::{Centre, ConsolidationRecord, EvaluationScope, ExpertHistory, consolidate};
use crate::context::RunContext;
use crate::devices::{DeviceRequest, SharedSetup, Statistics};
use crate::protocol::{Boundary, GrantedAccess, ScheduleEvent, schedule};
use crate::stored::{AdaptedDevice, Interruption, redo};

/// Runs the stream of devices against one strategy.
///
/// A cell that was stopped is run again. Its stored stages are found. Only the first stage that is computed needs the weights of
/// the model before it.
pub(crate) fn run_cell(run: &RunContext<'_>, row: &StrategyRow, shared: &SharedSetup) -> Result<Cell, ExperimentError> {
    redo(|| attempt(run, row, shared))
}

fn attempt(run: &RunContext<'_>, row: &StrategyRow, shared: &SharedSetup) -> Result<Cell, Interruption> {
    let devices = shared.tasks.len();
    let breach = |breach| ExperimentError::Protocol { row: row.name.clone(), seed: shared.seed, breach };
    let mut boundary = Boundary::new(&row.protocol, devices);
    let shown = boundary.show(row.data_access).map_err(breach)?;
    let mut centre = centre(run, row, shared, shown)?;
    let statistics = Statistics::asked_by(row.config.as_ref())?;
    let budgets = budgets(run, row.protocol.kind);
    let asked = DeviceRequest { settings: &row.device, statistics: &statistics, budgets };
    let mut measured = Measurements::new(row.protocol.kind, budgets, shared);
    let mut under_way = BTreeMap::new();
    let mut history = ExpertHistory::empty();
    let events = schedule(&row.protocol, devices, shared.root);
    let rounds = events.iter().filter(|event| matches!(event, ScheduleEvent::TakeIn(_))).count();
    let mut round = 0;
    for event in events {
        match event {
            ScheduleEvent::HandOut { device, returns } => {
                // Later consolidations do not reach the device.
                let taken = boundary.hand_out(device, centre.handed_out()).map_err(breach)?;
                if returns {
                    under_way.insert(device, shared.adapt(run, &row.name, &taken, asked)?);
                }
            }
            ScheduleEvent::TakeIn(together) => {
                let experts = together.into_iter().filter_map(|device| Some((device, under_way.remove(&device)?)));
                let arrived = boundary.take_in(experts.collect()).map_err(breach)?;
                for (device, expert) in arrived.experts() {
                    history.add(shared, *device, expert);
                    measured.expert(expert);
                }
                round += 1;
                let judged = judged(run, row, round, rounds);
                let record = consolidate(run, row, shared, &mut centre, &arrived, &history, judged)?;
                measured.consolidation(record, judged, round, centre.received(), &boundary)?;
            }
        }
    }
    Ok(measured.cell(&boundary, &history))
}

fn centre<'a>(
    run: &RunContext<'_>,
    row: &'a StrategyRow,
    shared: &'a SharedSetup,
    shown: GrantedAccess,
) -> Result<Centre<'a>, ExperimentError> {
    let failed = |cause: StrategyError| ExperimentError::Strategy {
        row: row.name.clone(),
        seed: shared.seed,
        device: 1,
        cause: Box::new(cause),
    };
    let surrogate = run.experiment.surrogate_of(row);
    let heads = shared.heads.as_ref().filter(|_| row.protocol.devices_overlap());
    let description = shared.describe(run.experiment, &row.protocol);
    Centre::new(row, description, surrogate, shown, shared.initial.clone(), heads, &shared.compute, shared.root)
        .map_err(failed)
}

/// The fractions of their budget after which devices are judged as well. In rounds there are none, because a device comes back
/// and continues.
fn budgets<'a>(run: &RunContext<'a>, protocol: ProtocolKind) -> &'a [f64] {
    match protocol {
        ProtocolKind::Federated => &[],
        ProtocolKind::Dcl | ProtocolKind::Centralised => &run.experiment.evaluation.budgets,
    }
}

/// What the central model is judged on after round `round` of `rounds`.
fn judged(run: &RunContext<'_>, row: &StrategyRow, round: usize, rounds: usize) -> EvaluationScope {
    let whole = run.experiment.evaluation.judges_all(round - 1, rounds);
    match (row.protocol.kind, whole) {
        (ProtocolKind::Federated, true) => EvaluationScope::Stream,
        (ProtocolKind::Federated, false) => EvaluationScope::Nothing,
        (ProtocolKind::Dcl | ProtocolKind::Centralised, true) => EvaluationScope::SoFar,
        (ProtocolKind::Dcl | ProtocolKind::Centralised, false) => EvaluationScope::Last,
    }
}

/// The measurements of a cell so far.
struct Measurements {
    cell: Cell,
    similarities: Vec<Option<Vec<f64>>>,
}

impl Measurements {
    fn new(protocol: ProtocolKind, budgets: &[f64], shared: &SharedSetup) -> Self {
        let accuracy = match protocol {
            ProtocolKind::Federated => Accuracy::Rounds(vec![]),
            ProtocolKind::Dcl | ProtocolKind::Centralised => {
                Accuracy::Stream { task_aware: AccuracyMatrix::new(), task_agnostic: AccuracyMatrix::new() }
            }
        };
        let early = |budget: &f64| EarlyAccuracy { budget: *budget, accuracy: vec![], alone: vec![] };
        let early_accuracy = budgets.iter().map(early).collect();
        let cell = Cell { early_accuracy, ..Cell::new(shared.seed, accuracy) };
        Measurements { cell, similarities: vec![] }
    }

    /// Adds the measurements of an expert.
    fn expert(&mut self, adapted: &AdaptedDevice) {
        self.cell.seconds += adapted.record.seconds;
        self.cell.device_seconds.push(adapted.record.seconds);
        self.cell.expert_accuracy.push(adapted.record.accuracy);
        let early = self.cell.early_accuracy.iter_mut().zip(&adapted.early);
        early.for_each(|(early, accuracy)| early.accuracy.push(*accuracy));
    }

    /// Adds the measurements of a consolidation. `experts` is the number of experts that the centre has taken in by then.
    fn consolidation(
        &mut self,
        record: ConsolidationRecord,
        judged: EvaluationScope,
        round: usize,
        experts: usize,
        boundary: &Boundary,
    ) -> Result<(), ExperimentError> {
        let cell = &mut self.cell;
        cell.moved_bytes.push(boundary.moved());
        cell.consolidation_seconds.push(record.seconds);
        cell.seconds += record.seconds;
        cell.elapsed_seconds.push(cell.seconds);
        cell.consolidation_steps.push(record.steps);
        cell.consolidation_samples.push(record.samples);
        cell.stored_bytes.push(record.stored_bytes);
        cell.peak_memory_bytes = cell.peak_memory_bytes.max(record.peak_memory_bytes);
        if judged == EvaluationScope::SoFar {
            self.similarities.push(record.latent_similarity.into_iter().collect());
        }
        let ConsolidationRecord { task_aware: aware, task_agnostic: agnostic, .. } = record;
        match &mut cell.accuracy {
            Accuracy::Stream { task_aware, task_agnostic } => {
                task_aware.push(matrix_row(aware, judged))?;
                task_agnostic.push(matrix_row(agnostic, judged))?;
            }
            Accuracy::Rounds(rounds) if judged == EvaluationScope::Stream => {
                rounds.push(RoundAccuracy { round, experts, task_aware: aware, task_agnostic: agnostic });
            }
            Accuracy::Rounds(_) | Accuracy::Final { .. } => {}
        }
        Ok(())
    }

    fn cell(self, boundary: &Boundary, history: &ExpertHistory) -> Cell {
        let Measurements { mut cell, similarities } = self;
        cell.contacts = boundary.contacts();
        cell.bytes_down = boundary.down();
        cell.bytes_up = boundary.up();
        let arrivals: Vec<_> = history.tasks().collect();
        let in_order = arrivals.len() == cell.contacts.len() && arrivals.is_sorted();
        if matches!(cell.accuracy, Accuracy::Stream { .. }) && !in_order {
            cell.arrivals = arrivals;
        }
        // If the similarity is undefined for one task (its latents do not vary), it is undefined for the row.
        cell.latent_similarity = similarities.last().cloned().flatten().unwrap_or_default();
        let mean = |row: &Option<Vec<f64>>| row.as_ref().map(|row| row.iter().sum::<f64>() / row.len() as f64);
        cell.latent_similarity_over_stream = similarities.iter().map(mean).collect::<Option<_>>().unwrap_or_default();
        cell
    }
}

/// A row of the accuracy matrix.
fn matrix_row(accuracies: Vec<f64>, judged: EvaluationScope) -> MatrixRow {
    match (judged, accuracies.as_slice()) {
        (EvaluationScope::Last, [own]) => MatrixRow::Own(*own),
        _ => MatrixRow::All(accuracies),
    }
}
