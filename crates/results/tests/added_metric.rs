//! A metric that another crate adds is found by name, computed, summarised and written like those of this crate.

use alluvium_results::conformance::check_metric;
use alluvium_results::{Accuracy, AccuracyMatrix, AddedMetric, Cell, Metric, Unit, submit};

/// A metric with this name and value.
const fn metric(name: &'static str, compute: fn(&Cell) -> Option<f64>) -> AddedMetric {
    AddedMetric {
        name,
        heading: "worst\ntask",
        description: "the lowest accuracy on a task at the end of the stream; task known",
        formula: "min_i R[T, i]",
        unit: Unit::Fraction,
        higher_is_better: Some(true),
        compute,
    }
}

fn worst_task(cell: &Cell) -> Option<f64> {
    let Accuracy::Stream { task_aware, .. } = &cell.accuracy else { return None };
    task_aware.last_row().iter().copied().reduce(f64::min)
}

submit! { metric("worst_task", worst_task) }
submit! { metric("seconds", worst_task) }
submit! { metric("twice", worst_task) }
submit! { metric("twice", worst_task) }
submit! { metric("above_one", |_| Some(2.0)) }
submit! { metric("not_finite", |_| Some(f64::NAN)) }
submit! { metric("never", |_| None) }
submit! { metric("Worst-Task", worst_task) }

fn cell() -> Cell {
    let matrix = || AccuracyMatrix::from_rows(vec![vec![0.75], vec![0.25, 0.5]]).expect("is a matrix");
    Cell::new(0, Accuracy::Stream { task_aware: matrix(), task_agnostic: matrix() })
}

#[test]
fn a_metric_of_another_crate_is_one_like_any_other() {
    check_metric("worst_task");
    let metric = Metric::from_name("worst_task").expect("is found");
    assert_eq!(cell().metrics()[&metric], 0.25); // the smaller one of 0.25 and 0.5
    assert_eq!((metric.unit(), metric.higher_is_better()), (Unit::Fraction, Some(true)));
    let written = serde_json::to_string(&metric).expect("can be written");
    assert_eq!(written, "\"worst_task\"");
    assert_eq!(serde_json::from_str::<Metric>(&written).expect("can be read"), metric);
    let error = serde_json::from_str::<Metric>("\"worst_tusk\"").unwrap_err().to_string();
    assert!(error.contains("unknown metric \"worst_tusk\""), "{error}");
}

#[test]
fn the_metrics_of_other_crates_come_last_and_none_of_them_is_ambiguous() {
    let names: Vec<_> = Metric::all().into_iter().map(Metric::name).collect();
    assert_eq!(names[..Metric::ALL.len()], Metric::ALL.map(Metric::name));
    assert_eq!(names[Metric::ALL.len()..], ["Worst-Task", "above_one", "never", "not_finite", "worst_task"]);
    assert_eq!(Metric::from_name("seconds"), Some(Metric::Seconds));
}

#[test]
fn a_value_that_is_not_finite_is_absent() {
    let metric = Metric::from_name("not_finite").expect("is found");
    assert!(!cell().metrics().contains_key(&metric));
}

#[test]
fn the_conformance_test_says_what_is_wrong() {
    for (name, problem) in [
        ("unheard_of", "0 metrics have the name"),
        ("twice", "2 metrics have the name"),
        ("seconds", "of Alluvium itself"),
        ("Worst-Task", "lower case"),
        ("above_one", "its unit is a fraction"),
        ("not_finite", "NaN for"),
        ("never", "none of the cells"),
    ] {
        let panic = std::panic::catch_unwind(|| check_metric(name)).expect_err(name);
        let message = panic.downcast::<String>().expect("panics with a message");
        assert!(message.contains(problem), "{name}: {message}");
    }
}
