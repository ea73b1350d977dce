//! Tables as CSV; among them `summary.csv`, one line for each row and metric.

use alluvium_results::Results;

use crate::error::ReportError;
use crate::number::for_file;

/// The heading line of `summary.csv`.
const COLUMNS: [&str; 6] = ["strategy", "metric", "mean", "ci95_low", "ci95_high", "seeds"];

/// The text of `summary.csv`: columns `strategy,metric,mean,ci95_low,ci95_high,seeds`, lines in the order of
/// [`Results::summary`]. `metric` is the name of the metric. If devices had spent only a fraction of their budget, `@` and the
/// fraction follow: `expert_accuracy@0.01`.
///
/// Numbers are in the unit of the metric: fractions with six decimals, bytes as whole numbers, seconds and counts
/// with three decimals. The cells of the interval are empty if there was one seed. `seeds` is the number of seeds of the line.
pub fn summary_csv(results: &Results) -> Result<String, ReportError> {
    let lines = results.summary().into_iter().map(|line| {
        let number = |value| for_file(value, line.metric.unit());
        let estimate = line.estimate;
        vec![
            line.strategy.clone(),
            line.name(),
            number(estimate.mean),
            estimate.ci95_low.map(number).unwrap_or_default(),
            estimate.ci95_high.map(number).unwrap_or_default(),
            estimate.n.to_string(),
        ]
    });
    table(&COLUMNS, lines)
}

/// A CSV table. Each line has as many fields as the heading.
pub(crate) fn table(heading: &[&str], lines: impl IntoIterator<Item = Vec<String>>) -> Result<String, ReportError> {
    let mut text = Vec::new();
    let mut writer = csv::Writer::from_writer(&mut text);
    writer.write_record(heading)?;
    for line in lines {
        writer.write_record(line)?;
    }
    writer.flush().map_err(csv::Error::from)?;
    drop(writer);
    // Every field was a string, and the crate adds ASCII only, so nothing is replaced here.
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    #[test]
    fn the_golden_summary() {
        // Worked out by hand in `example.rs`.
        let text = summary_csv(&example::results()).expect("valid results");
        assert_eq!(text, example::SUMMARY);
    }

    #[test]
    fn the_golden_summary_of_three_protocols() {
        let text = summary_csv(&example::mixed()).expect("valid results");
        let of = |row: &str| text.lines().filter(|line| line.starts_with(row)).collect::<Vec<_>>();
        // Worked out by hand in `example.rs`.
        let expected = [
            "fedavg,average_accuracy_task_aware,0.875000,0.875000,0.875000,3",
            "fedavg,average_accuracy_task_agnostic,0.625000,0.625000,0.625000,3",
            "fedavg,average_incremental_accuracy_task_aware,0.750000,0.750000,0.750000,3",
            "fedavg,average_incremental_accuracy_task_agnostic,0.500000,0.500000,0.500000,3",
            "fedavg,expert_accuracy,0.750000,0.750000,0.750000,3",
            "fedavg,contacts,4.000,4.000,4.000,3",
            "fedavg,bytes_down,2000,2000,2000,3",
            "fedavg,bytes_up,2000,2000,2000,3",
            "fedavg,bytes_moved,8000,8000,8000,3",
            "fedavg,stored_bytes,1000,1000,1000,3",
            "fedavg,consolidation_steps,0.000,0.000,0.000,3",
            "fedavg,consolidation_samples,0.000,0.000,0.000,3",
            "fedavg,seconds,5.000,5.000,5.000,3",
        ];
        assert_eq!(of("fedavg"), expected);
        assert!(of("finetune,bytes_moved")[0].starts_with("finetune,bytes_moved,0,"));
    }

    #[test]
    fn parts_of_the_budget_are_found_by_the_names_that_the_table_gives() {
        let mut results = example::results();
        for cell in &mut results.rows[0].cells {
            let early =
                alluvium_results::EarlyAccuracy { budget: 0.01, accuracy: vec![0.5, 0.25], alone: vec![0.5; 2] };
            cell.early_accuracy = vec![early];
        }
        let text = summary_csv(&results).expect("valid results");
        assert!(text.contains("\nnaive,expert_accuracy@0.01,0.375000,0.375000,0.375000,3\n"), "{text}");
        assert!(text.contains("\nnaive,forward_transfer@0.01,-0.250000,"), "{text}");
        let table = crate::table::Table::new(&results).to_markdown();
        assert!(table.contains("- **devices at 1 %** (`expert_accuracy@0.01`): "), "{table}");
        assert!(table.contains("- **forward transfer at 1 %** (`forward_transfer@0.01`): "), "{table}");
    }

    #[test]
    fn one_seed_leaves_the_interval_empty() {
        let mut results = example::results();
        results.rows.truncate(1);
        results.rows[0].cells.truncate(1);
        let text = summary_csv(&results).expect("valid results");
        let line = text.lines().nth(1).expect("a line");
        assert_eq!(line, "naive,average_accuracy_task_aware,0.500000,,,1");
    }

    #[test]
    fn names_are_quoted_where_they_must_be() {
        let mut results = example::results();
        results.rows[0].name = "naive, \"slow\"".into();
        let text = summary_csv(&results).expect("valid results");
        assert!(text.contains("\n\"naive, \"\"slow\"\"\",seconds,"), "{text}");
    }
}
