//! Results like those of a real comparison, from formulas: five strategies and two references, three seeds, ten tasks.

use std::collections::BTreeMap;

use alluvium_report::{ReportedRun, contact_sheet};
use alluvium_results::{
    Accuracy, AccuracyMatrix, Cell, Clause, FORMAT, PictureLabel, Results, Row, RowRole, SampleSheet, TaskLabel,
};

/// How a strategy of the sample behaves.
struct Behaviour {
    name: &'static str,
    data_access: &'static str,
    /// The least fraction of the accuracy of a task that is kept.
    floor: f64,
    /// The fraction of the rest that is lost with each further device.
    loss: f64,
    /// Seconds of one consolidation.
    seconds: f64,
}

const STRATEGIES: [Behaviour; 5] = [
    Behaviour { name: "naive", data_access: "none", floor: 0.35, loss: 0.5, seconds: 0.0 },
    Behaviour { name: "weight-averaging", data_access: "none", floor: 0.42, loss: 0.35, seconds: 0.1 },
    Behaviour { name: "pld λ = 1.5", data_access: "surrogate", floor: 0.78, loss: 0.1, seconds: 6.0 },
    Behaviour { name: "double distillation", data_access: "surrogate", floor: 0.74, loss: 0.12, seconds: 5.0 },
    Behaviour { name: "latent-only", data_access: "surrogate", floor: 0.55, loss: 0.2, seconds: 4.5 },
];

/// The run: its results and its pictures. One picture is missing.
pub fn run(name: &str, tasks: usize) -> ReportedRun {
    let picture = |file: &str, title: &str| PictureLabel { file: file.into(), title: title.into(), sounds: vec![] };
    let results = Results {
        format: FORMAT,
        name: "Split glyphs, five strategies".into(),
        config: serde_json::json!({
            "protocol": "dcl",
            "seeds": [1, 2, 3],
            "stream": { "kind": "split-glyphs", "tasks": tasks },
        }),
        protocol: "dcl".into(),
        seeds: vec![1, 2, 3],
        baseline: Some("naive".into()),
        control: None,
        versions: BTreeMap::from([("alluvium".into(), "0.1.0".into()), ("burn".into(), "0.22.1".into())]),
        environment: BTreeMap::from([
            ("backend".into(), "flex".into()),
            ("cpu".into(), "AMD EPYC 7B13, 2 cores".into()),
            ("operating system".into(), "Linux 6.1, x86_64".into()),
        ]),
        tasks: (0..tasks).map(task).collect(),
        tasks_vary: false,
        left_out: vec![],
        notes: vec![],
        pictures: vec![
            picture("pictures/surrogate.png", "Surrogate data: patches of one photo"),
            picture("pictures/device-1.png", "Device 1: task 0-1"),
            picture("pictures/device-2.png", "Device 2: task 2-3"),
        ],
        rows: rows(tasks),
    };
    let pictures = BTreeMap::from([
        ("pictures/surrogate.png".to_owned(), samples(3, 32)),
        ("pictures/device-1.png".to_owned(), samples(1, 28)),
    ]);
    ReportedRun { name: name.to_owned(), results, pictures }
}

fn task(index: usize) -> TaskLabel {
    let classes = [2 * index, 2 * index + 1].map(|class| class.to_string());
    TaskLabel { name: classes.join("-"), classes: classes.into(), train_samples: Some(2000), test_samples: 400 }
}

fn rows(tasks: usize) -> Vec<Row> {
    let row = |name: &str, role, data_access: &str, cell: &dyn Fn(u64) -> Cell| Row {
        name: name.into(),
        kind: name.split(' ').next().unwrap_or(name).into(),
        role,
        protocol: "dcl".into(),
        clauses: vec![Clause { name: "contacts a device".into(), value: "2".into() }],
        data_access: data_access.into(),
        settings: serde_json::json!({ "steps": 400, "learning_rate": 0.001 }),
        cells: (1..=3).map(cell).collect(),
    };
    let mut rows: Vec<Row> = STRATEGIES
        .iter()
        .map(|behaviour| {
            let cell = |seed| stream_cell(behaviour, seed, tasks);
            row(behaviour.name, RowRole::Strategy, behaviour.data_access, &cell)
        })
        .collect();
    rows.push(row("joint", RowRole::Reference, "all-tasks", &|seed| {
        let accuracies = |best: f64| (0..tasks).map(|task| best + wobble(seed, task, 0) / 5.0).collect();
        let accuracy = Accuracy::Final { task_aware: accuracies(0.95), task_agnostic: Some(accuracies(0.86)) };
        Cell { seconds: 60.0, ..Cell::new(seed, accuracy) }
    }));
    rows.push(row("devices-alone", RowRole::Reference, "current-task", &|seed| {
        let accuracies = (0..tasks).map(|task| 0.93 + wobble(seed, task, 1) / 5.0).collect();
        let accuracy = Accuracy::Final { task_aware: accuracies, task_agnostic: None };
        Cell { seconds: 41.0, ..Cell::new(seed, accuracy) }
    }));
    rows
}

fn stream_cell(behaviour: &Behaviour, seed: u64, tasks: usize) -> Cell {
    let matrix = |chance: f64| {
        let accuracy = |device: usize, task: usize| {
            let age = (device - task) as f64;
            let kept = behaviour.floor + (0.96 - behaviour.floor) * (1.0 - behaviour.loss).powf(age);
            (kept * (1.0 - chance * device as f64 / tasks as f64) + wobble(seed, device, task)).clamp(0.0, 1.0)
        };
        let rows = (0..tasks).map(|device| (0..=device).map(|task| accuracy(device, task)).collect());
        AccuracyMatrix::from_rows(rows.collect()).expect("a valid matrix")
    };
    let each = |value: f64, strength: f64| -> Vec<f64> {
        (0..tasks).map(|device| value + wobble(seed, device, device) * strength).collect()
    };
    let accuracy = Accuracy::Stream { task_aware: matrix(0.0), task_agnostic: matrix(0.6) };
    Cell {
        expert_accuracy: each(0.95, 0.5),
        alone_accuracy: each(0.93, 0.5),
        latent_similarity: each(behaviour.floor, 1.0),
        latent_similarity_over_stream: (0..tasks)
            .map(|device| 1.0 - (1.0 - behaviour.floor) * device as f64 / tasks as f64 + wobble(seed, device, 3) / 4.0)
            .collect(),
        bytes_down: vec![447_000; tasks],
        bytes_up: vec![448_500; tasks],
        contacts: vec![2; tasks],
        moved_bytes: (1..=tasks as u64).map(|device| device * (447_000 + 448_500)).collect(),
        stored_bytes: (1..=tasks as u64).map(|device| 447_000 + 1_000 * device).collect(),
        consolidation_steps: vec![400; tasks],
        consolidation_samples: vec![51_200; tasks],
        device_seconds: each(4.0, 2.0),
        consolidation_seconds: each(behaviour.seconds + 0.2, 2.0),
        seconds: tasks as f64 * (4.2 + behaviour.seconds),
        peak_memory_bytes: Some(312_000_000 + seed * 1_000_000),
        ..Cell::new(seed, accuracy)
    }
}

/// A number in ±0.05 that looks random, but is not.
fn wobble(seed: u64, a: usize, b: usize) -> f64 {
    let mixed = (seed * 7919 + a as u64 * 104_729 + b as u64 * 1_299_709).wrapping_mul(2_654_435_761) >> 7;
    (mixed % 1000) as f64 / 10_000.0 - 0.05
}

/// A sheet of twelve samples, of rings and slopes.
fn samples(channels: usize, side: usize) -> Vec<u8> {
    let value = |sample: usize, channel: usize, y: usize, x: usize| match channel {
        0 => {
            let far = (x as f64 - side as f64 / 2.0).hypot(y as f64 - side as f64 / 2.0);
            if (far - 3.0 - sample as f64 / 2.0).abs() < 2.0 { 230 } else { 20 }
        }
        1 => (x * 255 / side) as u8,
        _ => (y * 20 * sample / side) as u8,
    };
    let sample = |sample: usize| -> Vec<u8> {
        let mut values = Vec::new();
        for channel in 0..channels {
            for y in 0..side {
                values.extend((0..side).map(|x| value(sample, channel, y, x)));
            }
        }
        values
    };
    let sheet = SampleSheet {
        title: "samples".into(),
        channels,
        height: side,
        width: side,
        samples: (0..12).map(sample).collect(),
        sounds: vec![],
    };
    contact_sheet(&sheet).expect("samples of one shape")
}
