//! The comparison as text, in formats for papers, issues and programs.

use alluvium_results::Results;

use crate::baseline;
use crate::csv::summary_csv;
use crate::error::ReportError;
use crate::table::Table;

/// A text format of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// The comparison table for a paper: `table` environments in the style of `booktabs`.
    Latex,
    /// The comparison table for an issue or a README, with a legend.
    Markdown,
    /// One line for each row and metric, as [`summary_csv`] gives it.
    Csv,
    /// The results as they are, as [`Results::to_json`] gives them.
    Json,
}

/// The comparison in this format. `baseline` must be the name of a row, and replaces the baseline of the results.
pub fn render(results: &Results, baseline: Option<&str>, format: Format) -> Result<String, ReportError> {
    let results = baseline::compare(results, baseline)?;
    match format {
        Format::Latex => Ok(Table::new(&results).to_latex()),
        Format::Markdown => Ok(Table::new(&results).to_markdown()),
        Format::Csv => summary_csv(&results),
        Format::Json => Ok(results.to_json()?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    #[test]
    fn every_format_is_the_one_that_it_says() {
        let results = example::results();
        let text = |format| render(&results, None, format).expect("valid results");
        assert_eq!(text(Format::Latex), example::LATEX);
        assert_eq!(text(Format::Markdown), example::MARKDOWN);
        assert_eq!(text(Format::Csv), example::SUMMARY);
        assert_eq!(Results::from_json(&text(Format::Json)).expect("reads back"), results);
    }

    #[test]
    fn another_baseline_changes_the_differences() {
        let results = example::results();
        // 50 − 70 ± 24.8 and 70 − 70.
        let text = render(&results, Some("pld"), Format::Markdown).expect("a row");
        assert!(text.contains("-20.0 ± 24.8"), "{text}");
        assert!(render(&results, Some("nobody"), Format::Csv).is_err());
    }
}
