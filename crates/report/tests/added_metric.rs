//! A metric of another crate has a column in every form of the table, and lines in the summary.

mod sample;

use alluvium_report::{Format, Table, render};
use alluvium_results::{Accuracy, AddedMetric, Cell, Unit, submit};

submit! {
    AddedMetric {
        name: "worst_task",
        heading: "worst\ntask",
        description: "the lowest accuracy on a task at the end of the stream; task known",
        formula: "min_i R[T, i]",
        unit: Unit::Fraction,
        higher_is_better: Some(true),
        compute: worst_task,
    }
}

fn worst_task(cell: &Cell) -> Option<f64> {
    let Accuracy::Stream { task_aware, .. } = &cell.accuracy else { return None };
    task_aware.last_row().iter().copied().reduce(f64::min)
}

#[test]
fn an_added_metric_is_in_every_table_with_its_mean_over_seeds() {
    let results = sample::run("glyphs", 10).results;
    let values: Vec<f64> = results.rows[0].cells.iter().filter_map(worst_task).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;

    let markdown = render(&results, None, Format::Markdown).expect("a table");
    let part = markdown.split("Metrics of plugins").nth(1).expect("the part is there");
    assert!(part.contains("worst task"), "{part}");
    assert!(part.contains(&format!("{:.1}", 100.0 * mean)), "{mean} is not in {part}");
    let latex = render(&results, None, Format::Latex).expect("a table");
    assert!(latex.contains("worst") && latex.contains("metrics of plugins"), "{latex}");
    let csv = render(&results, None, Format::Csv).expect("a table");
    assert!(csv.contains(&format!("naive,worst_task,{mean:.6}")), "{csv}");
    assert!(Table::new(&results).to_terminal().contains("worst"));
}
