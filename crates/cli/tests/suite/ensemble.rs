//! A model zoo in a whole comparison. Each task is answered by its own expert, also in a run that continues from stored stages.
//! A centre that keeps all experts is larger.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::tiny::{self, TINY, alluvium, numbers, succeeds, text};

/// The three rows: one strategy that keeps one model, and two that keep all experts.
const ROWS: &str = r#"
[[strategies]]
kind = "naive"

[[strategies]]
kind = "ensemble"

[[strategies]]
kind = "ensemble"
name = "latest"
start = "latest"
"#;

/// A folder with the comparison in `zoo.toml`, run into `out`.
fn run() -> (tempfile::TempDir, PathBuf) {
    let folder = tiny::folder();
    let (tables, _) = TINY.split_once("[[strategies]]").unwrap();
    fs::write(folder.path().join("zoo.toml"), format!("{tables}{ROWS}")).unwrap();
    compare(folder.path());
    let out = folder.path().join("out");
    (folder, out)
}

fn compare(folder: &Path) {
    succeeds(folder, &["compare", "zoo.toml", "--out", "out"]);
}

/// The cells of a row.
fn cells(out: &Path, row: &str) -> Vec<Value> {
    let results: Value = serde_json::from_str(&fs::read_to_string(out.join("results.json")).unwrap()).unwrap();
    let rows = results["rows"].as_array().unwrap();
    let row = rows.iter().find(|one| one["name"] == row).unwrap();
    row["cells"].as_array().unwrap().clone()
}

fn list(cell: &Value, key: &str) -> Vec<f64> {
    cell[key].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

/// The stages of the devices at a place in the stream, counted from 0: what they were computed from, and their folders.
fn stages(out: &Path, index: u64) -> Vec<(Value, PathBuf)> {
    let entries = fs::read_dir(out.join("cache")).unwrap().map(|entry| entry.unwrap().path());
    let records = entries.filter_map(|folder| Some((fs::read_to_string(folder.join("record.json")).ok()?, folder)));
    let inputs = records.map(|(record, folder)| {
        let mut record: Value = serde_json::from_str(&record).unwrap();
        (record["inputs"]["stage"].take(), folder)
    });
    inputs.filter(|(inputs, _)| inputs["index"] == index).collect()
}

#[test]
fn each_task_has_its_expert_s_accuracy_and_the_centre_keeps_every_model() {
    let (_folder, out) = run();
    for row in ["ensemble", "latest"] {
        for cell in cells(&out, row) {
            let matrix = cell["accuracy"]["stream"]["task_aware"].as_array().unwrap();
            for after in matrix {
                let after: Vec<_> = after.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
                assert_eq!(after, list(&cell, "expert_accuracy")[..after.len()], "{row}");
            }
            let (stored, sent) = (list(&cell, "stored_bytes"), list(&cell, "bytes_up")[0]);
            let growth = [stored[1] - stored[0], stored[2] - stored[1]];
            assert!(growth.iter().all(|growth| (growth / sent - 1.0).abs() < 0.1), "{row}: {stored:?}, {sent} a model");
            let down = list(&cell, "bytes_down");
            assert_eq!(down, vec![down[0]; 3], "{row}: what a device takes does not grow");
        }
    }
    let first = &cells(&out, "ensemble")[0];
    assert_eq!(first["expert_accuracy"], first["alone_accuracy"], "independent experts are the devices alone");
    let [naive, zoo, latest] = ["naive", "ensemble", "latest"].map(|row| list(&cells(&out, row)[0], "stored_bytes")[2]);
    assert!(naive < latest && latest < zoo, "{naive}, {latest}, {zoo}: one model, three, three and the initial one");
    let summary = fs::read_to_string(out.join("summary.csv")).unwrap();
    let measured = summary.lines().filter(|line| line.contains(",stored_bytes,")).count();
    assert_eq!(measured, 3, "one line a strategy, none for the reference rows: {summary}");
}

#[test]
fn a_run_goes_on_from_what_the_centre_handed_out() {
    let (folder, out) = run();
    let before = numbers(&out.join("summary.csv"));
    let handed_out = |folder: &Path| folder.join("handed-out.safetensors").exists();
    for (inputs, folder) in stages(&out, 1) {
        let keeps_all = inputs["strategy"]["kind"] == "ensemble";
        assert_eq!(handed_out(&folder), keeps_all, "only what is not the central model is stored beside it: {inputs}");
    }
    // Everything about the last device is lost, as if the run had been stopped before it.
    let last = stages(&out, 2);
    // For each seed: a consolidation a row, and the devices that took the naive, the initial and the newest expert's model.
    assert_eq!(last.len(), 2 * (3 + 3), "{last:?}");
    last.iter().for_each(|(_, folder)| fs::remove_dir_all(folder).unwrap());
    compare(folder.path());
    assert!(last.iter().all(|(_, folder)| folder.exists()), "the same stages are computed again");
    assert_eq!(numbers(&out.join("summary.csv")), before);

    // The model that is handed out is damaged, and the device that takes it is lost: the consolidation is computed again.
    let second = stages(&out, 1).into_iter().find(|(inputs, _)| inputs["strategy"]["start"] == "latest");
    let file = second.unwrap().1.join("handed-out.safetensors");
    fs::write(&file, "not a model").unwrap();
    last.iter().for_each(|(_, folder)| fs::remove_dir_all(folder).unwrap());
    compare(folder.path());
    assert!(fs::metadata(&file).unwrap().len() > 1000, "written again");
    assert_eq!(numbers(&out.join("summary.csv")), before);
}

#[test]
fn the_backbone_of_an_ensemble_cannot_be_chosen() {
    let folder = tiny::folder();
    let chosen = TINY.replace("kind = \"mlp\"\nlayers = [16, 8]", "kind = \"ensemble\"\nmembers = []");
    fs::write(folder.path().join("chosen.toml"), chosen).unwrap();
    let refused = alluvium(folder.path(), &["check", "chosen.toml"]);
    let error = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{error}");
    assert!(error.contains("unknown backbone kind \"ensemble\"") && error.contains("mlp"), "{error}");
    assert!(!succeeds(folder.path(), &["list", "backbones"]).contains("ensemble"));
    let schema: Value = serde_json::from_str(&succeeds(folder.path(), &["schema"])).unwrap();
    assert!(schema["$defs"]["backbone.mlp"].is_object() && schema["$defs"]["backbone.ensemble"].is_null());
    assert!(schema["$defs"]["strategy.ensemble"].is_object());
}
