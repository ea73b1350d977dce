//! The test that every metric of another crate must pass. Behind the feature `conformance`.

use crate::added_metric::AddedMetric;
use crate::{
    Accuracy, AccuracyMatrix, Cell, EarlyAccuracy, FurtherAccuracy, FurtherStep, MatrixRow, Metric, RoundAccuracy, Unit,
};

/// Checks the metric of this name:
///
/// - It is linked into the running program once, under a name in lower case with `_` between words that no other metric has.
/// - Its heading, meaning and formula are there, and the meaning is one line.
/// - On cells of every kind (a stream of one task and of three, one that not every task was judged in, rounds, a reference, a centre that
///   nobody judged), with and without the lists of measurements, it has a finite value or none, and the same one twice. It does not panic.
/// - It has a value for at least one of these cells.
///
/// # Panics
/// When the metric does not conform. The message says which check failed.
pub fn check_metric(name: &str) {
    let all = || inventory::iter::<AddedMetric>.into_iter();
    let same: Vec<_> = all().filter(|metric| metric.name == name).collect();
    let [metric] = same[..] else {
        panic!("{} metrics have the name \"{name}\"; accepted: one, which `submit!` adds", same.len());
    };
    let own = Metric::ALL.iter().any(|own| own.name() == name);
    assert!(!own, "\"{name}\" is the name of a metric of Alluvium itself; accepted: another one");
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    assert!(name.split('_').all(is_word), "\"{name}\": a name is in lower case, with `_` between words");
    let texts = [("heading", metric.heading), ("description", metric.description), ("formula", metric.formula)];
    for (field, text) in texts {
        assert!(!text.trim().is_empty(), "{name}: `{field}` is empty");
    }
    assert!(!metric.description.contains('\n'), "{name}: `description` has more than one line");

    let mut found = 0;
    for (kind, cell) in cells() {
        let value = (metric.compute)(&cell);
        let again = (metric.compute)(&cell);
        assert_eq!(value.map(f64::to_bits), again.map(f64::to_bits), "{name}: two values for {kind}");
        let Some(value) = value else { continue };
        found += 1;
        assert!(value.is_finite(), "{name}: {value} for {kind}; where it cannot be computed, it is `None`");
        let limits = metric.unit != Unit::Fraction || value.abs() <= 1.0;
        assert!(limits, "{name}: {value} for {kind}, and its unit is a fraction");
        assert_eq!(cell.metrics().get(&Metric::Added(metric)), Some(&value), "{name}: among the metrics of {kind}");
    }
    assert!(found > 0, "{name}: it has a value for none of the cells, which are of every kind");
}

/// Cells of every kind, each with what it is.
fn cells() -> Vec<(&'static str, Cell)> {
    let matrix = |rows| AccuracyMatrix::from_rows(rows).expect("the rows grow by one");
    let stream = |task_aware, task_agnostic| Accuracy::Stream {
        task_aware: matrix(task_aware),
        task_agnostic: matrix(task_agnostic),
    };
    let three = || {
        let aware = vec![vec![0.75], vec![0.5, 1.0], vec![0.25, 0.75, 0.875]];
        stream(aware, vec![vec![0.75], vec![0.25, 0.5], vec![0.0, 0.5, 0.625]])
    };
    let own_only = AccuracyMatrix::try_from(vec![MatrixRow::Own(0.75), MatrixRow::Own(0.5)]).expect("is a matrix");
    let round = |round| RoundAccuracy {
        round,
        experts: 3 * round,
        task_aware: vec![0.5, 0.625, 0.75],
        task_agnostic: vec![0.25, 0.375, 0.5],
    };
    let whole = Accuracy::Final { task_aware: vec![1.0, 0.5, 0.75], task_agnostic: Some(vec![0.5, 0.5, 0.25]) };
    let alone = Accuracy::Final { task_aware: vec![1.0, 0.5, 0.75], task_agnostic: None };
    let empty = Accuracy::Final { task_aware: vec![], task_agnostic: None };
    let accuracies = [
        ("a stream of three tasks", three()),
        ("a stream of one task", stream(vec![vec![0.5]], vec![vec![0.5]])),
        ("no device yet", stream(vec![], vec![])),
        ("tasks judged once", Accuracy::Stream { task_aware: own_only.clone(), task_agnostic: own_only }),
        ("rounds", Accuracy::Rounds(vec![round(1), round(2)])),
        ("no rounds yet", Accuracy::Rounds(vec![])),
        ("a reference", whole),
        ("devices alone", alone),
        ("a reference without tasks", empty),
        ("a centre that nobody judged", Accuracy::Unmeasured { tasks: 3 }),
    ];
    let bare = accuracies.map(|(kind, accuracy)| (kind, Cell::new(0, accuracy)));
    let full = Cell {
        expert_accuracy: vec![0.875, 1.0, 0.75],
        alone_accuracy: vec![0.875, 0.75, 0.5],
        early_accuracy: vec![EarlyAccuracy {
            budget: 0.5,
            accuracy: vec![0.5, 0.75, 0.5],
            alone: vec![0.5, 0.5, 0.25],
        }],
        further_accuracy: vec![FurtherAccuracy {
            steps: vec![FurtherStep { experts: 3, accuracy: 0.5 }],
            ..FurtherAccuracy::new("unseen".to_owned())
        }],
        accuracy_elsewhere: vec![0.25, 0.5, 0.25],
        latent_similarity: vec![0.5, 0.75, 1.0],
        contacts: vec![2, 2, 2],
        bytes_down: vec![100, 200, 300],
        bytes_up: vec![110, 210, 310],
        statistics_bytes: vec![10, 10, 10],
        stored_bytes: vec![100, 200, 300],
        consolidation_steps: vec![0, 50, 50],
        consolidation_samples: vec![0, 800, 800],
        device_seconds: vec![1.0, 1.5, 2.0],
        consolidation_seconds: vec![0.0, 0.5, 0.5],
        seconds: 5.5,
        peak_memory_bytes: Some(1 << 20),
        ..Cell::new(0, three())
    };
    bare.into_iter().chain([("a stream of three tasks with all measurements", full)]).collect()
}
