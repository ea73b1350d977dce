//! The files of a report: `summary.csv`, `results.json`, `table.md`.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use alluvium_results::Results;
use tempfile::Builder;

use crate::csv::summary_csv;
use crate::error::ReportError;
use crate::table::Table;

/// Writes the report into this folder, which is made if need be, and says which files it consists of.
///
/// All text is made before the first byte is written, and each file is replaced as a whole: whoever reads
/// meanwhile, or after a crash, finds the old file or the new one, never a part of one.
pub fn write(dir: &Path, results: &Results) -> Result<Vec<PathBuf>, ReportError> {
    let files = [
        ("summary.csv", summary_csv(results)?),
        ("results.json", results.to_json()?),
        ("table.md", Table::new(results).to_markdown()),
    ];

    fs::create_dir_all(dir).map_err(|source| ReportError::Write { path: dir.to_owned(), source })?;
    let mut written = Vec::new();
    for (name, text) in files {
        let path = dir.join(name);
        replace(dir, &path, &text).map_err(|source| ReportError::Write { path: path.clone(), source })?;
        written.push(path);
    }
    Ok(written)
}

/// Replaces the file by one with this text, at once and for good.
fn replace(dir: &Path, path: &Path, text: &str) -> io::Result<()> {
    // In the same folder: a rename is atomic within one file system only.
    let mut builder = Builder::new();
    builder.prefix(".report-");
    readable_by_all(&mut builder);
    let mut file = builder.tempfile_in(dir)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(dir)
}

/// Temporary files are private by default; a report is as readable as any file that the user makes.
#[cfg(unix)]
fn readable_by_all(builder: &mut Builder<'_, '_>) {
    use std::os::unix::fs::PermissionsExt as _;
    // The system takes the user's umask off.
    builder.permissions(fs::Permissions::from_mode(0o666));
}

#[cfg(not(unix))]
fn readable_by_all(_builder: &mut Builder<'_, '_>) {}

/// Makes the rename itself survive a power cut.
#[cfg(unix)]
fn sync_folder(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_dir: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

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
        // A file where the folder should be: refused for every user, root too.
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
