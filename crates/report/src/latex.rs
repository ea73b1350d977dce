//! The comparison table as LaTeX, for a paper.

use crate::column::{Content, TableSection};
use crate::label::file_stems;
use crate::table::{Entry, Heading, Line, Table};

/// The text for a missing number.
const ABSENT: &str = "--";

impl Table {
    /// The table as LaTeX: a `table` environment for each part that fits a page, in the style of `booktabs`.
    ///
    /// The best strategy of a column is bold, and a significant difference has a star.
    pub fn to_latex(&self) -> String {
        let mut parts = String::new();
        for part in TableSection::ALL {
            self.push_latex_part(&mut parts, part);
        }
        let mut text = String::from("% Needs \\usepackage{booktabs}.\n");
        if !parts.is_ascii() {
            text.push_str("% Some names have letters that pdfLaTeX may not know: use LuaLaTeX or XeLaTeX.\n");
        }
        text.push_str(&parts);
        text
    }

    /// One part of the table; nothing if it has no columns. References without a number in it are left out.
    fn push_latex_part(&self, text: &mut String, part: TableSection) {
        let shown: Vec<usize> =
            (0..self.columns.len()).filter(|index| self.columns[*index].column.part == part).collect();
        if shown.is_empty() {
            return;
        }

        let mut heading: Vec<String> = self.words.iter().map(|words| words.heading().to_owned()).collect();
        heading.extend(shown.iter().map(|index| show_heading(&self.columns[*index])));
        let cells = |line: &Line| {
            let show_words = |text: &str| if text.is_empty() { ABSENT.to_owned() } else { escape(text) };
            let mut cells: Vec<String> = self.words.iter().map(|words| show_words(line.words(*words))).collect();
            cells.extend(shown.iter().map(|index| show(line.entries[*index].as_ref())));
            cells
        };
        let strategies: Vec<_> = self.strategies().map(cells).collect();
        let measured = |line: &&Line| shown.iter().any(|index| line.entries[*index].is_some());
        let references: Vec<_> = self.references().filter(measured).map(cells).collect();

        text.push_str(&format!(
            "\n\\begin{{table}}\n  \\centering\n  \\caption{{{}}}\n  \\label{{{}}}\n\
             \u{20} \\begin{{tabular}}{{{}{}}}\n    \\toprule\n",
            self.caption(part),
            self.anchor(part),
            "l".repeat(self.words.len()),
            "r".repeat(shown.len()),
        ));
        push_row(text, &heading);
        for rows in [strategies, references] {
            if !rows.is_empty() {
                text.push_str("    \\midrule\n");
            }
            for row in rows {
                push_row(text, &row);
            }
        }
        text.push_str("    \\bottomrule\n  \\end{tabular}\n\\end{table}\n");
    }

    /// The notes on the numbers.
    fn caption(&self, part: TableSection) -> String {
        let mut caption = format!("{}: {}.", escape(&self.title), escape(&lower_first(part.title())));
        match self.run.seeds.len() {
            1 => caption.push_str(" One seed."),
            seeds => caption.push_str(&format!(
                " Mean $\\pm$ half-width of the 95\\,\\% confidence interval over {seeds} seeds (Student $t$)."
            )),
        }
        let has_differences = self
            .columns
            .iter()
            .any(|heading| heading.column.part == part && matches!(heading.column.content, Content::Difference(_)));
        if let (true, Some(baseline)) = (has_differences, &self.run.baseline) {
            caption.push_str(&format!(
                " $\\Delta$: minus {}, paired by seed; $^{{*}}$ $p < 0.05$, paired $t$-test, uncorrected.",
                escape(baseline)
            ));
        }
        for note in self.notes_on_run() {
            caption.push_str(&format!(" {}", escape(&note)));
        }
        caption.push_str(" Bold: best strategy.");
        caption
    }

    /// The label for references to the part.
    fn anchor(&self, part: TableSection) -> String {
        let stem = file_stems([self.title.as_str()]).concat().to_lowercase();
        let part = match part {
            TableSection::Accuracy => "accuracy",
            TableSection::Stream => "stream",
            TableSection::Further => "further",
            TableSection::Budget => "budget",
            TableSection::Cost => "cost",
            TableSection::Added => "plugins",
        };
        format!("tab:{stem}-{part}")
    }
}

fn push_row(text: &mut String, cells: &[String]) {
    text.push_str(&format!("    {} \\\\\n", cells.join(" & ")));
}

/// The heading with its line breaks.
fn show_heading(heading: &Heading) -> String {
    let lines: Vec<String> = heading.text.lines().map(|line| escape(line).replace('Δ', "$\\Delta$")).collect();
    match lines.as_slice() {
        [line] => line.clone(),
        lines => format!("\\shortstack[r]{{{}}}", lines.join("\\\\")),
    }
}

fn show(entry: Option<&Entry>) -> String {
    let Some(entry) = entry else {
        return ABSENT.to_owned();
    };
    let mean = if entry.best { format!("\\mathbf{{{}}}", entry.mean) } else { entry.mean.clone() };
    let half_width = entry.half_width.as_ref().map(|half| format!(" \\pm {half}")).unwrap_or_default();
    let star = if entry.significant { "^{*}" } else { "" };
    format!("${mean}{half_width}{star}$")
}

/// Escapes words for LaTeX.
fn escape(words: &str) -> String {
    let mut escaped = String::with_capacity(words.len());
    for c in words.chars() {
        match c {
            '\\' => escaped.push_str("\\textbackslash{}"),
            '~' => escaped.push_str("\\textasciitilde{}"),
            '^' => escaped.push_str("\\textasciicircum{}"),
            '<' => escaped.push_str("\\textless{}"),
            '>' => escaped.push_str("\\textgreater{}"),
            '|' => escaped.push_str("\\textbar{}"),
            '"' => escaped.push_str("\\textquotedbl{}"),
            '{' | '}' | '$' | '&' | '#' | '_' | '%' => escaped.extend(['\\', c]),
            c => escaped.push(c),
        }
    }
    escaped
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    #[test]
    fn the_golden_table() {
        // The numbers are worked out by hand in `example.rs`.
        let text = Table::new(&example::results()).to_latex();
        assert_eq!(text, example::LATEX, "\n{text}");
    }

    #[test]
    fn names_are_text() {
        let mut results = example::results();
        results.rows[0].name = r"50%_{\input{x}} & $y^2$".into();
        results.baseline = Some(results.rows[0].name.clone());
        let text = Table::new(&results).to_latex();
        let expected = r"50\%\_\{\textbackslash{}input\{x\}\} \& \$y\textasciicircum{}2\$";
        assert!(text.contains(&format!("    {expected} & none & ")), "{text}");
        assert!(text.contains(&format!("minus {expected}, paired")), "{text}");
        assert!(!text.contains("LuaLaTeX"), "{text}");
    }

    #[test]
    fn an_empty_comparison_is_no_table() {
        let mut results = example::results();
        results.rows.clear();
        results.baseline = None;
        let text = Table::new(&results).to_latex();
        assert!(!text.contains("\\begin"), "{text}");
    }
}
