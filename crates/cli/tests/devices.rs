//! What results say of single devices: how good they are after a part of their budget, and what one of them did to the others.

mod tiny;

use std::fs;
use std::path::Path;

use serde_json::Value;
use tiny::{TINY, alluvium, folder, numbers, succeeds, text};

fn compare(folder: &Path, name: &str, config: &str) -> Value {
    fs::write(folder.join(format!("{name}.toml")), config).unwrap();
    succeeds(folder, &["compare", &format!("{name}.toml"), "--out", name]);
    serde_json::from_str(&fs::read_to_string(folder.join(name).join("results.json")).unwrap()).unwrap()
}

/// The cell of a row under the first seed.
fn cell<'a>(results: &'a Value, row: &str) -> &'a Value {
    let rows = results["rows"].as_array().unwrap();
    &rows.iter().find(|one| one["name"] == row).unwrap()["cells"][0]
}

#[test]
fn early_devices_are_those_that_were_called_away() {
    let folder = folder();
    let whole = compare(folder.path(), "whole", TINY);
    let early = compare(folder.path(), "early", &format!("{TINY}\n[evaluation]\nbudgets = [0.5, 0.9]\n"));
    let half = compare(folder.path(), "half", &TINY.replace("[device]", "[device]\nbudget = 0.5"));
    // Each device alone does half of its work, or does all of it and is looked at in between: the same device.
    let alone = |results| cell(results, "devices-alone");
    assert_eq!(alone(&early)["early_accuracy"][0]["accuracy"], alone(&half)["expert_accuracy"]);
    let naive = &cell(&early, "naive")["early_accuracy"];
    assert_eq!((&naive[0]["budget"], &naive[1]["budget"]), (&Value::from(0.5), &Value::from(0.9)));
    assert_eq!(naive[0]["accuracy"][0], alone(&half)["expert_accuracy"][0], "the first device is alone");
    assert_eq!(naive[0]["alone"], alone(&half)["expert_accuracy"]);
    assert_eq!(naive[1]["accuracy"].as_array().unwrap().len(), 3);
    // Nothing of them reaches the centre.
    assert_eq!(cell(&early, "pld")["accuracy"], cell(&whole, "pld")["accuracy"]);
    let summary = |name: &str| numbers(&folder.path().join(name).join("summary.csv"));
    assert_eq!(summary("early"), summary("whole"));

    let table = succeeds(folder.path(), &["report", "early", "--format", "markdown"]);
    assert!(table.contains("## Devices after a part of their budget (%)"), "{table}");
    assert!(table.contains("forward transfer at 50 %"), "{table}");
    succeeds(folder.path(), &["report", "early"]);
    let csv = fs::read_to_string(folder.path().join("early/figures/budget.csv")).unwrap();
    // Three rows, each after 50, 90 and 100 %.
    assert_eq!(csv.lines().count(), 1 + 3 * 3, "{csv}");
}

#[test]
fn a_report_leaves_devices_out_of_the_accuracies() {
    let folder = folder();
    let results = compare(folder.path(), "all", TINY);
    let last = cell(&results, "naive")["accuracy"]["stream"]["task_aware"][2].as_array().unwrap();
    let others = (last[0].as_f64().unwrap() + last[2].as_f64().unwrap()) / 2.0;
    let json = succeeds(folder.path(), &["report", "all", "--without-devices", "2", "--format", "json"]);
    let without: Value = serde_json::from_str(&json).unwrap();
    let last = &cell(&without, "naive")["accuracy"]["stream"]["task_aware"][1];
    let mean = (last[0].as_f64().unwrap() + last[1].as_f64().unwrap()) / 2.0;
    assert_eq!((mean, &without["name"]), (others, &Value::from("tiny, without device 2")));
    for (devices, reason) in [("4", "the devices 1 to 3"), ("1,2,3", "accepted: some of them")] {
        let refused = alluvium(folder.path(), &["report", "all", "--without-devices", devices, "--format", "csv"]);
        let error = text(&refused.stderr);
        assert!(refused.status.code() == Some(2) && error.contains(reason), "{error}");
    }
}
