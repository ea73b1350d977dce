//! The comparison table as data. `terminal`, `markdown`, `latex` and `page` render it.

use std::collections::BTreeMap;

use alluvium_results::{Cell, EarlyAccuracy, Estimate, FurtherAccuracy, Metric, Results, Row, RowRole, Unit};

use crate::allowed::{self, Allowances};
use crate::column::{Column, Content, Words, columns};
use crate::label::one_line;
use crate::number::Scale;

/// The comparison of all rows of [`Results`]: strategies first, and references below a rule.
///
/// Columns without a number in any row are left out.
#[derive(Debug, Clone)]
pub struct Table {
    /// The comparison's name.
    pub(crate) title: String,
    /// The columns of words, in front.
    pub(crate) words: Vec<Words>,
    /// The columns of numbers.
    pub(crate) columns: Vec<Heading>,
    /// The rows, in the order of the configuration.
    lines: Vec<Line>,
    /// What each row was allowed.
    pub(crate) allowed: Allowances,
    /// The origin of the numbers.
    pub(crate) run: Facts,
}

/// A column of this table, and its heading with the unit that fits these numbers.
#[derive(Debug, Clone)]
pub(crate) struct Heading {
    pub(crate) column: Column,
    pub(crate) text: String,
}

/// A row of the table.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    role: RowRole,
    pub(crate) name: String,
    /// Whether its accuracies cover fewer tasks than the stream has.
    lacks_tasks: bool,
    /// Whether it is the baseline.
    pub(crate) is_baseline: bool,
    /// The protocol that it ran under; empty for a row without protocol.
    pub(crate) protocol: String,
    pub(crate) data_access: String,
    /// One entry for each column of the table.
    pub(crate) entries: Vec<Option<Entry>>,
}

/// A number of the table, ready to print.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) mean: String,
    /// Half of the width of the 95 % interval.
    pub(crate) half_width: Option<String>,
    /// Whether this is a difference with p < 0.05.
    pub(crate) significant: bool,
    /// Whether no strategy shows a better number in this column, and at least one shows a worse one.
    pub(crate) best: bool,
    /// The sort key: the mean in the unit of the metric, not rounded.
    pub(crate) value: f64,
    /// The number of its seeds.
    pub(crate) seeds: usize,
    /// The p-value of a difference; `None` if it is not a difference, and for a single seed.
    pub(crate) p_value: Option<f64>,
}

/// Facts about the run, which are shown below the table.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) protocol: String,
    pub(crate) seeds: Vec<u64>,
    /// The name of the row or run that rows are compared with.
    pub(crate) baseline: Option<String>,
    /// The number of tasks, and their names if these hold under every seed.
    pub(crate) tasks: String,
    /// The numbers of the devices that are left out of the accuracies.
    left_out: Vec<String>,
    /// Notes of the run itself.
    notes: Vec<String>,
    /// The file that all models start from, as a note; `None` where first weights are drawn from the seed.
    first_weights: Option<String>,
    pub(crate) versions: BTreeMap<String, String>,
    pub(crate) environment: BTreeMap<String, String>,
}

impl Table {
    /// The table of these results.
    pub fn new(results: &Results) -> Self {
        let mut table = Self {
            title: one_line(&results.name),
            words: Words::columns(allowed::differs(results)),
            columns: Vec::new(),
            lines: results.rows.iter().map(|row| Line::new(row, results)).collect(),
            allowed: Allowances::new(results),
            run: Facts::new(results),
        };
        for column in columns(results) {
            table.add(column, results);
        }
        table
    }

    /// The rows that compete.
    pub(crate) fn strategies(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| line.role == RowRole::Strategy)
    }

    /// The references, which are below a rule.
    pub(crate) fn references(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| line.role == RowRole::Reference)
    }

    /// Notes of the run and on where all models start, and notes on accuracies that do not cover every task of the stream.
    pub(crate) fn notes_on_run(&self) -> Vec<String> {
        let mut notes = Vec::from_iter(self.run.first_weights.clone());
        notes.extend(self.run.notes.iter().cloned());
        let left_out = &self.run.left_out;
        if !left_out.is_empty() {
            let devices = if left_out.len() == 1 { "device" } else { "devices" };
            let left_out = left_out.join(", ");
            notes.push(format!("Accuracies: over the tasks without {devices} {left_out}; costs: of the whole run."));
        }
        if self.lines.iter().any(|line| line.lacks_tasks) {
            notes.push("With fewer tasks: accuracies are over those of the devices that came back.".to_owned());
        }
        notes
    }

    /// Adds the column, if any row has a number for it.
    fn add(&mut self, column: Column, results: &Results) {
        let numbers = numbers(&column.content, results);
        let largest = numbers.iter().flatten().map(|number| number.estimate.mean).reduce(f64::max);
        let Some(largest) = largest else { return };

        let scale = scale(&column.content, largest);
        for (line, number) in self.lines.iter_mut().zip(numbers) {
            line.entries.push(number.map(|number| number.entry(&column.content, scale)));
        }
        let text = match scale.unit {
            Some(unit) => format!("{} ({unit})", column.heading),
            None => column.heading.to_string(),
        };
        self.columns.push(Heading { column, text });
        self.mark_best(self.columns.len() - 1);
    }

    /// Marks the best numbers of a column among the strategies. References do not compete.
    ///
    /// Numbers that look the same count as equal, because a reader could not see why only one of them is bold. If all strategies
    /// are equal, or if neither direction is better, none is marked.
    fn mark_best(&mut self, index: usize) {
        let Some(higher) = self.columns[index].column.content.higher_is_better() else { return };
        let entries = || self.strategies().filter_map(|line| line.entries[index].as_ref());
        let better = |a: &Entry, b: &Entry| if higher { a.value > b.value } else { a.value < b.value };
        let Some(best) = entries().reduce(|best, entry| if better(entry, best) { entry } else { best }) else {
            return;
        };
        if entries().all(|entry| entry.mean == best.mean) {
            return;
        }
        let shown = best.mean.clone();
        for line in self.lines.iter_mut().filter(|line| line.role == RowRole::Strategy) {
            if let Some(entry) = &mut line.entries[index] {
                entry.best = entry.mean == shown;
            }
        }
    }
}

impl Line {
    /// The text in a column of words.
    pub(crate) fn words(&self, column: Words) -> &str {
        match column {
            Words::Strategy => &self.name,
            Words::Protocol => &self.protocol,
            Words::Data => &self.data_access,
        }
    }

    fn new(row: &Row, results: &Results) -> Self {
        let mut name = one_line(&row.name);
        let tasks = fewer_tasks(row, results);
        let parts: Vec<_> = fewer_seeds(row, results).into_iter().chain(tasks.clone()).collect();
        if !parts.is_empty() {
            name.push_str(&format!(" ({})", parts.join(", ")));
        }
        Self {
            role: row.role,
            name,
            lacks_tasks: tasks.is_some(),
            is_baseline: results.baseline.as_ref() == Some(&row.name),
            protocol: one_line(&row.protocol),
            data_access: one_line(&row.data_access),
            entries: Vec::new(),
        }
    }
}

/// The number of seeds that a row has; `None` if it has all of them.
fn fewer_seeds(row: &Row, results: &Results) -> Option<String> {
    let (done, all) = (row.cells.len(), results.seeds.len());
    (done < all).then(|| format!("{done} of {all} seeds"))
}

/// The number of tasks that the accuracies of a row cover; `None` if they cover all tasks under every seed.
fn fewer_tasks(row: &Row, results: &Results) -> Option<String> {
    // A cell that was not judged yet covers no task.
    let tasks = || row.cells.iter().map(Cell::tasks).filter(|tasks| *tasks > 0);
    let all = results.tasks.len();
    let (least, most) = (tasks().min()?, tasks().max()?);
    let some = if least == most { least.to_string() } else { format!("{least} to {most}") };
    (least < all).then(|| format!("{some} of {all} tasks"))
}

impl Facts {
    fn new(results: &Results) -> Self {
        Self {
            protocol: allowed::protocols(results),
            seeds: results.seeds.clone(),
            baseline: baseline(results),
            tasks: tasks(results),
            left_out: results.left_out.iter().map(|device| (device + 1).to_string()).collect(),
            notes: results.notes.iter().map(|note| one_line(note)).collect(),
            first_weights: results.first_weights().map(|(file, digest)| {
                format!("All models start from {}, SHA-256 of its tensors {}.", one_line(file), one_line(digest))
            }),
            versions: results.versions.clone(),
            environment: results.environment.clone(),
        }
    }
}

fn baseline(results: &Results) -> Option<String> {
    match &results.control {
        Some(control) => Some(format!("the same row of {}", one_line(&control.name))),
        None => results.baseline.as_deref().map(one_line),
    }
}

fn tasks(results: &Results) -> String {
    let count = results.tasks.len();
    if results.tasks_vary {
        format!("{count}, others under each seed")
    } else {
        let names: Vec<_> = results.tasks.iter().map(|task| one_line(&task.name)).collect();
        format!("{count} ({})", names.join("; "))
    }
}

/// A number of the table before it is formatted.
#[derive(Debug, Clone, Copy)]
struct Number {
    estimate: Estimate,
    significant: bool,
    p_value: Option<f64>,
}

impl Number {
    fn entry(self, content: &Content, scale: Scale) -> Entry {
        let mean = self.estimate.mean;
        // Counts are mostly the same under every seed, and "± 0" would only fill the table. A measurement that
        // happens not to vary keeps it.
        let is_exact = matches!(content.unit(), Unit::Bytes | Unit::Count);
        let half_width = self.estimate.half_width().filter(|half| !is_exact || *half > 0.0);
        Entry {
            mean: match content {
                Content::Difference(_) => scale.show_signed(mean),
                _ => scale.show(mean),
            },
            half_width: half_width.map(|half| scale.show(half)),
            significant: self.significant,
            best: false,
            value: mean,
            seeds: self.estimate.n,
            p_value: self.p_value,
        }
    }
}

/// The numbers of a column, one for each row of the results.
fn numbers(content: &Content, results: &Results) -> Vec<Option<Number>> {
    let estimated = |estimate: &dyn Fn(&Row) -> Option<Estimate>| {
        let number = |row| Some(Number { estimate: estimate(row)?, significant: false, p_value: None });
        results.rows.iter().map(number).collect()
    };
    match content {
        Content::Estimate(metric) => estimated(&|row| row.estimate(*metric)),
        Content::Early(budget) => estimated(&|row| row.early(*budget, EarlyAccuracy::mean)),
        Content::EarlyTransfer(budget) => estimated(&|row| row.early(*budget, EarlyAccuracy::forward_transfer)),
        Content::Further(test) => estimated(&|row| row.further(test, FurtherAccuracy::last)),
        Content::BestDevice(test) => estimated(&|row| row.further(test, FurtherAccuracy::best_device)),
        Content::KnownAfter(test) => estimated(&|row| row.further(test, FurtherAccuracy::known_after)),
        Content::Difference(metric) => {
            let differences: BTreeMap<_, _> = results.difference_to_baseline(*metric).into_iter().collect();
            let number = |row: &Row| {
                // References do not compete, so their differences are not tested.
                let difference = differences.get(&row.name).filter(|_| row.role == RowRole::Strategy)?;
                Some(Number {
                    estimate: difference.estimate,
                    significant: difference.is_significant(),
                    p_value: difference.p_value,
                })
            };
            results.rows.iter().map(number).collect()
        }
    }
}

/// The scale of a column with numbers up to `largest`.
fn scale(content: &Content, largest: f64) -> Scale {
    match content.metric() {
        Metric::LatentSimilarity => Scale::FRACTION,
        _ => match content.unit() {
            Unit::Fraction => Scale::PERCENT,
            Unit::Bytes => Scale::bytes(largest),
            Unit::Seconds => Scale::SECONDS,
            Unit::Count => Scale::COUNT,
        },
    }
}

#[cfg(test)]
mod tests {
    use alluvium_results::Accuracy;

    use super::*;
    use crate::example;

    fn entry(table: &Table, row: usize, heading: &str) -> Option<Entry> {
        let column = table
            .columns
            .iter()
            .position(|column| column.text.replace('\n', " ") == heading)
            .expect("the column is there");
        table.lines[row].entries[column].clone()
    }

    /// An entry as a reader sees it.
    fn shown(table: &Table, row: usize, heading: &str) -> Option<(String, Option<String>, bool)> {
        entry(table, row, heading).map(|entry| (entry.mean, entry.half_width, entry.significant))
    }

    fn number(mean: &str, half_width: &str, significant: bool) -> Option<(String, Option<String>, bool)> {
        Some((mean.into(), Some(half_width.into()), significant))
    }

    // The numbers are worked out by hand in `example.rs`.

    #[test]
    fn entries_are_percent_with_half_widths() {
        let table = Table::new(&example::results());
        assert_eq!(shown(&table, 0, "ACC task-aware"), number("50.0", "0.0", false));
        assert_eq!(shown(&table, 1, "ACC task-aware"), number("70.0", "24.8", false));
    }

    #[test]
    fn differences_are_signed_marked_and_for_other_strategies_only() {
        let table = Table::new(&example::results());
        assert_eq!(shown(&table, 0, "Δ ACC task-agnostic"), None, "the baseline");
        assert_eq!(shown(&table, 1, "Δ ACC task-agnostic"), number("+25.0", "0.0", true));
        assert_eq!(shown(&table, 1, "Δ ACC task-aware"), number("+20.0", "24.8", false));
        assert_eq!(shown(&table, 2, "Δ ACC task-aware"), None, "a reference");
    }

    #[test]
    fn bytes_share_a_unit_and_have_no_interval_without_variation() {
        let table = Table::new(&example::results());
        let up = entry(&table, 0, "bytes up (kB)").expect("measured");
        assert_eq!((up.mean.as_str(), up.half_width), ("1.50", None));
    }

    #[test]
    fn a_column_without_numbers_is_left_out() {
        let mut results = example::results();
        results.baseline = None;
        let table = Table::new(&results);
        assert!(table.columns.iter().all(|heading| !heading.text.contains('Δ')));
        assert!(table.columns.iter().all(|heading| !heading.text.contains("memory")));
    }

    #[test]
    fn an_unfinished_row_says_so() {
        let mut results = example::results();
        results.rows[1].cells.pop();
        let table = Table::new(&results);
        assert_eq!(table.lines[1].name, "pld (2 of 3 seeds)");
    }

    #[test]
    fn against_a_control_run_every_strategy_has_a_difference() {
        let mut control = example::results();
        // naive: 0.5 − 0.25; pld: 0.5, 0.5, 0.5 − 0.25 in task-agnostic ACC.
        control.rows[1].cells = control.rows[0].cells.clone();
        let table = Table::new(&example::results().against("clean", &control).expect("the same rows"));
        assert_eq!(shown(&table, 0, "Δ ACC task-agnostic"), number("0.0", "0.0", false));
        assert_eq!(shown(&table, 1, "Δ ACC task-agnostic"), number("+25.0", "0.0", true));
        assert!(table.lines.iter().all(|line| !line.is_baseline));
        let note = "Δ: minus the same row of clean, paired by seed";
        assert!(table.to_terminal().contains(note), "{}", table.to_terminal());
        assert!(table.to_markdown().contains("- **baseline**: the same row of clean\n"), "{}", table.to_markdown());
    }

    #[test]
    fn a_row_over_fewer_tasks_says_so() {
        let mut results = example::results();
        assert!(Table::new(&results).notes_on_run().is_empty());
        // The second device never came back under the last seed.
        let matrix = alluvium_results::AccuracyMatrix::from_rows(vec![vec![0.5]]).expect("valid");
        let accuracy = Accuracy::Stream { task_aware: matrix.clone(), task_agnostic: matrix };
        results.rows[1].cells[2] = Cell { arrivals: vec![0], ..Cell::new(3, accuracy) };
        let table = Table::new(&results);
        assert_eq!(table.lines[1].name, "pld (1 to 2 of 2 tasks)");
        assert_eq!(table.lines[0].name, "naive");
        results.rows[1].cells.drain(..2);
        let table = Table::new(&results);
        assert_eq!(table.lines[1].name, "pld (1 of 3 seeds, 1 of 2 tasks)");
        assert_eq!(
            table.notes_on_run(),
            ["With fewer tasks: accuracies are over those of the devices that came back."]
        );
    }

    #[test]
    fn devices_that_are_left_out_are_named_wherever_the_table_is_shown() {
        let others = example::results().without_devices(&std::collections::BTreeSet::from([1])).expect("one is left");
        let table = Table::new(&others);
        assert_eq!(table.lines[0].name, "naive", "all tasks that are left");
        let note = "Accuracies: over the tasks without device 2; costs: of the whole run.";
        assert!(table.to_terminal().contains(note), "{}", table.to_terminal());
        assert!(table.to_markdown().contains(note), "{}", table.to_markdown());
        assert!(table.to_latex().contains(note), "{}", table.to_latex());
    }

    #[test]
    fn the_file_of_the_first_weights_is_named_below_the_table() {
        let mut results = example::results();
        results.config["initial"] = serde_json::json!({"file": "a/first_1.pt", "digest": "0a1b"});
        let table = Table::new(&results);
        let note = "All models start from a/first_1.pt, SHA-256 of its tensors 0a1b.";
        assert!(table.to_terminal().contains(note), "{}", table.to_terminal());
        assert!(table.to_markdown().contains("0a1b"), "{}", table.to_markdown());
        assert!(table.to_latex().contains("0a1b"), "{}", table.to_latex());
        // Weights that the seed draws need no note.
        results.config["initial"] = serde_json::json!({"file": ""});
        assert!(!Table::new(&results).to_terminal().contains("start from"));
    }

    #[test]
    fn the_best_strategy_is_marked_by_the_direction_of_the_metric() {
        let mut results = example::results();
        results.baseline = Some("joint".into());
        let table = Table::new(&results);
        let best = |row, heading| entry(&table, row, heading).expect("measured").best;
        assert!(!best(0, "ACC task-aware") && best(1, "ACC task-aware"), "50 and 70");
        assert!(!best(2, "ACC task-aware"), "90, but of a reference");
        assert!(best(1, "forgetting task-aware"), "75 and 40, lower is better");
        assert!(best(0, "time (s)"), "2 and 11 s");
        // Both strategies minus joint: 50 − 90 and 70 − 90.
        assert!(!best(0, "Δ ACC task-aware") && best(1, "Δ ACC task-aware"));
        assert!(!best(0, "bytes up (kB)") && !best(1, "bytes up (kB)"), "the same");
        assert!(!best(1, "latent CKA"), "no direction is better");
    }

    #[test]
    fn an_entry_carries_what_it_is_sorted_by_and_tested_with() {
        let table = Table::new(&example::results());
        let difference = entry(&table, 1, "Δ ACC task-aware").expect("measured");
        assert!((difference.value - 0.2).abs() < 1e-12);
        assert_eq!(difference.seeds, 3);
        // t = 2√3 with two degrees of freedom: p = 1 − t / √(2 + t²) = 1 − √(12 / 14).
        let expected = 1.0 - (12.0_f64 / 14.0).sqrt();
        assert!((difference.p_value.expect("tested") - expected).abs() < 1e-9);
    }
}
