//! The comparison table as a model; `terminal` and `markdown` render it.

use std::collections::BTreeMap;

use alluvium_results::{Estimate, Metric, Results, Row, RowRole, Unit};

use crate::column::{COLUMNS, Column, Content};
use crate::number::Scale;

/// The comparison of all rows of [`Results`]: strategies first, references below a rule.
///
/// Columns that no row has a number for are left out.
#[derive(Debug, Clone)]
pub struct Table {
    /// The comparison's name.
    pub(crate) title: String,
    /// The columns of numbers that are there.
    pub(crate) columns: Vec<Heading>,
    /// The rows, in the order of the configuration.
    lines: Vec<Line>,
    /// Where the numbers come from.
    pub(crate) run: Run,
}

/// A column of this table: what it is, and its heading with the unit that fits these numbers.
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
    pub(crate) data_access: String,
    /// One entry for each of the table's columns.
    pub(crate) entries: Vec<Option<Entry>>,
}

/// A number of the table, ready to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) mean: String,
    /// Half of the 95 % interval's width.
    pub(crate) half_width: Option<String>,
    /// Whether this is a difference with p < 0.05.
    pub(crate) significant: bool,
}

/// Facts about the run, for below the table.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) protocol: String,
    pub(crate) seeds: Vec<u64>,
    pub(crate) baseline: Option<String>,
    pub(crate) tasks: Vec<String>,
    pub(crate) versions: BTreeMap<String, String>,
    pub(crate) environment: BTreeMap<String, String>,
}

impl Table {
    /// The table of these results.
    pub fn new(results: &Results) -> Self {
        let mut table = Self {
            title: one_line(&results.name),
            columns: Vec::new(),
            lines: results.rows.iter().map(|row| Line::new(row, results)).collect(),
            run: Run::new(results),
        };
        for column in COLUMNS {
            table.add(column, results);
        }
        table
    }

    /// The rows that compete.
    pub(crate) fn strategies(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| line.role == RowRole::Strategy)
    }

    /// The rows for orientation, which stand below a rule.
    pub(crate) fn references(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| line.role == RowRole::Reference)
    }

    /// Adds the column, unless no row has a number for it.
    fn add(&mut self, column: Column, results: &Results) {
        let numbers = numbers(column.content, results);
        let largest = numbers.iter().flatten().map(|number| number.estimate.mean).reduce(f64::max);
        let Some(largest) = largest else { return };

        let scale = scale(column.content, largest);
        for (line, number) in self.lines.iter_mut().zip(numbers) {
            line.entries.push(number.map(|number| number.entry(column.content, scale)));
        }
        let text = match scale.unit {
            Some(unit) => format!("{} ({unit})", column.heading),
            None => column.heading.to_owned(),
        };
        self.columns.push(Heading { column, text });
    }
}

impl Line {
    fn new(row: &Row, results: &Results) -> Self {
        let (done, all) = (row.cells.len(), results.seeds.len());
        let mut name = one_line(&row.name);
        if done < all {
            name.push_str(&format!(" ({done} of {all} seeds)"));
        }
        Self { role: row.role, name, data_access: one_line(&row.data_access), entries: Vec::new() }
    }
}

impl Run {
    fn new(results: &Results) -> Self {
        Self {
            protocol: one_line(&results.protocol),
            seeds: results.seeds.clone(),
            baseline: results.baseline.as_deref().map(one_line),
            tasks: results.tasks.iter().map(|task| one_line(&task.name)).collect(),
            versions: results.versions.clone(),
            environment: results.environment.clone(),
        }
    }
}

/// A number of the table before it is a text.
#[derive(Debug, Clone, Copy)]
struct Number {
    estimate: Estimate,
    significant: bool,
}

impl Number {
    fn entry(self, content: Content, scale: Scale) -> Entry {
        let mean = self.estimate.mean;
        // Counted numbers are mostly the same under every seed, and "± 0" would only fill the table. A
        // measured one that happens not to vary keeps it.
        let is_exact = metric(content).unit() == Unit::Bytes;
        let half_width = self.estimate.half_width().filter(|half| !is_exact || *half > 0.0);
        Entry {
            mean: match content {
                Content::Estimate(_) => scale.show(mean),
                Content::Difference(_) => scale.show_signed(mean),
            },
            half_width: half_width.map(|half| scale.show(half)),
            significant: self.significant,
        }
    }
}

/// The numbers of a column, one for each row of the results.
fn numbers(content: Content, results: &Results) -> Vec<Option<Number>> {
    match content {
        Content::Estimate(metric) => results
            .rows
            .iter()
            .map(|row| Some(Number { estimate: row.estimate(metric)?, significant: false }))
            .collect(),
        Content::Difference(metric) => {
            let differences: BTreeMap<_, _> = results.difference_to_baseline(metric).into_iter().collect();
            let number = |row: &Row| {
                // A reference is no contender: it is there to be read beside the others, not tested.
                let difference = differences.get(&row.name).filter(|_| row.role == RowRole::Strategy)?;
                Some(Number { estimate: difference.estimate, significant: difference.is_significant() })
            };
            results.rows.iter().map(number).collect()
        }
    }
}

fn metric(content: Content) -> Metric {
    match content {
        Content::Estimate(metric) | Content::Difference(metric) => metric,
    }
}

/// The scale for a column with numbers up to `largest`.
fn scale(content: Content, largest: f64) -> Scale {
    match metric(content) {
        Metric::LatentSimilarity => Scale::FRACTION,
        metric => match metric.unit() {
            Unit::Fraction => Scale::PERCENT,
            Unit::Bytes => Scale::bytes(largest),
            Unit::Seconds | Unit::Count => Scale::SECONDS,
        },
    }
}

/// The text with every control character, a line break above all, as a space: a name cannot break a table
/// or send commands to a terminal.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
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

    fn number(mean: &str, half_width: &str, significant: bool) -> Option<Entry> {
        Some(Entry { mean: mean.into(), half_width: Some(half_width.into()), significant })
    }

    // The numbers are worked out by hand in `example.rs`.

    #[test]
    fn entries_are_percent_with_half_widths() {
        let table = Table::new(&example::results());
        assert_eq!(entry(&table, 0, "ACC task-aware"), number("50.0", "0.0", false));
        assert_eq!(entry(&table, 1, "ACC task-aware"), number("70.0", "24.8", false));
    }

    #[test]
    fn differences_are_signed_marked_and_for_other_strategies_only() {
        let table = Table::new(&example::results());
        assert_eq!(entry(&table, 0, "Δ ACC task-agnostic"), None, "the baseline");
        assert_eq!(entry(&table, 1, "Δ ACC task-agnostic"), number("+25.0", "0.0", true));
        assert_eq!(entry(&table, 1, "Δ ACC task-aware"), number("+20.0", "24.8", false));
        assert_eq!(entry(&table, 2, "Δ ACC task-aware"), None, "a reference");
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
    fn a_name_cannot_break_the_table() {
        assert_eq!(one_line("a\nb\u{1b}[2J"), "a b [2J");
    }
}
