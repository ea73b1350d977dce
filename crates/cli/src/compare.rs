//! `alluvium compare`.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use alluvium_config::{ConfigSource, Variant, read_all};
use alluvium_experiment::{
    DirectoryError, DirectoryOptions, Outcome, RunDirectory, RunOptions, StageCounts, default_jobs, run, usual_folder,
};
use alluvium_report::{Table, result_files, sample_files};
use anyhow::Context;

use crate::arguments::CompareOptions;
use crate::duration::duration;
use crate::progress::Watch;
use crate::{Refusal, interrupt, print, tour};

pub(crate) fn compare(program: &str, options: &CompareOptions, out: &mut dyn Write) -> anyhow::Result<()> {
    let source = options.config.as_deref().map_or(tour::CONFIG, ConfigSource::File);
    let variants = read_all(source, options.backend.as_deref(), options.seeds.clone())?;
    let Some(first) = variants.first() else { return Ok(()) };
    let folder = options.out.clone().unwrap_or_else(|| usual_folder(&first.experiment.name));
    let directory = open(&folder, &variants, options)?;
    for note in directory.notes() {
        tracing::warn!("{note}");
    }
    interrupt::watch();
    let on_tour = source == tour::CONFIG;
    if on_tour {
        print(out, tour::BEFORE)?;
    }

    let watch = Watch::new();
    let mut failures = vec![];
    for (number, variant) in variants.iter().enumerate() {
        if !variant.label.is_empty() {
            print(out, &format!("{} of {}: {}\n", number + 1, variants.len(), variant.label))?;
        }
        failures.extend(run_variant(options, variant, &directory, &watch, out)?);
    }
    watch.finish();
    directory.finish(failures.len());
    let next = if on_tour {
        tour::after(program, &folder)
    } else {
        format!("A page with charts: {program} report {}\n", folder.display())
    };
    print(out, &next)?;
    anyhow::ensure!(
        failures.is_empty(),
        "{} cells failed, the others are in the table: {}",
        failures.len(),
        failures.join("; ")
    );
    Ok(())
}

/// Runs one variant, writes its results and prints its table. Returns the errors of the cells that failed.
fn run_variant(
    options: &CompareOptions,
    variant: &Variant,
    directory: &RunDirectory,
    watch: &Watch,
    out: &mut dyn Write,
) -> anyhow::Result<Vec<String>> {
    let started = Instant::now();
    let jobs = options.jobs.map_or_else(|| default_jobs(&variant.experiment), usize::from);
    let (label, models) = (variant.label.as_str(), options.models);
    let run_options = RunOptions { jobs, observer: watch, directory, variant: label, models };
    let Outcome { mut results, failures, stages, repairs, sheets } = run(&variant.experiment, &run_options)?;
    watch.finish();

    let mut written = sample_files(&mut results, &sheets)?;
    written.extend(result_files(&results)?);
    let (paths, damages) = directory.write_results(variant, &written).context("the results cannot be written")?;
    for damage in &damages {
        tracing::warn!("{damage}: it was written again");
    }

    print(out, &format!("{}\n", Table::new(&results).to_terminal()))?;
    let shown = ["png", "flac", "wav"];
    let tables =
        paths.iter().filter(|path| path.extension().is_some_and(|kind| !shown.iter().any(|shown| kind == *shown)));
    let names: Vec<_> = tables.map(|file| file.display().to_string()).collect();
    let took = duration(started.elapsed().as_secs_f64());
    print(out, &format!("{took}. {}. Written: {}\n", stages_line(stages, repairs.len()), names.join(", ")))?;
    Ok(failures.iter().map(ToString::to_string).collect())
}

/// The numbers of stages that were computed and found, in a sentence.
fn stages_line(stages: StageCounts, repaired: usize) -> String {
    let StageCounts { computed, shared, reused } = stages;
    let mut line = format!(
        "{} stages: {computed} computed, {shared} shared between cells, {reused} reused from an earlier run",
        computed + shared + reused
    );
    if repaired > 0 {
        line.push_str(&format!("; {repaired} damaged ones were computed again"));
    }
    line
}

fn open(folder: &Path, variants: &[Variant], options: &CompareOptions) -> anyhow::Result<RunDirectory> {
    let directory = DirectoryOptions {
        fresh: options.fresh,
        cache: options.cache.clone(),
        cache_bytes: (options.cache_size * 1e9) as u64,
    };
    RunDirectory::open(folder, variants, &directory).map_err(|error| match error {
        // This is found out at the start, and not after hours of work.
        DirectoryError::Store(error) if !error.is_no_room() => {
            let (folder, accepted) = (folder.display(), "accepted: a folder that can be written to");
            Refusal(format!("--out {folder}: the results cannot be stored there: {error}; {accepted}")).into()
        }
        error => error.into(),
    })
}
