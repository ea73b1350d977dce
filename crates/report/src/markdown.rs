//! The comparison table as Markdown, to paste into a paper's draft or an issue.

use std::collections::BTreeMap;

use crate::allowed::{self, AllowedRow};
use crate::column::TableSection;
use crate::table::{Entry, Line, Table};

/// The text for a missing number.
const ABSENT: &str = "–";

impl Table {
    /// The text of `table.md`: the title, the table in parts that fit a page, a legend with a line for each
    /// column, and the origin of the numbers.
    pub fn to_markdown(&self) -> String {
        let mut text = format!("# {}\n", escape(&self.title));
        for part in TableSection::ALL {
            self.push_part(&mut text, part);
        }
        self.push_allowed(&mut text);
        self.push_legend(&mut text);
        self.push_run(&mut text);
        text
    }

    /// One part of the table; nothing if it has no columns. References without a number in it are left out.
    fn push_part(&self, text: &mut String, part: TableSection) {
        let shown: Vec<usize> =
            (0..self.columns.len()).filter(|index| self.columns[*index].column.part == part).collect();
        if shown.is_empty() {
            return;
        }

        let mut heading: Vec<String> = self.words.iter().map(|words| words.heading().to_owned()).collect();
        heading.extend(shown.iter().map(|index| in_one_line(&self.columns[*index].text)));
        let cells = |line: &Line| {
            let mut cells: Vec<String> =
                self.words.iter().map(|words| or_absent(&escape(line.words(*words)))).collect();
            cells.extend(shown.iter().map(|index| show(line.entries[*index].as_ref())));
            cells
        };
        let mut rows: Vec<Vec<String>> = self.strategies().map(cells).collect();
        let references: Vec<Vec<String>> = self
            .references()
            .filter(|line| shown.iter().any(|index| line.entries[*index].is_some()))
            .map(cells)
            .collect();
        if !references.is_empty() {
            // Markdown does not have rules within a table.
            let mut rule = vec![String::new(); heading.len()];
            rule[0] = "*for reference*".to_owned();
            rows.push(rule);
            rows.extend(references);
        }

        text.push_str(&format!("\n## {}\n\n", part.title()));
        push_table(text, &heading, &rows, self.words.len());
    }

    /// What each row was allowed, if rows have protocols.
    fn push_allowed(&self, text: &mut String) {
        if self.allowed.rows.is_empty() {
            return;
        }
        let mut heading = vec!["strategy".to_owned(), "protocol".to_owned()];
        heading.extend(self.allowed.clauses.iter().map(|name| escape(name)));
        let cells = |row: &AllowedRow| {
            let mut cells = vec![escape(&row.name), escape(&row.protocol)];
            cells.extend(row.values.iter().map(|value| or_absent(&escape(value.as_deref().unwrap_or_default()))));
            cells
        };
        let rows: Vec<_> = self.allowed.rows.iter().map(cells).collect();
        text.push_str(&format!("\n## {}\n\n", allowed::TITLE));
        push_table(text, &heading, &rows, heading.len());
    }

    fn push_legend(&self, text: &mut String) {
        text.push_str("\n## Legend\n\n");
        if self.run.seeds.len() > 1 {
            text.push_str("Numbers are mean ± half-width of the 95 % confidence interval over seeds (Student t).\n");
        }
        for note in self.notes_on_run() {
            text.push_str(&format!("{}\n", escape(&note)));
        }
        text.push_str(
            "Task-aware: the task of a test sample is known; task-agnostic: it is not, and all heads compete.\n\n",
        );
        for words in &self.words {
            if let Some(meaning) = words.meaning() {
                text.push_str(&format!("- **{}**: {meaning}\n", words.heading()));
            }
        }
        for heading in &self.columns {
            let name = in_one_line(&heading.text);
            let meaning = escape(&heading.column.meaning());
            // The full name, under which the same number is in summary.csv.
            let in_files =
                heading.column.content.name_in_files().map(|name| format!(" (`{name}`)")).unwrap_or_default();
            text.push_str(&format!("- **{name}**{in_files}: {meaning}\n"));
        }
    }

    fn push_run(&self, text: &mut String) {
        let run = &self.run;
        let seeds: Vec<String> = run.seeds.iter().map(u64::to_string).collect();
        let mut facts = vec![
            ("protocol", run.protocol.clone()),
            ("baseline", run.baseline.clone().unwrap_or_else(|| "none".to_owned())),
            ("seeds", seeds.join(", ")),
            ("tasks", run.tasks.clone()),
        ];
        if !run.versions.is_empty() {
            facts.push(("versions", join(&run.versions, " ")));
        }
        if !run.environment.is_empty() {
            facts.push(("environment", join(&run.environment, ": ")));
        }
        text.push_str("\n## Run\n\n");
        for (name, fact) in facts {
            text.push_str(&format!("- **{name}**: {}\n", escape(&fact)));
        }
    }
}

/// A Markdown table, padded so that its source is readable, too. The first `words` columns are words.
fn push_table(text: &mut String, heading: &[String], rows: &[Vec<String>], words: usize) {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| &row[column]);
        let widest = cells.chain([&heading[column]]).map(|cell| cell.chars().count()).max();
        widest.unwrap_or(0).max("--:".len())
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let is_words = |column: usize| column < words;

    let mut push_row = |cells: &[String]| {
        for (column, (cell, width)) in cells.iter().zip(&widths).enumerate() {
            let padded = if is_words(column) { format!("| {cell:<width$} ") } else { format!("| {cell:>width$} ") };
            text.push_str(&padded);
        }
        text.push_str("|\n");
    };
    push_row(heading);
    let rule: Vec<String> = widths
        .iter()
        .enumerate()
        .map(
            |(column, width)| if is_words(column) { "-".repeat(*width) } else { format!("{}:", "-".repeat(width - 1)) },
        )
        .collect();
    push_row(&rule);
    for row in rows {
        push_row(row);
    }
}

fn show(entry: Option<&Entry>) -> String {
    let Some(entry) = entry else {
        return ABSENT.to_owned();
    };
    let mut text = entry.mean.clone();
    if let Some(half_width) = &entry.half_width {
        text.push_str(&format!(" ± {half_width}"));
    }
    if entry.significant {
        text.push_str(" \\*");
    }
    text
}

/// Words, or the text for missing ones.
fn or_absent(words: &str) -> String {
    if words.is_empty() { ABSENT.to_owned() } else { words.to_owned() }
}

fn in_one_line(heading: &str) -> String {
    heading.replace('\n', " ")
}

fn join(facts: &BTreeMap<String, String>, separator: &str) -> String {
    let facts: Vec<String> =
        facts.iter().map(|(name, fact)| in_one_line(&format!("{name}{separator}{fact}"))).collect();
    facts.join(", ")
}

/// Escapes words for Markdown.
fn escape(words: &str) -> String {
    let mut escaped = String::with_capacity(words.len());
    for c in words.chars() {
        if matches!(c, '\\' | '|' | '*' | '`' | '<' | '[' | ']') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    #[test]
    fn the_golden_table() {
        let text = Table::new(&example::results()).to_markdown();
        assert_eq!(text, example::MARKDOWN, "\n{text}");
    }

    #[test]
    fn the_golden_table_of_three_protocols() {
        let text = Table::new(&example::mixed()).to_markdown();
        assert_eq!(text, example::MIXED_MARKDOWN, "\n{text}");
    }

    #[test]
    fn every_row_of_a_table_has_every_cell() {
        let mut results = example::results();
        results.rows[0].name = "a|b".into();
        results.baseline = Some("a|b".into());
        let text = Table::new(&results).to_markdown();
        let cells = |line: &str| line.replace("\\|", "").matches('|').count();
        for table in text.split("\n## ").filter(|part| part.contains("|-")) {
            let counts: Vec<_> = table.lines().filter(|line| line.starts_with('|')).map(cells).collect();
            assert!(counts.iter().all(|count| *count == counts[0]), "{table}");
        }
    }
}
