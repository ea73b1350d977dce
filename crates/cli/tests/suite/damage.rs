//! Files of a run directory that were truncated, changed or emptied, and disks without room.

use std::fs;
use std::path::Path;

use crate::tiny::{self, TINY, alluvium, folder, numbers, succeeds, text};

/// Two tasks, one seed: few files.
fn smaller() -> String {
    TINY.replace("seeds = [0, 1]", "seeds = [0]").replace("tasks = 3", "tasks = 2")
}

/// Damages the bytes of a file.
type Damage = fn(&[u8]) -> Vec<u8>;

const DAMAGES: [(&str, Damage); 3] = [
    ("emptied", |_| vec![]),
    ("truncated", |bytes| bytes[..bytes.len() / 2].to_vec()),
    ("bit-flipped", |bytes| {
        let mut bytes = bytes.to_vec();
        let index = bytes.len() / 3;
        bytes[index] ^= 4;
        bytes
    }),
];

#[test]
fn every_damaged_file_is_repaired_or_refused_by_name_and_never_used() {
    let folder = folder();
    fs::write(folder.path().join("smaller.toml"), smaller()).unwrap();
    let compare = ["compare", "smaller.toml", "--out", "out", "--quiet"];
    succeeds(folder.path(), &compare);
    succeeds(folder.path(), &["report", "out"]);
    let out = folder.path().join("out");
    let expected = numbers(&out.join("summary.csv"));
    let files = tiny::files_below(&out);
    assert!(files.len() > 20, "{files:?}");
    for file in files {
        for (what, damage) in DAMAGES {
            let whole =
                fs::read(&file).unwrap_or_else(|error| panic!("{} before it was {what}: {error}", file.display()));
            if whole.is_empty() {
                continue; // A lock that no process holds.
            }
            fs::write(&file, damage(&whole)).unwrap();
            let case = format!("{} {what}", file.strip_prefix(&out).unwrap().display());
            readers_do_not_use_it(folder.path(), &case);
            let output = alluvium(folder.path(), &compare);
            let error = text(&output.stderr);
            assert!(output.status.success(), "{case}: {error}");
            assert!(!error.contains("panicked"), "{case}: {error}");
            assert_eq!(numbers(&out.join("summary.csv")), expected, "{case}");
            if repairs(&file) {
                let name = file.file_name().unwrap().to_string_lossy();
                let stage = file.parent().unwrap().file_name().unwrap().to_string_lossy();
                let said = error.contains(&*name) || error.contains(&*stage);
                assert!(said, "{case}: nothing was said of it: {error}");
                assert!(fs::read(&file).unwrap() != damage(&whole), "{case}: it was left as it is");
            }
            if !file.exists() {
                fs::write(&file, whole).unwrap();
            }
            succeeds(folder.path(), &["report", "out"]);
        }
    }
}

/// Whether `compare` must repair the file and say so. It starts a new journal and a new lock, and ignores reports, which no
/// command reads.
fn repairs(file: &Path) -> bool {
    let name = file.file_name().unwrap().to_string_lossy();
    let report = name.ends_with(".html") || file.components().any(|part| part.as_os_str() == "figures");
    !report && name != "journal" && name != "lock"
}

/// `report` and `status` refuse a damaged file by name, or do not need it.
fn readers_do_not_use_it(folder: &Path, case: &str) {
    for arguments in [&["report", "out", "--format", "csv"][..], &["status", "out"]] {
        let output = alluvium(folder, arguments);
        let error = text(&output.stderr);
        assert!(!error.contains("panicked"), "{case}, {arguments:?}: {error}");
        if !output.status.success() {
            assert_eq!(output.status.code(), Some(2), "{case}, {arguments:?}: {error}");
            let name = case.split(' ').next().unwrap();
            assert!(error.contains(name) || error.contains("SHA256SUMS"), "{case}, {arguments:?}: {error}");
        }
    }
}

#[test]
fn damaged_weights_that_are_needed_are_computed_again() {
    let folder = folder();
    fs::write(folder.path().join("smaller.toml"), smaller()).unwrap();
    let compare = ["compare", "smaller.toml", "--out", "out", "--quiet"];
    succeeds(folder.path(), &compare);
    let out = folder.path().join("out");
    let expected = numbers(&out.join("summary.csv"));
    // Every stage without its weights, one record missing: the stages before it have to be computed, too.
    let files = tiny::files_below(&out.join("cache"));
    let consolidations = files.iter().filter(|file| file.ends_with("central.safetensors"));
    let records: Vec<_> = consolidations.map(|file| file.with_file_name("record.json")).collect();
    assert_eq!(records.len(), 4, "two strategies, two devices");
    for record in records {
        for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "safetensors")) {
            if file.exists() {
                fs::write(file, "damaged").unwrap();
            }
        }
        fs::write(&record, "damaged").unwrap();
        let output = alluvium(folder.path(), &compare);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains("damaged ones were computed again"), "{}", text(&output.stdout));
        assert_eq!(numbers(&out.join("summary.csv")), expected);
    }
}

/// Runs a comparison that cannot write files larger than `bytes` bytes, and fails.
///
/// The limit stands in for a full disk: the system refuses the write in the same way, and it needs no rights. It counts in
/// blocks of 512 bytes. The signal that comes with it is ignored, so that the write fails instead.
#[cfg(unix)]
#[track_caller]
fn fails_without_room(folder: &Path, config: &str, bytes: u64) {
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", bytes / 512);
    let compare = [env!("CARGO_BIN_EXE_alluvium"), "compare", config, "--out", "out", "--quiet"];
    let mut command = std::process::Command::new("sh");
    let output = command.current_dir(folder).args(["-c", &script, "sh"]).args(compare).output().unwrap();
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("cannot be written") && error.contains("there is no space left"), "{error}");
}

#[cfg(unix)]
#[test]
fn without_room_the_run_says_so_and_goes_on_when_there_is() {
    let folder = folder();
    let path = folder.path();
    // With one hidden unit, the files of stages are smaller than the results.
    fs::write(path.join("small.toml"), smaller().replace("layers = [16, 8]", "layers = [1]")).unwrap();
    succeeds(path, &["compare", "small.toml", "--out", "whole", "--quiet"]);
    let stages = tiny::files_below(&path.join("whole/cache"));
    let largest = stages.iter().map(|file| file.metadata().unwrap().len()).max().unwrap();

    // First, not every stage can be stored. Then all stages can, but the results cannot.
    fails_without_room(path, "small.toml", largest - 1);
    fails_without_room(path, "small.toml", largest + 512);
    let printed = succeeds(path, &["compare", "small.toml", "--out", "out", "--quiet"]);
    assert!(printed.contains(" 0 computed") && !printed.contains(" 0 reused"), "{printed}");
    let summary = |run: &str| numbers(&path.join(run).join("summary.csv"));
    assert_eq!(summary("out"), summary("whole"));
}
