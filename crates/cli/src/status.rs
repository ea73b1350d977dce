//! `alluvium status`: the progress of a run, from another terminal or afterwards.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use alluvium_experiment::{DirectoryError, RunState, RunStatus, VariantStatus};

use crate::duration::duration;
use crate::print;
use crate::progress::{label, outlook};

pub(crate) fn status(dir: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    match RunStatus::read(dir) {
        Err(error @ DirectoryError::NoRun { .. }) => {
            // The rows of a deployment have a folder each.
            let rows = runs_in(dir)?;
            if rows.is_empty() {
                return Err(error.into());
            }
            let texts = rows.iter().map(|(row, status)| format!("{}: {}", row.display(), text(status)));
            print(out, &texts.collect::<String>())
        }
        status => print(out, &text(&status?)),
    }
}

/// The runs whose directories are in a folder, sorted.
fn runs_in(dir: &Path) -> Result<Vec<(PathBuf, RunStatus)>, DirectoryError> {
    let mut runs = vec![];
    for path in fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()) {
        match RunStatus::read(&path) {
            Err(DirectoryError::NoRun { .. }) => {}
            status => runs.push((path, status?)),
        }
    }
    runs.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(runs)
}

fn text(status: &RunStatus) -> String {
    for damage in &status.damages {
        tracing::warn!("{damage}: it was ignored");
    }
    let worked = duration(status.seconds);
    let mut text = match status.state {
        RunState::Running { process } => {
            let process = process.map_or(String::new(), |process| format!(" (process {process})"));
            format!("running{process} for {worked}\n")
        }
        RunState::Finished { failures: 0 } => format!("finished after {worked}, {} ago\n", duration(status.silent)),
        RunState::Finished { failures } => {
            format!("finished after {worked}, {} ago; {failures} cells failed\n", duration(status.silent))
        }
        RunState::Stopped => format!(
            "stopped after {worked}, {} ago; the command that began it continues from there\n",
            duration(status.silent)
        ),
    };
    for variant in &status.variants {
        text.push_str(&lines(variant, status.state));
    }
    text
}

fn lines(variant: &VariantStatus, state: RunState) -> String {
    let (done, all) = variant.pace.stages();
    let title = if variant.label.is_empty() { String::new() } else { format!("{}: ", variant.label) };
    if all == 0 {
        return format!("{title}not begun\n");
    }
    let outlook = match state {
        RunState::Running { .. } if done < all => format!(" · {}", outlook(&variant.pace)),
        _ => String::new(),
    };
    let mut text = format!("{title}{done}/{all} stages{outlook}\n");
    let widest = variant.pace.cells().map(|(row, ..)| row.chars().count()).max().unwrap_or(0);
    for (row, seed, done, all) in variant.pace.cells() {
        let underway = variant.underway.iter().filter(|one| one.row == row && one.seed == seed);
        let underway = underway.map(|one| {
            let label = label(&one.row, one.seed, one.device, one.devices, one.stage);
            match state {
                RunState::Running { .. } => format!("  {label}, for {}", duration(one.seconds)),
                _ => format!("  {label}, cut off"),
            }
        });
        text.push_str(&format!("  {row:widest$}  seed {seed}  {done:>3}/{all}{}\n", underway.collect::<String>()));
    }
    text
}
