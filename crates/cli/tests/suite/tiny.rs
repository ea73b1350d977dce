//! A comparison that takes seconds, and the binary that runs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::thread::sleep;
use std::time::Duration;

use alluvium_results::Metric;
use serde_json::Value;
use tempfile::TempDir;

/// The comparison.
pub const TINY: &str = r#"
name = "tiny"
protocol = { kind = "dcl" }
seeds = [0, 1]
baseline = "naive"

[backend]
kind = "flex"

[stream]
kind = "split-glyphs"
tasks = 3
classes_per_task = 2
train_samples_per_class = 20

[backbone]
kind = "mlp"
layers = [16, 8]

[device]
epochs = 1
batch_size = 16
learning_rate = 0.05

[surrogate]
kind = "noise"
samples = 64

[[strategies]]
kind = "naive"

[[strategies]]
kind = "pld"
steps = 5
batch_size = 16
"#;

/// The binary, ready to be started in a folder.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_alluvium"));
    command.current_dir(folder).args(arguments).env_remove("RUST_BACKTRACE");
    command
}

/// Runs the binary with these arguments.
pub fn alluvium(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().expect("the binary runs")
}

/// Stops a process that was started with pipes, as Ctrl-C does, and returns its output. A process that does not stop is killed
/// after a minute.
#[cfg(unix)]
#[track_caller]
pub fn interrupt(mut child: Child) -> Output {
    let signal = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(signal.success());
    for _ in 0..1200 {
        if child.try_wait().unwrap().is_some() {
            return child.wait_with_output().unwrap();
        }
        sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    panic!("it does not stop; do these tests run where interrupts are ignored, such as behind `nohup … &`?");
}

/// Like [`alluvium`], for arguments that must be accepted. Returns stdout.
#[track_caller]
pub fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = alluvium(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A folder with the comparison in `tiny.toml`.
pub fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("tiny.toml"), TINY).unwrap();
    folder
}

/// Runs a comparison of this configuration in a folder of this name. Returns its results.
#[track_caller]
pub fn compare(folder: &Path, name: &str, config: &str) -> Value {
    fs::write(folder.join(format!("{name}.toml")), config).unwrap();
    succeeds(folder, &["compare", &format!("{name}.toml"), "--out", name]);
    serde_json::from_str(&fs::read_to_string(folder.join(name).join("results.json")).unwrap()).unwrap()
}

/// The cell of a row under the first seed.
#[track_caller]
pub fn cell<'a>(results: &'a Value, row: &str) -> &'a Value {
    let rows = results["rows"].as_array().unwrap();
    &rows.iter().find(|one| one["name"] == row).unwrap()["cells"][0]
}

/// `summary.csv` without the lines that measure time and memory.
#[track_caller]
pub fn numbers(file: &Path) -> String {
    let summary = fs::read_to_string(file).unwrap();
    let metric = |line: &str| line.rsplit(',').nth(4).and_then(Metric::from_name);
    let measured = |line: &&str| metric(line).is_some_and(Metric::is_measurement);
    summary.lines().filter(|line| !measured(line)).map(|line| format!("{line}\n")).collect()
}

/// Every file below a folder, sorted.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = vec![];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}
