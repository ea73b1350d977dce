//! The comparison table of the page, in parts that are sorted separately.

use serde::Serialize;

use crate::column::{Content, TableSection};
use crate::table::{Entry, Heading, Line, Table};

/// A part of the table.
#[derive(Debug, Serialize)]
pub(crate) struct ComparisonPart {
    title: &'static str,
    words: Vec<WordsHead>,
    columns: Vec<ColumnHead>,
    /// The strategies, and the references below them.
    bodies: Vec<Body>,
}

/// The heading of a column of words.
#[derive(Debug, Serialize)]
struct WordsHead {
    name: &'static str,
    meaning: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct ColumnHead {
    /// The heading, line by line.
    lines: Vec<String>,
    /// The heading in one line.
    name: String,
    meaning: String,
    /// The name in files; `None` for a difference.
    metric: Option<String>,
}

#[derive(Debug, Serialize)]
struct Body {
    references: bool,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    /// The columns of words after the name.
    words: Vec<String>,
    baseline: bool,
    entries: Vec<Option<PageNumber>>,
}

#[derive(Debug, Serialize)]
struct PageNumber {
    mean: String,
    half_width: Option<String>,
    best: bool,
    /// Whether it is a difference. Only differences may have a star.
    tested: bool,
    significant: bool,
    /// The sort key, as a text that is parsed to exactly the same number.
    value: String,
    /// The tooltip.
    title: Option<String>,
}

/// The parts with columns.
pub(crate) fn parts(table: &Table) -> Vec<ComparisonPart> {
    TableSection::ALL.into_iter().filter_map(|part| comparison_part(table, part)).collect()
}

/// The notes on the numbers.
pub(crate) fn notes(table: &Table) -> Vec<String> {
    let mut notes = vec![match table.run.seeds.len() {
        1 => "One seed, so no intervals.".to_owned(),
        seeds => format!("Mean ± half-width of the 95 % confidence interval over {seeds} seeds (Student t)."),
    }];
    notes.extend(table.notes_on_run());
    notes.push("Bold: the best strategy of a column; references do not compete.".to_owned());
    if let Some(baseline) = &table.run.baseline {
        notes.push(format!(
            "Δ: minus {baseline}, paired by seed; * p < 0.05 in a two-sided paired t-test, not corrected for the number \
             of comparisons. Point at a difference for its p-value."
        ));
    }
    notes
}

fn comparison_part(table: &Table, part: TableSection) -> Option<ComparisonPart> {
    let shown: Vec<usize> =
        (0..table.columns.len()).filter(|index| table.columns[*index].column.part == part).collect();
    if shown.is_empty() {
        return None;
    }
    let columns: Vec<&Heading> = shown.iter().map(|index| &table.columns[*index]).collect();

    let row = |line: &Line| Row {
        name: line.name.clone(),
        words: table.words.iter().skip(1).map(|words| line.words(*words).to_owned()).collect(),
        baseline: line.is_baseline,
        entries: shown.iter().map(|index| number(line.entries[*index].as_ref()?, &table.columns[*index])).collect(),
    };
    let strategies: Vec<Row> = table.strategies().map(row).collect();
    // A reference without a number in this part would give a line of dashes.
    let references: Vec<Row> =
        table.references().map(row).filter(|row| row.entries.iter().any(Option::is_some)).collect();
    let bodies = [(false, strategies), (true, references)];
    let bodies = bodies.into_iter().filter(|(_, rows)| !rows.is_empty());

    Some(ComparisonPart {
        title: part.title(),
        words: table.words.iter().map(|words| WordsHead { name: words.heading(), meaning: words.meaning() }).collect(),
        columns: columns.into_iter().map(column_head).collect(),
        bodies: bodies.map(|(references, rows)| Body { references, rows }).collect(),
    })
}

fn column_head(heading: &Heading) -> ColumnHead {
    ColumnHead {
        lines: heading.text.lines().map(str::to_owned).collect(),
        name: heading.text.replace('\n', " "),
        meaning: heading.column.meaning(),
        metric: heading.column.content.name_in_files(),
    }
}

fn number(entry: &Entry, heading: &Heading) -> Option<PageNumber> {
    let tested = matches!(heading.column.content, Content::Difference(_));
    Some(PageNumber {
        mean: entry.mean.clone(),
        half_width: entry.half_width.clone(),
        best: entry.best,
        tested,
        significant: entry.significant,
        value: entry.value.to_string(),
        title: tested.then(|| p_value(entry)),
    })
}

/// The p-value of a difference, in words.
fn p_value(entry: &Entry) -> String {
    let seeds = entry.seeds;
    match entry.p_value {
        None => "one shared seed, so no test".to_owned(),
        Some(p) if p < 0.001 => format!("p < 0.001, paired t-test over {seeds} seeds"),
        Some(p) => format!("p = {p:.3}, paired t-test over {seeds} seeds"),
    }
}
