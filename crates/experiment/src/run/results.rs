//! Puts the measurements together as results.

use std::collections::BTreeMap;

use alluvium_config::{Experiment, OwnStart, ROW_DEVICE, ROW_PROTOCOL, ROW_SURROGATE, Reference, StrategyRow};
use alluvium_device::DeviceStart;
use alluvium_model::Digest;
use alluvium_results::{Cell, Clause, FORMAT, Results, Row, RowRole, TaskLabel};
use alluvium_strategy::DataAccess;
use serde_json::Value;

use crate::context::RunContext;
use crate::devices::{SharedSetup, TaskNote, workers};
use crate::run::plan::joint_references;

/// The version of burn. The crate itself does not export it.
const BURN: &str = "0.22.1";

/// All measurements, row by row.
pub(crate) fn results(
    run: &RunContext<'_>,
    shared: &[SharedSetup],
    mut strategies: BTreeMap<usize, Vec<Cell>>,
    mut joints: BTreeMap<Reference, Vec<Cell>>,
    alone: Vec<Cell>,
) -> Results {
    let experiment = run.experiment;
    let devices = shared.first().map_or(0, |shared| shared.tasks.len());
    let mut rows: Vec<_> = experiment
        .strategies
        .iter()
        .enumerate()
        .map(|(index, row)| Row {
            name: row.name.clone(),
            kind: row.kind.clone(),
            role: RowRole::Strategy,
            protocol: row.protocol.kind.name().to_owned(),
            clauses: [row.protocol.clauses(devices).list(), vec![scenario(experiment)], start(row)].concat(),
            data_access: data_access(row),
            settings: settings(row),
            cells: strategies.remove(&index).unwrap_or_default(),
        })
        .collect();
    let reference = |reference: Reference, access: DataAccess, cells| Row {
        name: reference.name().to_owned(),
        kind: reference.name().to_owned(),
        role: RowRole::Reference,
        protocol: String::new(),
        clauses: vec![],
        data_access: access.to_string(),
        settings: Value::Null,
        cells,
    };
    if experiment.device.training().is_some() && experiment.references.contains(&Reference::DevicesAlone) {
        rows.push(reference(Reference::DevicesAlone, DataAccess::CurrentTask, alone));
    }
    for (joint, _) in joint_references(experiment) {
        rows.push(reference(joint, DataAccess::AllTasks, joints.remove(&joint).unwrap_or_default()));
    }
    let mut notes = notes(experiment, devices);
    notes.extend(statistics(experiment));
    notes.extend(answers(&rows));
    notes.extend(rows.iter().flat_map(noted));
    Results {
        format: FORMAT,
        name: experiment.name.clone(),
        config: experiment.written_out.clone(),
        protocol: experiment.protocol.kind.name().to_owned(),
        seeds: experiment.seeds.clone(),
        baseline: experiment.baseline.clone(),
        control: None,
        versions: versions(experiment),
        environment: environment(experiment),
        tasks: shared.first().map(|shared| task_labels(run, shared)).unwrap_or_default(),
        tasks_vary: tasks_vary(shared),
        left_out: vec![],
        notes,
        pictures: vec![],
        rows,
    }
}

/// The versions of what computed the results. Code outside this program, such as that of a strategy in Python and of its devices, has the
/// beginning of its digest for a version.
fn versions(experiment: &Experiment) -> BTreeMap<String, String> {
    let ours = [("alluvium", env!("CARGO_PKG_VERSION")), ("burn", BURN)];
    let mut versions: BTreeMap<_, _> = ours.map(|(name, version)| (name.to_owned(), version.to_owned())).into();
    for row in &experiment.strategies {
        let code =
            Digest::joined([row.config.revision(), workers(row.device.as_ref()).revision()].into_iter().flatten());
        versions.extend(code.map(|code| (format!("code of {}", row.name), code.as_str()[..12].to_owned())));
    }
    versions
}

fn environment(experiment: &Experiment) -> BTreeMap<String, String> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let entries = [
        ("backend", experiment.backend.kind.clone()),
        ("system", std::env::consts::OS.to_owned()),
        ("architecture", std::env::consts::ARCH.to_owned()),
        ("cores", cores.to_string()),
    ];
    entries.map(|(name, value)| (name.to_owned(), value)).into()
}

/// How the devices' tasks differ. The stream decides this, not the protocol.
fn scenario(experiment: &Experiment) -> Clause {
    Clause { name: "tasks of the devices".to_owned(), value: experiment.stream.scenario().to_string() }
}

/// Which model the devices of a row start from, if it is not the one that the centre hands out.
fn start(row: &StrategyRow) -> Vec<Clause> {
    match row.device.start() {
        DeviceStart::HandedOut => vec![],
        DeviceStart::Initial => {
            vec![Clause { name: "devices start from".to_owned(), value: "the initial model".to_owned() }]
        }
    }
}

/// Why rows are absent, and what holds for all of them.
fn notes(experiment: &Experiment, devices: usize) -> Vec<String> {
    let mut notes = vec![];
    let device = &experiment.device;
    if device.start() == DeviceStart::Initial {
        notes.push("All experts come from the initial model, not from the central model before them.".to_owned());
    }
    if let Some(own) = &experiment.own_networks {
        let numbers: Vec<_> =
            (0..devices).filter(|device| own.has(*device)).map(|device| (device + 1).to_string()).collect();
        let start = match own.start {
            OwnStart::Own => "which start from initial weights",
            OwnStart::Distilled => "which start from the central model, distilled on the device's own samples",
        };
        notes.push(format!(
            "Networks of their own: devices {} (\"{}\"), {start}. Initial weights follow from the seed and are not counted as sent.",
            numbers.join(", "),
            own.backbone.typetag_name()
        ));
    }
    if device.training().is_none() && !experiment.references.is_empty() {
        let absent: Vec<_> = experiment.references.iter().map(|reference| reference.name()).collect();
        notes.push(format!(
            "Absent: {}, forward transfer. They need training samples, which devices \"{}\" do not have in this process.",
            absent.join(", "),
            device.typetag_name()
        ));
    }
    notes
}

/// What the statistics that devices send tell of their samples. Rows that send the same share a sentence.
fn statistics(experiment: &Experiment) -> Vec<String> {
    let mut told = BTreeMap::<String, Vec<&str>>::new();
    for row in &experiment.strategies {
        for statistic in row.config.statistics() {
            if let Some(tells) = statistic.tells() {
                told.entry(format!("\"{}\" tells the centre {tells}", statistic.name())).or_default().push(&row.name);
            }
        }
    }
    told.into_iter().map(|(tells, rows)| format!("The statistic {tells} ({}).", rows.join(", "))).collect()
}

/// Which classifier answers, for rows in which it is not the heads alone. Rows with the same answer share a sentence.
fn answers(rows: &[Row]) -> Vec<String> {
    let mut answers = BTreeMap::<&str, Vec<&str>>::new();
    for row in rows {
        if let Some(words) = row.cells.iter().find_map(|cell| cell.answered_by.as_deref()) {
            answers.entry(words).or_default().push(&row.name);
        }
    }
    answers.into_iter().map(|(words, rows)| format!("{words} ({}).", rows.join(", "))).collect()
}

/// What the cells of a row note.
fn noted(row: &Row) -> Vec<String> {
    let of_cell = |cell: &Cell| {
        let stated = |note: &String| format!("{}, seed {}: {note}", row.name, cell.seed);
        cell.notes.iter().map(stated).collect::<Vec<_>>()
    };
    row.cells.iter().flat_map(of_cell).collect()
}

/// The data access of a row: what the strategy sees, and the statistics that devices compute for it.
fn data_access(row: &StrategyRow) -> String {
    let access = row.data_access.to_string();
    row.config.statistics().iter().fold(access, |access, statistic| format!("{access} + {}", statistic.name()))
}

/// A row's options, its protocol and device settings, and its own surrogate data, if it has any.
fn settings(row: &StrategyRow) -> Value {
    let mut settings = serde_json::to_value(&row.config).unwrap_or(Value::Null);
    if let Some(surrogate) = &row.surrogate {
        settings[ROW_SURROGATE] = serde_json::to_value(surrogate).unwrap_or(Value::Null);
    }
    settings[ROW_PROTOCOL] = serde_json::to_value(&row.protocol).unwrap_or(Value::Null);
    settings[ROW_DEVICE] = serde_json::to_value(workers(row.device.as_ref())).unwrap_or(Value::Null);
    settings
}

/// Whether the name or the classes of a task depend on the seed.
fn tasks_vary(shared: &[SharedSetup]) -> bool {
    let tasks = |shared: &SharedSetup| -> Vec<_> {
        shared.tasks.iter().map(|task| (task.name.clone(), task.head.classes.clone())).collect()
    };
    shared.windows(2).any(|pair| tasks(&pair[0]) != tasks(&pair[1]))
}

/// The tasks under the first seed. Under other seeds, the classes may come in another order.
fn task_labels(run: &RunContext<'_>, shared: &SharedSetup) -> Vec<TaskLabel> {
    let name = |class: &usize| shared.class_names.get(*class).cloned().unwrap_or_default();
    let label = |(index, task): (usize, &TaskNote)| TaskLabel {
        name: task.name.clone(),
        classes: task.head.classes.iter().map(name).collect(),
        train_samples: shared.training_samples(run, index),
        test_samples: task.test_samples,
    };
    shared.tasks.iter().enumerate().map(label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stated_version_of_burn_is_that_of_the_manifest() {
        let manifest = include_str!("../../../../Cargo.toml");
        assert!(manifest.contains(&format!("burn = {{ version = \"={BURN}\"")), "{BURN}");
    }
}
