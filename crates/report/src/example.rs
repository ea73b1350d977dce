//! A small comparison for tests, with its report worked out by hand.
//!
//! Two tasks; two strategies and two references under three seeds. A number x, x + d, x + 2d over the seeds has
//! the sample standard deviation d, so its interval is x + d ± 4.302653 · d / √3 = x + d ± 2.484138 · d (the
//! t-quantile for two degrees of freedom is in the tests of `alluvium-results`).

use std::collections::BTreeMap;

use alluvium_results::{
    Accuracy, AccuracyMatrix, Cell, Clause, FORMAT, Results, RoundAccuracy, Row, RowRole, TaskLabel,
};

pub(crate) fn results() -> Results {
    let task = |name: &str, classes: [&str; 2]| TaskLabel {
        name: name.into(),
        classes: classes.map(String::from).into(),
        train_samples: Some(100),
        test_samples: 20,
    };
    Results {
        format: FORMAT,
        name: "two glyphs".into(),
        config: serde_json::json!({ "protocol": "dcl" }),
        protocol: "dcl".into(),
        seeds: vec![1, 2, 3],
        baseline: Some("naive".into()),
        control: None,
        versions: BTreeMap::from([("alluvium".into(), "0.1.0".into()), ("burn".into(), "0.22.1".into())]),
        environment: BTreeMap::from([("backend".into(), "flex".into())]),
        tasks: vec![task("0-1", ["0", "1"]), task("2-3", ["2", "3"])],
        tasks_vary: false,
        left_out: vec![],
        notes: vec![],
        pictures: vec![],
        rows: vec![
            row("naive", RowRole::Strategy, "none", naive),
            row("pld", RowRole::Strategy, "surrogate", pld),
            row("joint", RowRole::Reference, "all-tasks", joint),
            row("devices-alone", RowRole::Reference, "current-task", devices_alone),
        ],
    }
}

/// The same tasks and seeds under three protocols.
pub(crate) fn mixed() -> Results {
    Results {
        name: "three protocols".into(),
        baseline: None,
        rows: vec![
            under(
                "dcl",
                &[("contacts a device", "2"), ("rounds", "2"), ("data that the centre sees", "surrogate")],
                row("pld", RowRole::Strategy, "surrogate", timed_pld),
            ),
            under(
                "federated",
                &[("contacts a device", "4"), ("rounds", "2"), ("data that the centre sees", "surrogate")],
                row("fedavg", RowRole::Strategy, "none", fedavg),
            ),
            under(
                "centralised",
                &[("contacts a device", "0"), ("data that the centre sees", "current-task")],
                row("finetune", RowRole::Strategy, "current-task", finetune),
            ),
            row("joint", RowRole::Reference, "all-tasks", joint),
        ],
        ..results()
    }
}

/// The row under this protocol.
fn under(protocol: &str, clauses: &[(&str, &str)], row: Row) -> Row {
    let clause = |(name, value): &(&str, &str)| Clause { name: (*name).into(), value: (*value).into() };
    Row { protocol: protocol.into(), clauses: clauses.iter().map(clause).collect(), ..row }
}

fn row(name: &str, role: RowRole, data_access: &str, cell: fn(u64) -> Cell) -> Row {
    Row {
        name: name.into(),
        kind: name.into(),
        role,
        protocol: String::new(),
        clauses: vec![],
        data_access: data_access.into(),
        settings: serde_json::json!({}),
        cells: vec![cell(1), cell(2), cell(3)],
    }
}

/// The same under every seed, except its time: 1, 2, 3 s.
///
/// Task-aware: ACC = (0.25 + 0.75) / 2 = 0.5; AIA = (1 + 0.5) / 2; BWT = 0.25 − 1; F = 0.75; gap 0.
/// Task-agnostic: ACC = (0 + 0.5) / 2; AIA = (1 + 0.25) / 2; BWT = 0 − 1; F = 1; gap (0 + 0.75 − 0.5) / 2.
fn naive(seed: u64) -> Cell {
    Cell {
        expert_accuracy: vec![1.0, 0.75],
        alone_accuracy: vec![1.0, 0.75],
        bytes_down: vec![1000, 1000],
        bytes_up: vec![1000, 2000],
        contacts: vec![2, 2],
        moved_bytes: vec![2000, 5000],
        stored_bytes: vec![1000, 1000],
        seconds: seed as f64,
        ..Cell::new(seed, Accuracy::Stream { task_aware: matrix([0.25, 0.75]), task_agnostic: matrix([0.0, 0.5]) })
    }
}

/// Task-aware ACC is 0.6, 0.7, 0.8, so +0.2 ± 0.248 to naive: t = 0.2 √3 / 0.1 = 2√3 and p = 0.074, not
/// significant. Task-agnostic ACC is 0.5 always, +0.25 ± 0, p = 0.
///
/// Task-aware: AIA = 0.8, 0.85, 0.9; BWT = −0.5, −0.4, −0.3; F = −BWT; gap = (0 + 0.95 − R[2, 2]) / 2 =
/// 0.125, 0.075, 0.025. Task-agnostic: AIA = 0.75; BWT = −0.75; gap = (0 + 0.95 − 0.75) / 2 = 0.1.
/// Forward transfer 0.95 − 0.75.
fn pld(seed: u64) -> Cell {
    let last = match seed {
        1 => [0.5, 0.7],
        2 => [0.6, 0.8],
        _ => [0.7, 0.9],
    };
    Cell {
        expert_accuracy: vec![1.0, 0.95],
        alone_accuracy: vec![1.0, 0.75],
        latent_similarity: vec![0.5, 1.0],
        bytes_down: vec![1000, 1000],
        bytes_up: vec![1000, 2000],
        contacts: vec![2, 2],
        moved_bytes: vec![2000, 5000],
        stored_bytes: vec![1000, 2500],
        consolidation_steps: vec![0, 100],
        consolidation_samples: vec![0, 6400],
        seconds: 9.0 + seed as f64,
        ..Cell::new(seed, Accuracy::Stream { task_aware: matrix(last), task_agnostic: matrix([0.25, 0.75]) })
    }
}

fn timed_pld(seed: u64) -> Cell {
    Cell {
        device_seconds: vec![1.0, 2.0],
        consolidation_seconds: vec![0.0, 6.0],
        elapsed_seconds: vec![1.0, 9.0],
        ..pld(seed)
    }
}

/// Two devices in two rounds, the same under every seed: 4 models of 1000 bytes cross in a round, and a device meets the
/// centre twice in each. 2 · 1 s of devices and 0.5 s of the centre a round.
///
/// Task-aware: ACC = (0.75 + 1) / 2 = 0.875; AIA = (0.625 + 0.875) / 2. Task-agnostic: ACC = (0.5 + 0.75) / 2;
/// AIA = (0.375 + 0.625) / 2.
fn fedavg(seed: u64) -> Cell {
    let rounds = vec![
        RoundAccuracy { round: 1, experts: 2, task_aware: vec![0.5, 0.75], task_agnostic: vec![0.25, 0.5] },
        RoundAccuracy { round: 2, experts: 4, task_aware: vec![0.75, 1.0], task_agnostic: vec![0.5, 0.75] },
    ];
    Cell {
        expert_accuracy: vec![0.5, 0.75, 0.75, 1.0],
        bytes_down: vec![2000, 2000],
        bytes_up: vec![2000, 2000],
        contacts: vec![4, 4],
        moved_bytes: vec![4000, 8000],
        stored_bytes: vec![1000, 1000],
        consolidation_steps: vec![0, 0],
        consolidation_samples: vec![0, 0],
        device_seconds: vec![1.0; 4],
        consolidation_seconds: vec![0.5; 2],
        elapsed_seconds: vec![2.5, 5.0],
        seconds: 5.0,
        ..Cell::new(seed, Accuracy::Rounds(rounds))
    }
}

/// One learner: nothing crosses.
fn finetune(seed: u64) -> Cell {
    Cell {
        expert_accuracy: vec![1.0, 0.75],
        bytes_down: vec![0, 0],
        bytes_up: vec![0, 0],
        contacts: vec![0, 0],
        moved_bytes: vec![0, 0],
        stored_bytes: vec![1000, 1000],
        seconds: 3.0,
        ..Cell::new(seed, Accuracy::Stream { task_aware: matrix([0.5, 0.75]), task_agnostic: matrix([0.25, 0.75]) })
    }
}

fn joint(seed: u64) -> Cell {
    Cell {
        seconds: 5.0,
        ..Cell::new(seed, Accuracy::Final { task_aware: vec![0.9, 0.9], task_agnostic: Some(vec![0.8, 0.9]) })
    }
}

fn devices_alone(seed: u64) -> Cell {
    Cell { seconds: 4.0, ..Cell::new(seed, Accuracy::Final { task_aware: vec![1.0, 0.75], task_agnostic: None }) }
}

/// A centre that is perfect on the first task as long as it is the only one.
fn matrix(last: [f64; 2]) -> AccuracyMatrix {
    AccuracyMatrix::from_rows(vec![vec![1.0], last.into()]).expect("a valid matrix")
}

pub(crate) const SUMMARY: &str = "\
strategy,metric,mean,ci95_low,ci95_high,seeds
naive,average_accuracy_task_aware,0.500000,0.500000,0.500000,3
naive,average_accuracy_task_agnostic,0.250000,0.250000,0.250000,3
naive,average_incremental_accuracy_task_aware,0.750000,0.750000,0.750000,3
naive,average_incremental_accuracy_task_agnostic,0.625000,0.625000,0.625000,3
naive,backward_transfer_task_aware,-0.750000,-0.750000,-0.750000,3
naive,backward_transfer_task_agnostic,-1.000000,-1.000000,-1.000000,3
naive,forgetting_task_aware,0.750000,0.750000,0.750000,3
naive,forgetting_task_agnostic,1.000000,1.000000,1.000000,3
naive,consolidation_gap_task_aware,0.000000,0.000000,0.000000,3
naive,consolidation_gap_task_agnostic,0.125000,0.125000,0.125000,3
naive,expert_accuracy,0.875000,0.875000,0.875000,3
naive,forward_transfer,0.000000,0.000000,0.000000,3
naive,contacts,2.000,2.000,2.000,3
naive,bytes_down,1000,1000,1000,3
naive,bytes_up,1500,1500,1500,3
naive,bytes_moved,5000,5000,5000,3
naive,stored_bytes,1000,1000,1000,3
naive,seconds,2.000,-0.484,4.484,3
pld,average_accuracy_task_aware,0.700000,0.451586,0.948414,3
pld,average_accuracy_task_agnostic,0.500000,0.500000,0.500000,3
pld,average_incremental_accuracy_task_aware,0.850000,0.725793,0.974207,3
pld,average_incremental_accuracy_task_agnostic,0.750000,0.750000,0.750000,3
pld,backward_transfer_task_aware,-0.400000,-0.648414,-0.151586,3
pld,backward_transfer_task_agnostic,-0.750000,-0.750000,-0.750000,3
pld,forgetting_task_aware,0.400000,0.151586,0.648414,3
pld,forgetting_task_agnostic,0.750000,0.750000,0.750000,3
pld,consolidation_gap_task_aware,0.075000,-0.049207,0.199207,3
pld,consolidation_gap_task_agnostic,0.100000,0.100000,0.100000,3
pld,expert_accuracy,0.975000,0.975000,0.975000,3
pld,forward_transfer,0.200000,0.200000,0.200000,3
pld,latent_similarity,0.750000,0.750000,0.750000,3
pld,contacts,2.000,2.000,2.000,3
pld,bytes_down,1000,1000,1000,3
pld,bytes_up,1500,1500,1500,3
pld,bytes_moved,5000,5000,5000,3
pld,stored_bytes,2500,2500,2500,3
pld,consolidation_steps,50.000,50.000,50.000,3
pld,consolidation_samples,3200.000,3200.000,3200.000,3
pld,seconds,11.000,8.516,13.484,3
joint,average_accuracy_task_aware,0.900000,0.900000,0.900000,3
joint,average_accuracy_task_agnostic,0.850000,0.850000,0.850000,3
joint,seconds,5.000,5.000,5.000,3
devices-alone,average_accuracy_task_aware,0.875000,0.875000,0.875000,3
devices-alone,seconds,4.000,4.000,4.000,3
";

pub(crate) const TERMINAL: &str = include_str!("../golden/terminal.txt");

pub(crate) const MARKDOWN: &str = include_str!("../golden/table.md");

pub(crate) const MIXED_TERMINAL: &str = include_str!("../golden/mixed-terminal.txt");

pub(crate) const MIXED_MARKDOWN: &str = include_str!("../golden/mixed-table.md");

pub(crate) const LATEX: &str = include_str!("../golden/table.tex");
