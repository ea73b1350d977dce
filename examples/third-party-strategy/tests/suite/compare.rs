//! The binary of this crate: Alluvium's command line knows the strategy.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const KIND: &str = "exponential-averaging";

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_third-party-strategy"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_strategy_is_listed() {
    let listed = text(&run(&["list", "strategies"]).stdout);
    assert!(listed.contains(KIND), "{listed}");
    let shown = text(&run(&["show", KIND]).stdout);
    assert!(shown.contains("\nalpha = 0.5\n") && shown.contains("greater than 0"), "{shown}");
}

#[test]
fn options_out_of_range_are_refused() {
    let config = Path::new(env!("CARGO_TARGET_TMPDIR")).join("out-of-range.toml");
    let right = fs::read_to_string("third-party.toml").expect("the configuration is there");
    fs::write(&config, right.replace("alpha = 0.5", "alpha = 0.0")).expect("the target folder can be written");
    let checked = run(&["check", &config.to_string_lossy()]);
    assert_eq!(checked.status.code(), Some(2));
    let message = text(&checked.stderr);
    assert!(message.contains("`alpha` = 0.0 is out of range"), "{message}");
}

#[test]
fn the_strategy_is_a_row_of_the_comparison() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("third-party");
    let _ = fs::remove_dir_all(&folder);
    let compared = run(&["compare", "third-party.toml", "--out", &folder.to_string_lossy()]);
    assert!(compared.status.success(), "{}", text(&compared.stderr));
    let summary = fs::read_to_string(folder.join("summary.csv")).expect("the summary was written");
    for strategy in ["naive", KIND] {
        let accuracy = format!("{strategy},average_accuracy_task_aware,");
        assert!(summary.lines().any(|line| line.starts_with(&accuracy)), "{summary}");
    }
}
