//! The report as one self-contained HTML page.

mod comparison;
mod section;
mod templates;

use std::borrow::Cow;
use std::collections::BTreeMap;

use alluvium_results::Results;

use crate::baseline;
use crate::error::ReportError;
use crate::figure::{self, Figure, Outcome};
use crate::label::one_line;
use section::{RunPosition, section};

/// The contents of a run directory that a page shows.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportedRun {
    /// The name of the run, which is that of its folder.
    pub name: String,
    /// Its results.
    pub results: Results,
    /// The pictures that the results list, as PNG files, and their sounds, by their `file`. For a missing picture, the page says so
    /// in its place; a missing sound is left out.
    pub pictures: BTreeMap<String, Vec<u8>>,
}

/// The page and its figures.
pub(crate) struct ComposedPage {
    /// The page.
    pub(crate) html: String,
    /// The figures of each run.
    pub(crate) figures: Vec<Vec<Figure>>,
}

/// One HTML page about these runs. It contains style, script, figures, their data and the pictures, and needs no network or other
/// file.
///
/// `baseline` replaces the baselines of the results. A run without a row of this name keeps its own baseline. A name that no run
/// has is refused.
///
/// In the tables, strategies are sorted among themselves, and so are references, which stay below.
pub fn page(runs: &[ReportedRun], baseline: Option<&str>) -> Result<String, ReportError> {
    Ok(compose(runs, baseline)?.html)
}

pub(crate) fn compose(runs: &[ReportedRun], baseline: Option<&str>) -> Result<ComposedPage, ReportError> {
    for run in runs {
        run.results.check().map_err(|source| ReportError::Invalid { run: run.name.clone(), source })?;
    }
    let all: Vec<&Results> = runs.iter().map(|run| &run.results).collect();
    baseline::check(&all, baseline)?;

    let (mut sections, mut figures) = (Vec::new(), Vec::new());
    for (index, run) in runs.iter().enumerate() {
        let results: Cow<'_, Results> = baseline::compare_if_there(&run.results, baseline);
        let outcomes = figure::draw(&results)?;
        let position = RunPosition { index, runs: runs.len(), name: &run.name };
        sections.push(section(position, &results, &outcomes, &run.pictures)?);
        figures.push(outcomes.into_iter().filter_map(Outcome::into_figure).collect());
    }
    let title = match runs {
        [run] => one_line(&run.results.name),
        _ => format!("Comparison of {} runs", runs.len()),
    };
    Ok(ComposedPage { html: templates::page(&title, &sections)?, figures })
}

#[cfg(test)]
mod tests;
