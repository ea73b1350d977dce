//! `alluvium report`: the report of one or several runs.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use alluvium_experiment::{StoredRun, read_run};
use alluvium_report::{ReportedRun, render, tensorboard, write_page};
use anyhow::Context;

use crate::arguments::ReportOptions;
use crate::{Refusal, print};

/// The most names that a message lists.
const NAMES_SHOWN: usize = 12;

pub(crate) fn report(options: &ReportOptions, out: &mut dyn Write) -> anyhow::Result<()> {
    let (mut runs, mut also) = (vec![], vec![]);
    for dir in &options.dirs {
        for stored in read_run(dir)? {
            also.push([dir.display().to_string(), stored.label.clone()]);
            runs.push(named(stored, dir, options.dirs.len() > 1));
        }
    }
    if options.format.is_some() && runs.len() > 1 {
        // One table after another, each under a name that says which it is.
        runs.iter_mut().for_each(|run| run.results.name.clone_from(&run.name));
    }
    check_baseline(options.baseline.as_deref(), &runs)?;
    leave_out(options, &mut runs)?;
    compare_with_control(options, &also, &mut runs)?;
    if let Some(format) = options.format {
        let tables = runs.iter().map(|run| render(&run.results, baseline(options, run), format.into()));
        return print(out, &tables.collect::<Result<Vec<_>, _>>()?.join("\n"));
    }
    let folder = match (&options.out, options.dirs.as_slice()) {
        (Some(out), _) => out.clone(),
        (None, [dir]) => dir.clone(),
        (None, _) => PathBuf::from("."),
    };
    let mut files = write_page(&folder, &runs, options.baseline.as_deref()).context("the report cannot be written")?;
    if options.tensorboard {
        for run in &runs {
            let own =
                if runs.len() > 1 { folder.join("tensorboard").join(&run.name) } else { folder.join("tensorboard") };
            files.extend(tensorboard(&own, &run.results).context("the event files cannot be written")?);
        }
    }
    let page = folder.join("report.html");
    let others = files.len() - 1;
    print(out, &format!("Written: {} and {others} files beside it\n", page.display()))?;
    if options.open {
        open::that(&page).with_context(|| format!("{} was written, but no browser could be opened", page.display()))?;
    }
    Ok(())
}

/// A stored run under a name that is unique on the page.
fn named(stored: StoredRun, dir: &Path, many: bool) -> ReportedRun {
    let own = stored.results.name.clone();
    let mut name = if many { format!("{own} ({})", dir.display()) } else { own };
    if !stored.label.is_empty() {
        name = format!("{name} · {}", stored.label);
    }
    ReportedRun { name, results: stored.results, pictures: BTreeMap::from_iter(stored.pictures) }
}

/// Leaves devices out of the accuracies of all runs.
fn leave_out(options: &ReportOptions, runs: &mut [ReportedRun]) -> Result<(), Refusal> {
    if options.without_devices.is_empty() {
        return Ok(());
    }
    let devices = options.without_devices.iter().map(|device| device.get() - 1).collect();
    let numbers: Vec<_> = options.without_devices.iter().map(ToString::to_string).collect();
    let numbers = numbers.join(",");
    for run in runs {
        let all = run.results.tasks.len();
        let refused = || {
            let name = &run.name;
            Refusal(format!(
                "--without-devices {numbers}: \"{name}\" has the devices 1 to {all}; accepted: some of them"
            ))
        };
        run.results = run.results.without_devices(&devices).ok_or_else(refused)?;
        run.results.name.push_str(&format!(", without device {numbers}"));
    }
    Ok(())
}

fn check_baseline(baseline: Option<&str>, runs: &[ReportedRun]) -> Result<(), Refusal> {
    let Some(baseline) = baseline else { return Ok(()) };
    let rows: BTreeSet<_> = runs.iter().flat_map(|run| &run.results.rows).map(|row| row.name.as_str()).collect();
    if rows.contains(baseline) {
        return Ok(());
    }
    let accepted = listed(rows);
    Err(Refusal(format!("--baseline \"{baseline}\" is not the name of a row; accepted: {accepted}")))
}

/// The names, shortened to as many as a message lists.
fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names: Vec<_> = names.into_iter().collect();
    let more = names.len().saturating_sub(NAMES_SHOWN);
    names.truncate(NAMES_SHOWN);
    let mut accepted = names.join(" or ");
    if more > 0 {
        accepted.push_str(&format!(" or {more} others"));
    }
    accepted
}

/// Compares the rows of all other runs with those of the control. `also` holds other names by which each run may be given.
fn compare_with_control(
    options: &ReportOptions,
    also: &[[String; 2]],
    runs: &mut [ReportedRun],
) -> Result<(), Refusal> {
    let Some(wanted) = &options.control else { return Ok(()) };
    let is_meant = |(run, also): &(&ReportedRun, &[String; 2])| run.name == *wanted || also.contains(wanted);
    let meant: Vec<_> = runs.iter().zip(also).enumerate().filter(|(_, run)| is_meant(run)).map(|(at, _)| at).collect();
    let [index] = meant[..] else {
        let found = if meant.is_empty() { "not the name of a run" } else { "the name of several runs" };
        let accepted = listed(runs.iter().map(|run| run.name.as_str()));
        return Err(Refusal(format!("--control \"{wanted}\" is {found}; accepted: {accepted}")));
    };
    let control = runs[index].results.clone();
    let name = runs[index].name.clone();
    for run in runs.iter_mut().enumerate().filter(|(at, _)| *at != index).map(|(_, run)| run) {
        run.results = run.results.against(&name, &control).ok_or_else(|| {
            let other = &run.name;
            Refusal(format!(
                "--control \"{wanted}\": \"{other}\" has no row of the same name and seed; accepted: runs that share some"
            ))
        })?;
    }
    Ok(())
}

/// The chosen baseline, for a run that has such a row.
fn baseline<'a>(options: &'a ReportOptions, run: &ReportedRun) -> Option<&'a str> {
    options.baseline.as_deref().filter(|name| run.results.rows.iter().any(|row| row.name == *name))
}
