//! The binary of this crate: Alluvium's command line knows the classifier.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const KIND: &str = "wide-and-deep";

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_third-party-classifier"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_classifier_is_listed() {
    let listed = text(&run(&["list", "classifiers"]).stdout);
    assert!(listed.contains(KIND) && listed.contains("linear"), "{listed}");
}

#[test]
fn a_strategy_that_needs_linear_heads_is_refused() {
    let config = Path::new(env!("CARGO_TARGET_TMPDIR")).join("linear-heads.toml");
    let right = fs::read_to_string("third-party.toml").expect("the configuration is there");
    fs::write(&config, right.replace("weight-averaging", "ensemble")).expect("the target folder can be written");
    let checked = run(&["check", &config.to_string_lossy()]);
    assert_eq!(checked.status.code(), Some(2));
    let message = text(&checked.stderr);
    assert!(message.contains("\"ensemble\"") && message.contains("\"wide-and-deep\""), "{message}");
}

#[test]
fn a_comparison_runs_with_the_classifier() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("third-party");
    let _ = fs::remove_dir_all(&folder);
    let compared = run(&["compare", "third-party.toml", "--out", &folder.to_string_lossy()]);
    assert!(compared.status.success(), "{}", text(&compared.stderr));
    let summary = fs::read_to_string(folder.join("summary.csv")).expect("the summary was written");
    for strategy in ["naive", "weight-averaging"] {
        let accuracy = format!("{strategy},average_accuracy_task_aware,");
        assert!(summary.lines().any(|line| line.starts_with(&accuracy)), "{summary}");
    }
}
