//! Runs that are killed, interrupted, continued, locked, started over, and reused.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::tiny::{self, TINY, alluvium, command, folder, numbers, succeeds, text};

/// A comparison that takes long enough to be killed in the middle.
fn longer() -> String {
    TINY.replace("steps = 5", "steps = 60").replace("epochs = 1", "epochs = 4")
}

fn start(folder: &Path, arguments: &[&str]) -> Child {
    command(folder, arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts")
}

/// Waits until a condition is true. Panics after some minutes.
#[track_caller]
fn wait_until(what: &str, mut is_true: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_true() {
        assert!(started.elapsed() < Duration::from_secs(300), "waited in vain until {what}");
        sleep(Duration::from_millis(5));
    }
}

/// Stages that are stored in a run directory.
fn stages(out: &Path) -> usize {
    let entries = fs::read_dir(out.join("cache")).into_iter().flatten().flatten();
    entries.filter(|entry| entry.path().join("SHA256SUMS").exists()).count()
}

/// Files and folders below a folder while another process writes there: some may vanish on the way.
fn entries_below(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| 1 + entries_below(&entry.path())).sum()
}

/// The number before a word in a text: `3 reused` → 3.
#[track_caller]
fn count(text: &str, word: &str) -> usize {
    let words: Vec<_> = text.split_whitespace().collect();
    let index = words.iter().position(|one| *one == word).unwrap_or_else(|| panic!("no `{word}` in {text}"));
    words[index - 1].parse().unwrap_or_else(|_| panic!("no number before `{word}` in {text}"))
}

#[test]
fn a_run_that_is_killed_again_and_again_ends_with_the_same_numbers() {
    let folder = folder();
    fs::write(folder.path().join("longer.toml"), longer()).unwrap();
    succeeds(folder.path(), &["compare", "longer.toml", "--out", "whole"]);

    let arguments = ["compare", "longer.toml", "--out", "killed"];
    let out = folder.path().join("killed");
    let mut killed = 0;
    // Each stage writes several files, so a kill after 1 to 8 new files comes at another moment of a stage each time.
    for number in 1..=8 {
        let (before, more) = (entries_below(&out), 1 + 5 * number % 8);
        let mut child = start(folder.path(), &arguments);
        wait_until("new files are there, or the run is over", || {
            entries_below(&out) >= before + more || child.try_wait().unwrap().is_some()
        });
        child.kill().unwrap();
        killed += usize::from(child.wait().unwrap().code().is_none());
    }
    assert!(killed >= 2, "the run was over after {killed} kills: nothing was tested");
    succeeds(folder.path(), &arguments);
    assert_eq!(numbers(&out.join("summary.csv")), numbers(&folder.path().join("whole/summary.csv")));
    let leftovers = tiny::files_below(&out).into_iter().filter(|file| file.to_string_lossy().contains(".tmp-"));
    assert_eq!(leftovers.count(), 0, "what kills left unfinished is removed");
}

#[test]
fn the_same_command_goes_on_where_a_kill_stopped_it() {
    let folder = folder();
    fs::write(folder.path().join("longer.toml"), longer()).unwrap();
    let out = folder.path().join("out");
    let arguments = ["compare", "longer.toml", "--out", "out", "--jobs", "1"];
    let mut child = start(folder.path(), &arguments);
    wait_until("five stages are stored", || stages(&out) >= 5);
    child.kill().unwrap();
    child.wait().unwrap();

    let status = succeeds(folder.path(), &["status", "out"]);
    assert!(status.starts_with("stopped after ") && status.contains("pld"), "{status}");
    let report = alluvium(folder.path(), &["report", "out"]);
    assert_eq!(report.status.code(), Some(2));
    assert!(text(&report.stderr).contains("has no results yet"), "{}", text(&report.stderr));
    let output = alluvium(folder.path(), &arguments);
    let (printed, warned) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{warned}");
    assert!(warned.contains("was killed; this run goes on from there"), "{warned}");
    assert!(count(&printed, "reused") >= 5, "{printed}");
    let status = succeeds(folder.path(), &["status", "out"]);
    assert!(status.starts_with("finished after "), "{status}");
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_says_how_to_go_on() {
    let folder = folder();
    fs::write(folder.path().join("longer.toml"), longer()).unwrap();
    let out = folder.path().join("out");
    let child = start(folder.path(), &["compare", "longer.toml", "--out", "out", "--fresh"]);
    wait_until("a stage is stored", || stages(&out) >= 1);
    let output = tiny::interrupt(child);
    assert_eq!(output.status.code(), Some(130));
    let error = text(&output.stderr);
    assert!(error.contains("compare longer.toml --out out\n") && !error.contains("--fresh"), "{error}");
    assert!(count(&succeeds(folder.path(), &["compare", "longer.toml", "--out", "out"]), "reused") >= 1);
}

#[test]
fn two_processes_cannot_work_in_one_directory() {
    let folder = folder();
    // It ends only when it is killed, however fast the machine is.
    fs::write(folder.path().join("endless.toml"), TINY.replace("epochs = 1", "epochs = 100_000")).unwrap();
    let mut first = start(folder.path(), &["compare", "endless.toml", "--out", "out"]);
    let works = || text(&alluvium(folder.path(), &["status", "out"]).stdout).starts_with("running");
    wait_until("the first works", works);
    let second = alluvium(folder.path(), &["compare", "endless.toml", "--out", "out"]);
    let error = text(&second.stderr);
    assert_eq!(second.status.code(), Some(2), "{error}");
    assert!(error.contains(&format!("process {} is using this folder", first.id())), "{error}");
    let status = succeeds(folder.path(), &["status", "out"]);
    assert!(status.starts_with(&format!("running (process {})", first.id())), "{status}");
    first.kill().unwrap();
    first.wait().unwrap();
    // The lock of a process that has ended does not count.
    succeeds(folder.path(), &["compare", "tiny.toml", "--out", "out", "--fresh"]);
}

/// As those of a deployment: a folder for each row, and the results of all rows beside them.
#[test]
fn a_folder_of_runs_has_the_status_of_each_and_results_alone_are_reported() {
    let folder = folder();
    succeeds(folder.path(), &["compare", "tiny.toml", "--out", "rows/a"]);
    let status = succeeds(folder.path(), &["status", "rows"]);
    assert!(status.starts_with("rows/a: finished after "), "{status}");
    let report = || alluvium(folder.path(), &["report", "rows", "--format", "csv"]);
    assert!(text(&report().stderr).contains("is not a run directory"), "{}", text(&report().stderr));
    fs::copy(folder.path().join("rows/a/results.json"), folder.path().join("rows/results.json")).unwrap();
    assert_eq!(text(&report().stdout), succeeds(folder.path(), &["report", "rows/a", "--format", "csv"]));
    succeeds(folder.path(), &["report", "rows"]);
    assert!(folder.path().join("rows/report.html").exists());
}

#[test]
fn another_configuration_is_refused_with_what_changed() {
    let folder = folder();
    succeeds(folder.path(), &["compare", "tiny.toml", "--out", "out"]);
    let before = numbers(&folder.path().join("out/summary.csv"));
    fs::write(folder.path().join("other.toml"), TINY.replace("epochs = 1", "epochs = 2")).unwrap();
    let refused = alluvium(folder.path(), &["compare", "other.toml", "--out", "out"]);
    let error = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{error}");
    assert!(error.contains("device.epochs: 1 → 2") && error.contains("--fresh"), "{error}");
    assert_eq!(numbers(&folder.path().join("out/summary.csv")), before, "what is there stays");

    let printed = succeeds(folder.path(), &["compare", "other.toml", "--out", "out", "--fresh"]);
    assert_eq!(count(&printed, "reused"), 0, "{printed}");
    assert_ne!(numbers(&folder.path().join("out/summary.csv")), before);
}

#[test]
fn a_second_comparison_computes_only_what_it_does_not_share() {
    let folder = folder();
    let cache = ["--cache", "cache"];
    let compare =
        |config: &str, out: &str| succeeds(folder.path(), &[&["compare", config, "--out", out], &cache[..]].concat());
    let first = compare("tiny.toml", "first");
    assert_eq!(count(&first, "reused"), 0, "{first}");
    // Within the run, every strategy's first device is the one that adapts the initial weights.
    assert!(count(&first, "shared") >= 4, "{first}");

    let again = compare("tiny.toml", "again");
    assert_eq!(count(&again, "computed,"), 0, "{again}");
    assert_eq!(
        fs::read_to_string(folder.path().join("again/summary.csv")).unwrap(),
        fs::read_to_string(folder.path().join("first/summary.csv")).unwrap(),
        "time and memory, too, are those of the stages when they were computed"
    );

    // With one more strategy, only its stages are new. Those of the others, the devices alone and joint training are reused.
    fs::write(folder.path().join("more.toml"), format!("{TINY}\n[[strategies]]\nkind = \"weight-averaging\"\n"))
        .unwrap();
    let more = compare("more.toml", "more");
    // Two seeds, three tasks: at most three consolidations, and the devices after the first.
    assert!((1..=10).contains(&count(&more, "computed,")), "{more}");
    assert!(count(&more, "reused") >= 20, "{more}");
}

#[test]
fn a_cache_that_is_too_small_costs_time_and_no_numbers() {
    let folder = folder();
    succeeds(folder.path(), &["compare", "tiny.toml", "--out", "large"]);
    let small = ["compare", "tiny.toml", "--out", "small", "--cache-size", "0.001"];
    succeeds(folder.path(), &small);
    let bytes = |run: &str| -> u64 {
        let files = tiny::files_below(&folder.path().join(run).join("cache"));
        files.iter().map(|file| file.metadata().unwrap().len()).sum()
    };
    assert!(bytes("large") > 1_200_000 && bytes("small") <= 1_000_000, "{} and {}", bytes("large"), bytes("small"));
    assert_eq!(numbers(&folder.path().join("small/summary.csv")), numbers(&folder.path().join("large/summary.csv")));
    // Measurements outlive the models, so the run can still be read.
    assert_eq!(count(&succeeds(folder.path(), &small), "computed,"), 0);
}

#[test]
fn logs_can_be_read_by_a_program_and_switched_off() {
    let folder = folder();
    let output = alluvium(folder.path(), &["compare", "tiny.toml", "--out", "out", "--log-format", "json"]);
    let lines: Vec<serde_json::Value> =
        text(&output.stderr).lines().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect();
    let consolidating = lines.iter().find(|line| line["stage"] == "consolidating").expect("a consolidation is logged");
    assert_eq!(consolidating["devices"], 3, "{consolidating}");
    let finished = lines.iter().filter(|line| line["average_accuracy_task_aware"].is_f64());
    assert!(finished.count() >= 2, "each cell that is finished is logged: {lines:?}");
    let output = alluvium(folder.path(), &["compare", "tiny.toml", "--out", "quiet", "--quiet"]);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output.stderr));
}
