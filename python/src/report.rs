//! Tables and pages of results, from their JSON.

use alluvium_report::{Format, ReportedRun, Table};
use alluvium_results::{Metric, Results};
use pyo3::prelude::*;
use serde_json::json;

use crate::failure::Failure;

fn read(py: Python<'_>, json: &str) -> PyResult<Results> {
    Results::from_json(json).map_err(|error| Failure::file(error.to_string()).raise(py, None))
}

/// Row, role, seed, name of the metric, value.
type MetricLine = (String, String, u64, String, f64);

/// Every metric of every cell: row, role, seed, name of the metric, value.
#[pyfunction]
pub(crate) fn metrics(py: Python<'_>, results: &str) -> PyResult<Vec<MetricLine>> {
    let results = read(py, results)?;
    let (mut lines, all) = (vec![], Metric::all());
    for row in &results.rows {
        let role = json!(row.role).as_str().unwrap_or_default().to_owned();
        for cell in &row.cells {
            let of_cell = cell.metrics();
            for (metric, value) in all.iter().filter_map(|metric| Some((metric, of_cell.get(metric)?))) {
                lines.push((row.name.clone(), role.clone(), cell.seed, metric.name().to_owned(), *value));
            }
        }
    }
    Ok(lines)
}

/// Parts of one comparison, as one.
#[pyfunction]
pub(crate) fn merge(py: Python<'_>, parts: Vec<String>, baseline: Option<String>) -> PyResult<String> {
    let parts = parts.iter().map(|part| read(py, part)).collect::<PyResult<Vec<_>>>()?;
    let merged = Results::merged(&parts, baseline.as_deref());
    let merged = merged.map_err(|error| Failure::config(error.to_string()).raise(py, None))?;
    merged.to_json().map_err(|error| Failure::run(error.to_string()).raise(py, None))
}

/// The comparison table: `terminal`, `markdown`, `latex` or `csv`.
#[pyfunction]
pub(crate) fn render(py: Python<'_>, results: &str, format: &str) -> PyResult<String> {
    let results = read(py, results)?;
    let rendered = match format {
        "terminal" => Ok(Table::new(&results).to_terminal()),
        "markdown" => alluvium_report::render(&results, None, Format::Markdown),
        "latex" => alluvium_report::render(&results, None, Format::Latex),
        "csv" => alluvium_report::render(&results, None, Format::Csv),
        _ => {
            let accepted = "terminal, markdown, latex, csv";
            return Err(
                Failure::config(format!("there is no format \"{format}\"; accepted: {accepted}")).raise(py, None)
            );
        }
    };
    rendered.map_err(|error| Failure::run(error.to_string()).raise(py, None))
}

/// The page of one or several runs, each with its name and its folder, from which its pictures come.
#[pyfunction]
pub(crate) fn page(py: Python<'_>, runs: Vec<(String, String, String)>) -> PyResult<String> {
    let run = |(name, folder, results): (String, String, String)| {
        let results = read(py, &results)?;
        let files = results
            .pictures
            .iter()
            .flat_map(|picture| std::iter::once(&picture.file).chain(picture.sounds.iter().map(|sound| &sound.file)));
        let read = |file: &String| Some((file.clone(), std::fs::read(std::path::Path::new(&folder).join(file)).ok()?));
        let pictures = files.filter_map(read).collect();
        Ok(ReportedRun { name, results, pictures })
    };
    let runs = runs.into_iter().map(run).collect::<PyResult<Vec<_>>>()?;
    alluvium_report::page(&runs, None).map_err(|error| Failure::run(error.to_string()).raise(py, None))
}
