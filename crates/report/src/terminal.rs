//! The comparison table as text for a terminal of 100 columns.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Width};

use crate::column::Words;
use crate::table::{Entry, Line, Table};

/// The most columns of a terminal that the table takes.
pub const WIDTH: usize = 100;

/// The most columns of a terminal that the columns of words take together.
const WORDS_WIDTH: usize = 48;

/// The gap between two columns of the table, in columns of a terminal.
const GAP: usize = 2;

/// The text for a missing number.
const ABSENT: &str = "–";

impl Table {
    /// The table as text of at most [`TERMINAL_WIDTH`](crate::TERMINAL_WIDTH) columns, with the most
    /// important columns that fit; every line ends in a line break.
    ///
    /// It has no colours and no cursor movement, so it may also go to a file.
    pub fn to_terminal(&self) -> String {
        let words = |words: &Words| TextColumn::of_words(*words, self.words.len(), self.lines());
        let mut columns: Vec<_> = self.words.iter().map(words).collect();
        columns.extend(choose(self.number_columns(), &columns));

        let mut text = format!("{}\n\n", self.title);
        for line in render(&columns, self.strategies().count()).lines() {
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text.push('\n');
        for note in self.notes() {
            text.push_str(&note);
            text.push('\n');
        }
        text
    }

    /// Every row, from top to bottom.
    fn lines(&self) -> impl Iterator<Item = &Line> {
        self.strategies().chain(self.references())
    }

    /// Every column that has a rank, in the order of the table.
    fn number_columns(&self) -> Vec<TextColumn> {
        let mut columns = Vec::new();
        for (index, heading) in self.columns.iter().enumerate() {
            let Some(rank) = heading.column.terminal_rank else {
                continue;
            };
            let entries: Vec<_> = self.lines().map(|line| line.entries[index].as_ref()).collect();
            columns.push(TextColumn::of_numbers(&heading.text, rank, &entries));
        }
        columns
    }

    /// The notes on the table, in lines of its width.
    fn notes(&self) -> Vec<String> {
        let seeds = self.run.seeds.len();
        let mut notes = vec![match seeds {
            1 => "1 seed, so no intervals. Accuracies in %.".to_owned(),
            _ => format!("Mean ± half-width of the 95 % interval over {seeds} seeds (Student t). Accuracies in %."),
        }];
        if let Some(baseline) = &self.run.baseline {
            notes.push(format!("Δ: minus {baseline}, paired by seed; * p < 0.05, paired t-test, uncorrected."));
        }
        notes.extend(self.notes_on_run());
        notes
    }
}

/// A column as texts, one for each row from top to bottom.
struct TextColumn {
    heading: String,
    rank: Option<u8>,
    alignment: CellAlignment,
    cells: Vec<String>,
    /// Its width, in columns of the terminal.
    width: usize,
}

impl TextColumn {
    /// One of `columns` columns of words. Long words are wrapped.
    fn of_words<'a>(words: Words, columns: usize, lines: impl Iterator<Item = &'a Line>) -> Self {
        let shown = |line: &'a Line| match line.words(words) {
            "" => ABSENT.to_owned(),
            text => text.to_owned(),
        };
        let cells: Vec<String> = lines.map(shown).collect();
        Self {
            heading: words.heading().to_owned(),
            rank: None,
            alignment: CellAlignment::Left,
            width: widest(words.heading(), &cells).min(WORDS_WIDTH / columns),
            cells,
        }
    }

    fn of_numbers(heading: &str, rank: u8, entries: &[Option<&Entry>]) -> Self {
        let padding = Padding::of(entries);
        let cells: Vec<String> = entries.iter().map(|entry| padding.show(*entry)).collect();
        Self {
            heading: heading.to_owned(),
            rank: Some(rank),
            alignment: CellAlignment::Right,
            width: widest(heading, &cells),
            cells,
        }
    }
}

/// The width of a column with this heading and these cells.
fn widest(heading: &str, cells: &[String]) -> usize {
    let texts = heading.lines().chain(cells.iter().map(String::as_str));
    texts.map(width).max().unwrap_or(0)
}

/// The widths to which the parts of the entries of a column are padded, so that points and ± are aligned.
#[derive(Default)]
struct Padding {
    mean: usize,
    half_width: usize,
    mark: usize,
}

impl Padding {
    fn of(entries: &[Option<&Entry>]) -> Self {
        let mut padding = Self::default();
        for entry in entries.iter().flatten() {
            padding.mean = padding.mean.max(width(&entry.mean));
            if let Some(half_width) = &entry.half_width {
                padding.half_width = padding.half_width.max(width(half_width));
            }
            if entry.significant {
                padding.mark = " *".len();
            }
        }
        padding
    }

    fn show(&self, entry: Option<&Entry>) -> String {
        let Some(entry) = entry else {
            return ABSENT.to_owned();
        };
        let interval = match &entry.half_width {
            Some(half_width) => format!(" ± {half_width:>0$}", self.half_width),
            None if self.half_width > 0 => " ".repeat(" ± ".chars().count() + self.half_width),
            None => String::new(),
        };
        let mark = if entry.significant { " *" } else { "" };
        format!("{:>1$}{interval}{mark:2$}", entry.mean, self.mean, self.mark)
    }
}

/// The columns that fit beside the fixed ones: the most important ones, in the order of the table.
fn choose(mut columns: Vec<TextColumn>, always: &[TextColumn]) -> Vec<TextColumn> {
    let mut by_rank: Vec<(u8, usize)> =
        columns.iter().filter_map(|column| Some((column.rank?, column.width))).collect();
    by_rank.sort_unstable();

    let taken: usize = always.iter().map(|column| column.width + GAP).sum();
    // The last column has no gap after it.
    let mut room = (WIDTH + GAP).saturating_sub(taken);
    let mut shown = Vec::new();
    for (rank, width) in by_rank {
        if width + GAP <= room {
            room -= width + GAP;
            shown.push(rank);
        }
    }
    columns.retain(|column| column.rank.is_some_and(|rank| shown.contains(&rank)));
    columns
}

/// The columns side by side, with a rule below the heading and one below the strategies.
fn render(columns: &[TextColumn], strategies: usize) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);

    let rule: Vec<String> = columns.iter().map(|column| "─".repeat(column.width)).collect();
    let rows = columns.first().map_or(0, |column| column.cells.len());
    table.set_header(columns.iter().map(|column| &column.heading));
    table.add_row(&rule);
    for row in 0..rows {
        if row == strategies && row > 0 {
            table.add_row(&rule);
        }
        table.add_row(columns.iter().map(|column| &column.cells[row]));
    }

    for (column, source) in table.column_iter_mut().zip(columns) {
        let width = (source.width + GAP) as u16;
        column.set_padding((0, GAP as u16));
        column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width)));
        column.set_cell_alignment(source.alignment);
    }
    table.to_string()
}

/// The width of a text in columns of a terminal, for common scripts.
fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    #[test]
    fn the_golden_table() {
        let text = Table::new(&example::results()).to_terminal();
        assert_eq!(text, example::TERMINAL, "\n{text}");
    }

    #[test]
    fn the_golden_table_of_three_protocols() {
        let text = Table::new(&example::mixed()).to_terminal();
        assert_eq!(text, example::MIXED_TERMINAL, "\n{text}");
    }

    #[test]
    fn no_line_is_longer_than_the_terminal() {
        let mut results = example::results();
        results.rows[1].name = "a-strategy-with-a-name-that-its-author-should-have-thought-about".into();
        results.rows[1].data_access = "all tasks, and the test sets of some of them".into();
        results.baseline = Some(results.rows[1].name.clone());
        let text = Table::new(&results).to_terminal();
        for line in text.lines().take_while(|line| !line.starts_with("Mean")) {
            assert!(width(line) <= WIDTH, "{line}");
        }
        assert!(text.contains("ACC"), "{text}");
    }

    #[test]
    fn an_empty_comparison_is_a_heading() {
        let mut results = example::results();
        results.rows.clear();
        results.baseline = None;
        let text = Table::new(&results).to_terminal();
        assert!(text.contains("strategy"), "{text}");
    }

    #[test]
    fn one_seed_has_no_intervals() {
        let mut results = example::results();
        results.seeds.truncate(1);
        for row in &mut results.rows {
            row.cells.truncate(1);
        }
        let text = Table::new(&results).to_terminal();
        assert!(!text.contains('±'), "{text}");
    }
}
