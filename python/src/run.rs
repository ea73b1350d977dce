//! Comparisons.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use alluvium_config::Variant;
use alluvium_experiment::{
    DirectoryOptions, Ending, Observer, Outcome, Pace, PlannedCell, RunDirectory, RunOptions, Stage, Work,
    default_jobs, run, usual_folder,
};
use alluvium_report::{result_files, sample_files};
use pyo3::prelude::*;

use crate::drive::{Caller, drive_and_tell, work};
use crate::failure::Failure;
use crate::sources::Source;

/// Label, folder and results of a variant.
type Compared = (String, String, String);

/// Variants, failures, and the first exception of Python code.
type Outcomes<'py> = (Vec<Compared>, Vec<String>, Option<Bound<'py, PyAny>>);

/// Runs a comparison. Returns its variants, each with its label, its folder and its results as JSON, the messages of cells that
/// failed, and the first exception of Python code.
#[pyfunction]
#[pyo3(signature = (*, file, table, out, seeds, jobs, backend, fresh, cache, cache_bytes, models, pool, progress))]
#[allow(clippy::too_many_arguments)] // Keywords of one call from Python.
pub(crate) fn compare(
    py: Python<'_>,
    file: Option<String>,
    table: Option<String>,
    out: Option<String>,
    seeds: Option<Vec<u64>>,
    jobs: Option<usize>,
    backend: Option<String>,
    fresh: bool,
    cache: Option<String>,
    cache_bytes: Option<u64>,
    models: bool,
    pool: Option<Py<PyAny>>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Outcomes<'_>> {
    let caller = Caller::with_pool(pool);
    let watch = Arc::new(RunWatch { caller: caller.clone(), pace: Mutex::default(), now: Mutex::default() });
    let source = Source::of(file, table).map_err(|failure| failure.raise(py, None))?;
    let mut shown = None;
    let seen = watch.clone();
    let tick = |py: Python<'_>| {
        let Some(progress) = &progress else { return Ok(()) };
        let now = seen.shown();
        if shown.as_ref() != Some(&now) {
            progress.call1(py, now.clone())?;
            shown = Some(now);
        }
        Ok(())
    };
    let ((compared, failures), raised) = drive_and_tell(py, &caller, tick, move || {
        let variants = source.read(backend.as_deref(), seeds)?;
        let Some(first) = variants.first() else { return Ok((vec![], vec![])) };
        let folder = out.map_or_else(|| usual_folder(&first.experiment.name), Into::into);
        let options = DirectoryOptions { fresh, cache: cache.map(Into::into), ..DirectoryOptions::default() };
        let options = DirectoryOptions { cache_bytes: cache_bytes.unwrap_or(options.cache_bytes), ..options };
        let directory = RunDirectory::open(&folder, &variants, &options)?;
        for note in directory.notes() {
            tracing::warn!("{note}");
        }
        let (mut compared, mut failures) = (vec![], vec![]);
        for variant in &variants {
            let (done, failed) = run_variant(variant, &directory, (jobs, models), &watch)?;
            compared.push(done);
            failures.extend(failed);
        }
        directory.finish(failures.len());
        Ok((compared, failures))
    })?;
    Ok((compared, failures, raised.map(|error| error.into_value(py).into_bound(py).into_any())))
}

/// Runs one variant, and writes its results as the command line does. Returns them, and the errors of the cells that failed.
fn run_variant(
    variant: &Variant,
    directory: &RunDirectory,
    (jobs, models): (Option<usize>, bool),
    watch: &RunWatch,
) -> Result<(Compared, Vec<String>), Failure> {
    let jobs = jobs.unwrap_or_else(|| default_jobs(&variant.experiment)).max(1);
    let options = RunOptions { jobs, observer: watch, directory, variant: &variant.label, models };
    let Outcome { mut results, failures, sheets, .. } = run(&variant.experiment, &options)?;
    let report = |error: alluvium_report::ReportError| Failure::run(error.to_string());
    let mut written = sample_files(&mut results, &sheets).map_err(report)?;
    written.extend(result_files(&results).map_err(report)?);
    let (paths, damages) = directory.write_results(variant, &written)?;
    for damage in &damages {
        tracing::warn!("{damage}: it was written again");
    }
    let json = results.to_json().map_err(|error| Failure::run(error.to_string()))?;
    let table = paths.iter().find(|path| path.ends_with("results.json"));
    let folder = table.and_then(|path| path.parent()).map(|folder| folder.display().to_string()).unwrap_or_default();
    Ok(((variant.label.clone(), folder, json), failures.iter().map(ToString::to_string).collect()))
}

/// Checks a configuration without training anything. Returns the label, the number of devices and the notes of each variant.
#[pyfunction]
#[pyo3(signature = (*, file, table))]
pub(crate) fn check(
    py: Python<'_>,
    file: Option<String>,
    table: Option<String>,
) -> PyResult<Vec<(String, usize, Vec<String>)>> {
    let source = Source::of(file, table).map_err(|failure| failure.raise(py, None))?;
    work(py, move || {
        let variants = source.read(None, None)?;
        Ok(variants.into_iter().map(|variant| (variant.label, variant.devices, variant.notes)).collect())
    })
}

/// Watches a run: how far it is, and whether it should stop.
struct RunWatch {
    caller: Caller,
    pace: Mutex<Pace>,
    now: Mutex<Now>,
}

/// What is being done, in words.
#[derive(Default)]
struct Now {
    cells: BTreeMap<(String, u64), String>,
    /// What began last. It is shown while no cell works, so that short stages are told as well.
    last: String,
}

impl RunWatch {
    /// The number of finished stages and of all, and what is being done, in words.
    fn shown(&self) -> (usize, usize, String) {
        let (done, all) = self.pace.lock().unwrap_or_else(PoisonError::into_inner).stages();
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let words = now.cells.values().cloned().collect::<Vec<_>>().join(" | ");
        (done, all, if words.is_empty() { now.last.clone() } else { words })
    }
}

impl Observer for RunWatch {
    fn planned(&self, cells: &[PlannedCell], jobs: usize) {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        *pace = Pace::default();
        pace.planned(cells, jobs);
    }

    fn begins(&self, work: Work<'_>) {
        let Work { row, seed, device, devices, stage, .. } = work;
        if stage != Stage::Evaluating {
            let words = format!("{row}, seed {seed}: {stage} {device}/{devices}");
            let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
            now.last.clone_from(&words);
            now.cells.insert((row.to_owned(), seed), words);
        }
    }

    fn ends(&self, work: Work<'_>, ending: Ending) {
        let Work { row, seed, device, before, stage, .. } = work;
        self.pace.lock().unwrap_or_else(PoisonError::into_inner).ends(row, seed, device, before, stage, ending);
        self.now.lock().unwrap_or_else(PoisonError::into_inner).cells.remove(&(row.to_owned(), seed));
    }

    fn stopped(&self) -> bool {
        self.caller.stopped()
    }
}

/// Watches an open centre only to stop it.
pub(crate) struct StopOnly(pub(crate) Caller);

impl Observer for StopOnly {
    fn stopped(&self) -> bool {
        self.0.stopped()
    }
}
