//! The report as one HTML page that needs nothing else.

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

/// What a run directory holds that a page shows.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportedRun {
    /// What the run is called: its folder's name.
    pub name: String,
    /// What it measured.
    pub results: Results,
    /// The pictures that the results list, as PNG files, by the `file` that they are listed with. One that is
    /// missing here is said to be missing in its place.
    pub pictures: BTreeMap<String, Vec<u8>>,
}

/// The page, with what its figures consist of.
pub(crate) struct ComposedPage {
    /// The page.
    pub(crate) html: String,
    /// The figures of each run.
    pub(crate) figures: Vec<Vec<Figure>>,
}

/// One HTML page about these runs. It needs no network and no other file: style, script, figures, their data and the
/// pictures are in it.
///
/// `baseline` replaces the rows that the results themselves are compared with; a run that has no row of this name keeps
/// its own. A name that no run has is refused.
///
/// In the tables strategies are sorted among themselves, and so are references, which stay below.
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
        let place = RunPosition { index, runs: runs.len(), name: &run.name };
        sections.push(section(place, &results, &outcomes, &run.pictures)?);
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
