//! One cell of the comparison: one strategy under one seed, over the whole stream.

use std::collections::BTreeMap;

use alluvium_config::{ProtocolKind, StrategyRow};
use alluvium_model::Answers;
use alluvium_results::{
    Accuracy, AccuracyMatrix, Cell, EarlyAccuracy, FurtherAccuracy, FurtherStep, MatrixRow, RoundAccuracy,
};

use crate::ExperimentError;
use crate::centre::{ConsolidationRecord, EvaluationScope, ExpertHistory, Session, judged};
use crate::context::{KeptModels, RunContext};
use crate::devices::SharedSetup;
use crate::protocol::{Boundary, ScheduleEvent, schedule};
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
    let mut session = Session::open(run, row, shared)?;
    let budgets = budgets(run, row.protocol.kind);
    let mut measured = Measurements::new(row.protocol.kind, budgets, shared);
    let mut under_way = BTreeMap::new();
    let events = schedule(&row.protocol, devices, shared.root);
    let rounds = events.iter().filter(|event| matches!(event, ScheduleEvent::TakeIn(_))).count();
    let mut round = 0;
    for event in events {
        match event {
            ScheduleEvent::HandOut { device, returns } => {
                let announced = shared.announced(run, &row.name, row.device.as_ref(), device)?;
                // Later consolidations do not reach the device.
                let taken = session.hand_out(row, shared, device, announced)?;
                if returns {
                    under_way.insert(device, taken);
                }
            }
            ScheduleEvent::TakeIn(together) => {
                round += 1;
                let mut experts = vec![];
                for device in together {
                    let Some(taken) = under_way.remove(&device) else { continue };
                    let asked = session.asked(row, budgets);
                    match shared.answer(run, &row.name, &taken, asked) {
                        // The device is given up. Those after it come as if it had never returned.
                        Err(Interruption::Failed(ExperimentError::Lost { .. })) => {}
                        answer => experts.push((device, answer?)),
                    }
                }
                if experts.is_empty() {
                    continue;
                }
                experts.iter().for_each(|(_, expert)| measured.expert(expert));
                let whole = run.experiment.evaluation.judges_all(round - 1, rounds);
                let judged = judged(row.protocol.kind, whole, shared);
                let record = session.receive(run, row, shared, experts, judged)?;
                measured.consolidation(record, judged, round, &session)?;
            }
        }
    }
    let mut cell = measured.cell(session.boundary(), session.history());
    if let Some(KeptModels { directory, variant }) = run.kept {
        let central = session.central().load(run.stages)?;
        let bytes = central.to_bytes().map_err(ExperimentError::from)?;
        let written = directory.write_model(variant, &row.name, shared.seed, &bytes);
        cell.model = Some(written.map_err(ExperimentError::from)?);
    }
    Ok(cell)
}

/// The fractions of their budget after which devices are judged as well. In rounds there are none, because a device comes back
/// and continues.
fn budgets<'a>(run: &RunContext<'a>, protocol: ProtocolKind) -> &'a [f64] {
    match protocol {
        ProtocolKind::Federated => &[],
        ProtocolKind::Dcl | ProtocolKind::Centralised => &run.experiment.evaluation.budgets,
    }
}

/// The measurements of a cell so far.
#[derive(Clone)]
pub(crate) struct Measurements {
    cell: Cell,
    similarities: Vec<Option<Vec<f64>>>,
}

impl Measurements {
    pub(crate) fn new(protocol: ProtocolKind, budgets: &[f64], shared: &SharedSetup) -> Self {
        let accuracy = match protocol {
            _ if !shared.judges => Accuracy::Unmeasured { tasks: 0 },
            ProtocolKind::Federated => Accuracy::Rounds(vec![]),
            ProtocolKind::Dcl | ProtocolKind::Centralised => {
                Accuracy::Stream { task_aware: AccuracyMatrix::new(), task_agnostic: AccuracyMatrix::new() }
            }
        };
        let early = |budget: &f64| EarlyAccuracy { budget: *budget, accuracy: vec![], alone: vec![] };
        let early_accuracy = budgets.iter().map(early).collect();
        let further_accuracy = shared.further.names().map(|name| FurtherAccuracy::new(name.to_owned())).collect();
        let cell = Cell { early_accuracy, further_accuracy, ..Cell::new(shared.seed, accuracy) };
        Measurements { cell, similarities: vec![] }
    }

    /// Adds the measurements of an expert.
    pub(crate) fn expert(&mut self, adapted: &AdaptedDevice) {
        self.cell.seconds += adapted.record.seconds;
        self.cell.device_seconds.push(adapted.record.seconds);
        self.cell.expert_accuracy.extend(adapted.record.accuracy);
        let early = self.cell.early_accuracy.iter_mut().zip(&adapted.early);
        early.for_each(|(early, accuracy)| early.accuracy.push(*accuracy));
    }

    /// Adds the measurements of a consolidation.
    pub(crate) fn consolidation(
        &mut self,
        record: ConsolidationRecord,
        judged: EvaluationScope,
        round: usize,
        session: &Session,
    ) -> Result<(), ExperimentError> {
        let cell = &mut self.cell;
        cell.moved_bytes.push(session.boundary().moved());
        cell.consolidation_seconds.push(record.seconds);
        cell.seconds += record.seconds;
        cell.elapsed_seconds.push(cell.seconds);
        cell.consolidation_steps.push(record.steps);
        cell.consolidation_samples.push(record.samples);
        cell.stored_bytes.push(record.stored_bytes);
        cell.answered_by = record.answers.map(|answers| in_words(answers).to_owned());
        cell.notes.extend(record.notes);
        cell.peak_memory_bytes = cell.peak_memory_bytes.max(record.peak_memory_bytes);
        if judged == EvaluationScope::SoFar {
            self.similarities.push(record.latent_similarity.into_iter().collect());
        }
        for (further, accuracy) in cell.further_accuracy.iter_mut().zip(&record.further) {
            further.steps.push(FurtherStep { experts: session.received(), accuracy: *accuracy });
        }
        let ConsolidationRecord { task_aware: aware, task_agnostic: agnostic, .. } = record;
        match &mut cell.accuracy {
            Accuracy::Stream { task_aware, task_agnostic } => {
                task_aware.push(matrix_row(aware, judged))?;
                task_agnostic.push(matrix_row(agnostic, judged))?;
            }
            Accuracy::Rounds(rounds) if judged == EvaluationScope::Stream => {
                let experts = session.received();
                rounds.push(RoundAccuracy { round, experts, task_aware: aware, task_agnostic: agnostic });
            }
            Accuracy::Unmeasured { tasks } => *tasks = session.received(),
            Accuracy::Rounds(_) | Accuracy::Final { .. } => {}
        }
        Ok(())
    }

    /// The accuracies of the last consolidation: the task known, and unknown.
    pub(crate) fn last_row(&self) -> (Vec<f64>, Vec<f64>) {
        match &self.cell.accuracy {
            Accuracy::Stream { task_aware, task_agnostic } => {
                (task_aware.last_row().to_vec(), task_agnostic.last_row().to_vec())
            }
            Accuracy::Rounds(_) | Accuracy::Final { .. } | Accuracy::Unmeasured { .. } => (vec![], vec![]),
        }
    }

    /// The accuracy of each expert on its own task, in the order of arrival.
    pub(crate) fn expert_accuracy(&self) -> &[f64] {
        &self.cell.expert_accuracy
    }

    pub(crate) fn cell(self, boundary: &Boundary, history: &ExpertHistory) -> Cell {
        let Measurements { mut cell, similarities } = self;
        cell.contacts = boundary.contacts();
        cell.bytes_down = boundary.down();
        cell.bytes_up = boundary.up();
        cell.statistics_bytes =
            Some(boundary.statistics()).filter(|all| all.iter().any(|bytes| *bytes > 0)).unwrap_or_default();
        let arrivals: Vec<_> = history.tasks().collect();
        let in_order = arrivals.len() == cell.contacts.len() && arrivals.is_sorted();
        if let Accuracy::Unmeasured { tasks } = cell.accuracy {
            let by_all = !cell.expert_accuracy.is_empty() && cell.expert_accuracy.len() == tasks;
            if !by_all {
                cell.expert_accuracy.clear();
            }
            cell.notes.push(if by_all { REPORTED } else { UNJUDGED }.to_owned());
        }
        if matches!(cell.accuracy, Accuracy::Stream { .. } | Accuracy::Unmeasured { .. }) && !in_order {
            cell.arrivals = arrivals;
        }
        // If the similarity is undefined for one task (its latents do not vary), it is undefined for the row.
        cell.latent_similarity = similarities.last().cloned().flatten().unwrap_or_default();
        let mean = |row: &Option<Vec<f64>>| row.as_ref().map(|row| row.iter().sum::<f64>() / row.len() as f64);
        cell.latent_similarity_over_stream = similarities.iter().map(mean).collect::<Option<_>>().unwrap_or_default();
        cell
    }
}

const REPORTED: &str = "The centre has no test samples: the accuracy of each expert is what its device reported, and nobody judged the \
                        central model";
const UNJUDGED: &str =
    "The centre has no test samples, and not every device reported its expert's accuracy: nothing was judged";

/// Which classifier answers.
fn in_words(answers: Answers) -> &'static str {
    match answers {
        Answers::UnknownTask => {
            "The task's head answers where the task is known, and the statistics of classes where it is unknown"
        }
        Answers::Always => "The statistics of classes answer, whether the task is known or not",
        Answers::WhichTask => "The task's head answers; where the task is unknown, the statistics of classes find it",
    }
}

/// A row of the accuracy matrix.
fn matrix_row(accuracies: Vec<f64>, judged: EvaluationScope) -> MatrixRow {
    match (judged, accuracies.as_slice()) {
        (EvaluationScope::Last, [own]) => MatrixRow::Own(*own),
        _ => MatrixRow::All(accuracies),
    }
}
