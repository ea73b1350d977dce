//! The files of a report: tables, the page with its figures, and TensorBoard's events.

use std::fs;
use std::path::{Path, PathBuf};

use alluvium_results::{PictureLabel, Results, SampleSheet, SoundLabel};
use alluvium_store::{StoreError, write_file};

use crate::csv::summary_csv;
use crate::error::ReportError;
use crate::label::file_stems;
use crate::page::{self, ReportedRun};
use crate::sheet::contact_sheet;
use crate::table::Table;
use crate::tensorboard::event_files;

/// The files of a comparison, by name: `summary.csv`, `results.json` and `table.md`. Nothing is written.
pub fn result_files(results: &Results) -> Result<Vec<(String, Vec<u8>)>, ReportError> {
    let files = [
        ("summary.csv", summary_csv(results)?),
        ("results.json", results.to_json()?),
        ("table.md", Table::new(results).to_markdown()),
    ];
    Ok(files.into_iter().map(|(name, text)| (name.to_owned(), text.into_bytes())).collect())
}

/// The files of the samples that a report shows, by name: pictures and sounds. They are listed in `results`. Nothing is written.
///
/// # Errors
/// When a picture cannot be made.
pub fn sample_files(results: &mut Results, sheets: &[SampleSheet]) -> Result<Vec<(String, Vec<u8>)>, ReportError> {
    let mut files = vec![];
    for (number, sheet) in sheets.iter().enumerate() {
        let file = format!("pictures/{:02}.png", number + 1);
        files.push((file.clone(), contact_sheet(sheet)?));
        let sounds = sheet.sounds.iter().enumerate().map(|(index, sound)| {
            let suffix = sound.media_type.rsplit('/').next().unwrap_or("sound");
            let file = format!("sounds/{:02}-{:02}.{suffix}", number + 1, index + 1);
            files.push((file.clone(), sound.bytes.clone()));
            SoundLabel { file, title: sound.title.clone(), media_type: sound.media_type.clone() }
        });
        let sounds = sounds.collect();
        results.pictures.push(PictureLabel { file, title: sheet.title.clone(), sounds });
    }
    Ok(files)
}

/// Writes `report.html`, as [`page()`](page::page) gives it, into this folder, and beside it `figures/NAME.svg` and
/// `figures/NAME.csv` of every figure; for several runs `figures/RUN/NAME.svg`. Returns the paths of the files, the page first.
/// Each file is replaced atomically.
///
/// The page does not need the other files.
pub fn write_page(dir: &Path, runs: &[ReportedRun], baseline: Option<&str>) -> Result<Vec<PathBuf>, ReportError> {
    let composed = page::compose(runs, baseline)?;
    let mut files = vec![(PathBuf::from("report.html"), composed.html.into_bytes())];
    let stems = file_stems(runs.iter().map(|run| run.name.as_str()));
    for (figures, stem) in composed.figures.into_iter().zip(stems) {
        let mut folder = PathBuf::from("figures");
        if runs.len() > 1 {
            folder.push(stem);
        }
        for figure in figures {
            files.push((folder.join(format!("{}.svg", figure.name)), figure.svg.into_bytes()));
            files.push((folder.join(format!("{}.csv", figure.name)), figure.csv.into_bytes()));
        }
    }
    write_all(dir, files)
}

/// Writes what each row measured along the stream into this folder, for TensorBoard: `ROW/seed-S/events.out.…`, a
/// scalar after each device, with the number of the device as the step. Returns the paths. Each file is replaced atomically.
///
/// Tags: `accuracy/task_aware` and `accuracy/task_agnostic` (mean over the tasks so far), `task_aware/TASK`,
/// `expert_accuracy`, `latent_similarity`, and `bytes` and `seconds` so far. A reference has no stream, so its accuracies are at
/// the last device.
pub fn tensorboard(dir: &Path, results: &Results) -> Result<Vec<PathBuf>, ReportError> {
    write_all(dir, event_files(results))
}

/// Writes files into this folder. Paths are relative to it.
fn write_all(dir: &Path, files: impl IntoIterator<Item = (PathBuf, Vec<u8>)>) -> Result<Vec<PathBuf>, ReportError> {
    let make = |folder: &Path| {
        fs::create_dir_all(folder).map_err(|cause| StoreError::Write { path: folder.to_owned(), cause })
    };
    make(dir)?;
    let mut written = Vec::new();
    for (name, bytes) in files {
        let path = dir.join(name);
        let folder = path.parent().unwrap_or(dir);
        make(folder)?;
        write_file(&path, &bytes)?;
        written.push(path);
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use alluvium_results::{Accuracy, Cell};

    use super::*;
    use crate::example;

    /// Writes the files of a comparison as the others are written.
    fn write(dir: &Path, results: &Results) -> Result<Vec<PathBuf>, ReportError> {
        write_all(dir, result_files(results)?.into_iter().map(|(name, bytes)| (name.into(), bytes)))
    }

    #[test]
    fn the_three_files_are_written_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let report = dir.path().join("new").join("report");
        let written = write(&report, &example::results()).expect("writes");
        let names: Vec<_> = written.iter().map(|path| path.file_name().expect("a name")).collect();
        assert_eq!(names, ["summary.csv", "results.json", "table.md"]);
        assert_eq!(fs::read_dir(&report).expect("is there").count(), 3);
        assert_eq!(fs::read_to_string(&written[0]).expect("is text"), example::SUMMARY);
        assert_eq!(fs::read_to_string(&written[2]).expect("is text"), example::MARKDOWN);
    }

    fn names(dir: &Path, written: &[PathBuf]) -> Vec<String> {
        let name = |path: &PathBuf| path.strip_prefix(dir).expect("in the folder").to_string_lossy().replace('\\', "/");
        written.iter().map(name).collect()
    }

    fn run(name: &str) -> ReportedRun {
        ReportedRun { name: name.into(), results: example::results(), pictures: Default::default() }
    }

    #[test]
    fn the_page_comes_with_its_figures() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let written = write_page(dir.path(), &[run("r")], None).expect("writes");
        let names = names(dir.path(), &written);
        assert_eq!(names[..3], ["report.html", "figures/accuracy-task-aware.svg", "figures/accuracy-task-aware.csv"]);
        assert_eq!(names.len(), 1 + 2 * 6);
        let html = fs::read_to_string(&written[0]).expect("is text");
        assert_eq!(html, page::page(&[run("r")], None).expect("a page"));
    }

    #[test]
    fn the_figures_of_several_runs_have_folders_of_their_own() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let written = write_page(dir.path(), &[run("../a"), run("a"), run("b c")], None).expect("writes");
        let names = names(dir.path(), &written);
        for folder in ["a", "a-2", "b-c"] {
            assert!(names.contains(&format!("figures/{folder}/matrix-task-aware.svg")), "{names:?}");
        }
    }

    #[test]
    fn nothing_is_written_for_a_baseline_that_is_not_there() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        assert!(write_page(&dir.path().join("x"), &[run("r")], Some("nobody")).is_err());
        assert_eq!(fs::read_dir(dir.path()).expect("is there").count(), 0);
    }

    #[test]
    fn events_are_written_by_row_and_seed() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let written = tensorboard(dir.path(), &example::results()).expect("writes");
        let names = names(dir.path(), &written);
        assert_eq!(names.len(), 12);
        assert_eq!(names[4], "pld/seed-2/events.out.tfevents.0.alluvium");
        assert!(fs::metadata(&written[4]).expect("is there").len() > 100);
    }

    #[test]
    fn rows_that_nobody_judged_are_shown_without_accuracies() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut results = example::results();
        results.rows.truncate(1);
        for cell in &mut results.rows[0].cells {
            let accuracy = Accuracy::Unmeasured { tasks: cell.tasks() };
            let seconds = cell.device_seconds.clone();
            *cell = Cell { device_seconds: seconds, ..Cell::new(cell.seed, accuracy) };
        }
        let written = write(dir.path(), &results).expect("writes");
        let summary = fs::read_to_string(&written[0]).expect("is text");
        assert!(summary.contains("seconds") && !summary.contains("accuracy"), "{summary}");
        let run = ReportedRun { results, ..run("r") };
        let written = write_page(&dir.path().join("page"), &[run], None).expect("writes");
        assert!(!fs::read_to_string(&written[0]).expect("is text").contains("NaN"));
    }

    #[test]
    fn results_json_leads_back() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let results = example::results();
        let written = write(dir.path(), &results).expect("writes");
        let text = fs::read_to_string(&written[1]).expect("is text");
        assert_eq!(Results::from_json(&text).expect("reads back"), results);
    }

    #[test]
    fn the_same_results_give_the_same_bytes_over_old_files() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let read = |paths: &[PathBuf]| -> Vec<Vec<u8>> {
            paths.iter().map(|path| fs::read(path).expect("is there")).collect()
        };
        let first = read(&write(dir.path(), &example::results()).expect("writes"));
        let second = read(&write(dir.path(), &example::results()).expect("writes again"));
        assert_eq!(first, second);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        // There is a file where the folder should be. The system refuses that for every user, even root.
        let dir = tempfile::tempdir().expect("a temporary folder");
        let blocked = dir.path().join("blocked");
        fs::write(&blocked, "").expect("writes");
        let message = write(&blocked, &example::results()).expect_err("no folder").to_string();
        assert!(message.contains(&blocked.display().to_string()), "{message}");
    }

    #[test]
    fn a_file_that_cannot_be_replaced_is_named_and_leaves_no_rest() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        // A folder that is not empty cannot be replaced by a file.
        fs::create_dir_all(dir.path().join("summary.csv").join("x")).expect("makes");
        let message = write(dir.path(), &example::results()).expect_err("blocked").to_string();
        assert!(message.contains("summary.csv"), "{message}");
        assert_eq!(fs::read_dir(dir.path()).expect("is there").count(), 1);
    }

    #[test]
    fn invalid_results_write_nothing() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let report = dir.path().join("report");
        let mut results = example::results();
        results.baseline = Some("nobody".into());
        let message = write(&report, &results).expect_err("invalid").to_string();
        assert!(message.contains("`nobody`"), "{message}");
        assert!(!report.exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_report_is_as_readable_as_any_new_file() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("a temporary folder");
        let other = dir.path().join("other");
        fs::write(&other, "").expect("writes");
        let written = write(dir.path(), &example::results()).expect("writes");
        let mode = |path: &Path| fs::metadata(path).expect("is there").permissions().mode();
        assert_eq!(mode(&written[0]), mode(&other));
    }
}
