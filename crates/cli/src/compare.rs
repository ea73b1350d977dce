//! `alluvium compare` and `alluvium check`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use alluvium_experiment::{Experiment, Outcome, RunOptions};
use alluvium_report::Table;
use anyhow::Context;

use crate::arguments::CompareOptions;
use crate::progress::Watch;
use crate::{Refused, print};

pub(crate) fn compare(options: &CompareOptions, out: &mut dyn Write) -> anyhow::Result<()> {
    let experiment = Experiment::read(&options.config, options.backend.as_deref(), options.seeds.clone())?;
    let folder = options.out.clone().unwrap_or_else(|| PathBuf::from("results").join(folder_name(&experiment.name)));
    // Hours of work must not end in a folder that cannot be written.
    prove_writable(&folder)?;

    let jobs = options.jobs.map_or_else(|| experiment.default_jobs(), usize::from);
    let started = Instant::now();
    let watch = Watch::new();
    let Outcome { results, failures } = experiment.run(&RunOptions { jobs, observer: &watch })?;
    watch.finish();

    let files = alluvium_report::write(&folder, &results).context("the results cannot be written")?;
    print(out, &format!("{}\n", Table::new(&results).to_terminal()))?;
    let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
    print(out, &format!("{} s. Written: {}\n", started.elapsed().as_secs(), names.join(", ")))?;
    let failures: Vec<_> = failures.iter().map(ToString::to_string).collect();
    anyhow::ensure!(
        failures.is_empty(),
        "{} cells failed, the others are in the table: {}",
        failures.len(),
        failures.join("; ")
    );
    Ok(())
}

pub(crate) fn check(config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let experiment = Experiment::read(config, None, None)?;
    let rows: Vec<_> = experiment.strategies.iter().map(|row| row.name.as_str()).collect();
    let (rows, seeds) = (rows.join(", "), experiment.seeds.len());
    print(out, &format!("{} is right: {rows} under {seeds} seeds\n", config.display()))
}

/// An experiment's name as a folder's.
fn folder_name(name: &str) -> String {
    let plain = |character: char| match character {
        '/' | '\\' | ':' | '\0' => '-',
        other => other,
    };
    name.trim_matches('.').chars().map(plain).collect()
}

fn prove_writable(folder: &Path) -> anyhow::Result<()> {
    let refused = |error: std::io::Error| {
        let folder = folder.display();
        Refused(format!(
            "--out {folder}: no file can be written there ({error}); accepted: a folder that can be written"
        ))
    };
    fs::create_dir_all(folder).map_err(refused)?;
    tempfile::NamedTempFile::new_in(folder).map_err(refused)?;
    Ok(())
}
