//! The figures of whole results: their list, their data, and unusual results.

use alluvium_results::{Accuracy, AccuracyMatrix, Cell, Results};

use super::*;
use crate::example;

fn named(results: &Results) -> Vec<String> {
    figures(results).expect("draws").into_iter().map(|figure| figure.name).collect()
}

fn figure(results: &Results, name: &str) -> Figure {
    let figure = figures(results).expect("draws").into_iter().find(|figure| figure.name == name);
    figure.expect("the figure is there")
}

/// Why the figure with this title is missing.
fn reason(results: &Results, wanted: &str) -> String {
    let outcomes = draw(results).expect("draws");
    let found = outcomes.into_iter().find_map(|outcome| match outcome {
        Outcome::Missing { title, reason } if title == wanted => Some(reason),
        _ => None,
    });
    found.expect("the figure is missing")
}

// Numbers are worked out by hand in `example.rs`.

#[test]
fn there_is_a_figure_for_what_was_measured_and_a_reason_for_what_was_not() {
    let results = example::results();
    let expected = [
        "accuracy-task-aware",
        "accuracy-task-agnostic",
        "matrix-task-aware",
        "matrix-task-agnostic",
        "bytes-task-aware",
        "bytes-task-agnostic",
    ];
    assert_eq!(named(&results), expected);
    assert!(reason(&results, "Latent similarity over the stream").contains("No row measured"));
    assert!(reason(&results, "Accuracy against time, task-aware").contains("timed its devices"));
}

#[test]
fn the_data_of_a_line_chart() {
    let expected = "\
strategy,device,round,task,experts,accuracy,ci95_low,ci95_high,seeds
naive,1,,0-1,1,1.000000,1.000000,1.000000,3
naive,2,,2-3,2,0.500000,0.500000,0.500000,3
pld,1,,0-1,1,1.000000,1.000000,1.000000,3
pld,2,,2-3,2,0.700000,0.451586,0.948414,3
";
    assert_eq!(figure(&example::results(), "accuracy-task-aware").csv, expected);
}

#[test]
fn the_data_of_a_chart_over_bytes() {
    let expected = "\
strategy,device,round,task,bytes,accuracy,ci95_low,ci95_high,seeds
naive,1,,0-1,2000,1.000000,1.000000,1.000000,3
naive,2,,2-3,5000,0.250000,0.250000,0.250000,3
pld,1,,0-1,2000,1.000000,1.000000,1.000000,3
pld,2,,2-3,5000,0.500000,0.500000,0.500000,3
";
    assert_eq!(figure(&example::results(), "bytes-task-agnostic").csv, expected);
}

#[test]
fn the_data_of_a_heat_map() {
    let expected = "\
strategy,order,first_device,last_device,first_task,last_task,accuracy,seeds
naive,stream,1,1,1,1,1.000000,3
naive,stream,2,2,1,1,0.250000,3
naive,stream,2,2,2,2,0.750000,3
pld,stream,1,1,1,1,1.000000,3
pld,stream,2,2,1,1,0.600000,3
pld,stream,2,2,2,2,0.800000,3
";
    assert_eq!(figure(&example::results(), "matrix-task-aware").csv, expected);
}

#[test]
fn time_and_similarity_are_drawn_where_they_were_measured() {
    let mut results = example::results();
    for cell in &mut results.rows[1].cells {
        cell.device_seconds = vec![1.0, 2.0];
        cell.consolidation_seconds = vec![0.0, 4.0];
        cell.latent_similarity_over_stream = vec![1.0, 0.5];
    }
    let expected = "\
strategy,device,round,task,seconds,accuracy,ci95_low,ci95_high,seeds
pld,1,,0-1,1.000,1.000000,1.000000,1.000000,3
pld,2,,2-3,7.000,0.500000,0.500000,0.500000,3
";
    assert_eq!(figure(&results, "time-task-agnostic").csv, expected);
    let expected = "\
strategy,device,round,task,experts,latent_similarity,ci95_low,ci95_high,seeds
pld,1,,0-1,1,1.000000,1.000000,1.000000,3
pld,2,,2-3,2,0.500000,0.500000,0.500000,3
";
    assert_eq!(figure(&results, "latent-similarity").csv, expected);
}

#[test]
fn rounds_are_called_rounds_and_lie_where_their_bytes_and_seconds_were() {
    let results = example::mixed();
    let expected = "\
strategy,device,round,task,experts,accuracy,ci95_low,ci95_high,seeds
pld,1,,0-1,1,1.000000,1.000000,1.000000,3
pld,2,,2-3,2,0.700000,0.451586,0.948414,3
fedavg,,1,,2,0.625000,0.625000,0.625000,3
fedavg,,2,,4,0.875000,0.875000,0.875000,3
finetune,1,,0-1,1,1.000000,1.000000,1.000000,3
finetune,2,,2-3,2,0.625000,0.625000,0.625000,3
";
    let stream = figure(&results, "accuracy-task-aware");
    assert_eq!(stream.csv, expected);
    assert!(stream.caption.contains("a point is a round"), "{}", stream.caption);
    assert!(stream.svg.contains("experts taken in"), "{}", stream.svg);

    // The learner of `finetune` was not timed.
    let expected = "\
strategy,device,round,task,seconds,accuracy,ci95_low,ci95_high,seeds
pld,1,,0-1,1.000,1.000000,1.000000,1.000000,3
pld,2,,2-3,9.000,0.500000,0.500000,0.500000,3
fedavg,,1,,2.500,0.375000,0.375000,0.375000,3
fedavg,,2,,5.000,0.625000,0.625000,0.625000,3
";
    assert_eq!(figure(&results, "time-task-agnostic").csv, expected);
    assert!(figure(&results, "bytes-task-aware").csv.contains("\nfedavg,,2,,8000,0.875000,"));
    let matrix = figure(&results, "matrix-task-aware").csv;
    assert!(!matrix.contains("fedavg"), "rounds have no matrix: {matrix}");
}

#[test]
fn tasks_have_no_names_where_there_is_none_that_holds() {
    let mut results = example::results();
    results.tasks_vary = true;
    let csv = figure(&results, "accuracy-task-aware").csv;
    assert!(csv.contains("\nnaive,1,,,1,1.000000,"), "{csv}");

    // One seed has another order, so the n-th device is not always the same device of the stream.
    let mut results = example::results();
    results.rows[1].cells[1].arrivals = vec![1, 0];
    let stream = figure(&results, "accuracy-task-aware");
    assert!(stream.csv.contains("\nnaive,2,,2-3,2,") && stream.csv.contains("\npld,,,,2,"), "{}", stream.csv);
    assert!(stream.caption.contains("the n-th that came back"), "{}", stream.caption);
    let matrix = figure(&results, "matrix-task-aware");
    assert!(matrix.csv.contains("\nnaive,stream,2,2,1,1,"), "{}", matrix.csv);
    assert!(matrix.csv.contains("\npld,arrival,2,2,1,1,"), "{}", matrix.csv);
    assert!(matrix.caption.contains("By arrival"), "{}", matrix.caption);
}

#[test]
fn devices_keep_their_numbers_where_others_are_left_out() {
    let others = example::results().without_devices(&std::collections::BTreeSet::from([0])).expect("one is left");
    let figure = figure(&others, "accuracy-task-aware");
    assert!(figure.csv.contains("\nnaive,2,,2-3,1,"), "{}", figure.csv);
    assert!(figure.caption.contains("left out are not counted"), "{}", figure.caption);
}

#[test]
fn one_seed_has_no_interval() {
    let mut results = example::results();
    results.seeds.truncate(1);
    for row in &mut results.rows {
        row.cells.truncate(1);
    }
    let figure = figure(&results, "accuracy-task-aware");
    assert!(figure.csv.contains("\npld,2,,2-3,2,0.600000,,,1\n"), "{}", figure.csv);
    assert!(figure.caption.contains("One seed"), "{}", figure.caption);
}

#[test]
fn references_and_empty_rows_alone_have_no_figure() {
    let mut results = example::results();
    results.rows[0].cells.clear();
    results.rows.remove(1);
    assert_eq!(named(&results), Vec::<String>::new());
    assert!(reason(&results, "Accuracy matrix, task-aware").contains("No row was judged"));
}

#[test]
fn names_are_text_in_every_figure() {
    let mut results = example::results();
    results.rows[1].name = "<script>alert(1)</script>\u{1}".into();
    for figure in figures(&results).expect("draws") {
        assert!(!figure.svg.contains("<script"), "{}", figure.name);
        assert!(figure.svg.contains("&lt;script&gt;"), "{}", figure.name);
        assert!(!figure.svg.contains('\u{1}'), "{}", figure.name);
    }
}

/// A strategy with an accuracy of one half on every task, over `devices` devices.
fn long_cell(seed: u64, devices: usize) -> Cell {
    let rows = (0..devices).map(|device| vec![0.5; device + 1]).collect();
    let matrix = AccuracyMatrix::from_rows(rows).expect("valid");
    Cell {
        bytes_up: vec![1; devices],
        bytes_down: vec![1; devices],
        moved_bytes: (1..=devices as u64).map(|device| 2 * device).collect(),
        ..Cell::new(seed, Accuracy::Stream { task_aware: matrix.clone(), task_agnostic: matrix })
    }
}

#[test]
fn a_thousand_devices_are_drawn_in_bounded_size_and_the_caption_says_how() {
    let mut results = example::results();
    results.rows.truncate(1);
    results.rows[0].cells = vec![long_cell(1, 1000)];
    for figure in figures(&results).expect("draws") {
        assert!(figure.svg.len() < 400_000, "{}: {}", figure.name, figure.svg.len());
    }
    let matrix = figure(&results, "matrix-task-aware");
    assert!(matrix.caption.contains("the mean over up to 17 devices and 17 tasks"), "{}", matrix.caption);
    let lines = figure(&results, "accuracy-task-aware");
    assert!(lines.caption.contains("not every device is drawn"), "{}", lines.caption);
    assert_eq!(lines.csv.lines().count(), 1 + 1000, "the data has all of them");
}

#[test]
fn many_strategies_are_all_in_the_legend() {
    let mut results = example::results();
    let row = results.rows[1].clone();
    results.rows.truncate(1);
    for index in 1..25 {
        results.rows.push(alluvium_results::Row { name: format!("strategy {index}"), ..row.clone() });
    }
    let svg = figure(&results, "accuracy-task-aware").svg;
    assert!((1..25).all(|index| svg.contains(&format!("\nstrategy {index}\n"))), "{svg}");
}
