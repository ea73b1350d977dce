//! Rows with a strategy for samples of an unknown task.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::tiny::succeeds;

const CONFIG: &str = r#"
name = "two-classifiers"
protocol = { kind = "dcl" }
seeds = [0]
references = []

[backend]
kind = "flex"

[stream]
kind = "split-glyphs"
tasks = 3
classes_per_task = 2
train_samples_per_class = 12

[backbone]
kind = "mlp"
layers = [8]

[device]
epochs = 1

[[strategies]]
kind = "weight-averaging"

[[strategies]]
kind = "weight-averaging"
name = "both"
unknown_task = { kind = "analytic", filters = 2, smallest_class = 12 }

[[strategies]]
kind = "class-statistics"
size = 8
device = { epochs = 0, sends = "changes" }
smallest_class = 13
"#;

#[test]
fn a_row_with_two_classifiers_says_who_answers_and_keeps_its_heads() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("two.toml"), CONFIG).unwrap();
    let out = folder.path().join("out");
    let run = || succeeds(folder.path(), &["compare", "two.toml", "--out", "out"]);
    run();
    let results: Value = serde_json::from_slice(&fs::read(out.join("results.json")).unwrap()).unwrap();
    let cell = |row: usize| &results["rows"][row]["cells"][0];
    // The heads of the second row are those of the first, so task-aware accuracies are the same.
    let aware = |row: usize| cell(row)["accuracy"]["stream"]["task_aware"].clone();
    assert!(aware(0).is_object() || aware(0).is_array(), "{}", cell(0));
    assert_eq!(aware(0), aware(1));
    assert_eq!(results["rows"][1]["data_access"], "none + class-sums");
    assert_eq!(results["rows"][1]["settings"]["unknown_task"]["kind"], "analytic");
    assert!(cell(1)["answered_by"].as_str().unwrap().contains("where it is unknown"));
    assert!(cell(0).get("answered_by").is_none() && cell(0).get("statistics_bytes").is_none());
    // Two filters of four sizes on 4×4 cells are 128 features: 64·129 products of 8 bytes, and of each class a number, a count and the
    // sums.
    assert_eq!(cell(1)["statistics_bytes"][0], 8 * (64 * 129 + 2 * (1 + 1 + 128)));
    // Every class has 12 samples, so the third row sends nothing of them, and says so.
    let notes = results["notes"].to_string();
    assert!(notes.contains("class-statistics, seed 0: The device of the task"), "{notes}");
    assert!(notes.contains("fewer than 13 samples"), "{notes}");
    assert!(notes.contains("Probe of both") && notes.contains("AUC"), "{notes}");

    // Everything is found again, with the same numbers.
    let said = run();
    assert!(said.contains(" 0 computed"), "{said}");
    let same: Value = serde_json::from_slice(&fs::read(out.join("results.json")).unwrap()).unwrap();
    assert_eq!(same["rows"], results["rows"]);
}
