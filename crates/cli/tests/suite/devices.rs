//! Results on single devices: their accuracy after a fraction of their budget, and the effect of one device on the others.

use std::fs;

use serde_json::Value;

use crate::tiny::{TINY, alluvium, cell, compare, folder, numbers, succeeds, text};

#[test]
fn early_devices_are_those_that_were_called_away() {
    let folder = folder();
    let whole = compare(folder.path(), "whole", TINY);
    let early = compare(folder.path(), "early", &format!("{TINY}\n[evaluation]\nbudgets = [0.5, 0.9]\n"));
    let half = compare(folder.path(), "half", &TINY.replace("[device]", "[device]\nbudget = 0.5"));
    // A device alone that does half of its work equals one that does all of it and is judged in between.
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
    let (parts, others): (Vec<_>, Vec<_>) =
        summary("early").lines().map(str::to_owned).partition(|line| line.contains('@'));
    assert_eq!(others, summary("whole").lines().collect::<Vec<_>>());
    let part = parts.iter().find(|line| line.starts_with("devices-alone,expert_accuracy@0.5,")).expect("a line");
    let rows = early["rows"].as_array().unwrap();
    let seeds = rows.iter().find(|row| row["name"] == "devices-alone").unwrap()["cells"].as_array().unwrap();
    let devices = seeds.iter().flat_map(|cell| cell["early_accuracy"][0]["accuracy"].as_array().unwrap());
    // Three devices under each of two seeds.
    let mean = devices.map(|one| one.as_f64().unwrap()).sum::<f64>() / 6.0;
    let stated: f64 = part.split(',').nth(2).unwrap().parse().unwrap();
    assert!((stated - mean).abs() < 1e-6, "{mean}: {part}");

    let table = succeeds(folder.path(), &["report", "early", "--format", "markdown"]);
    assert!(table.contains("## Devices after a fraction of their budget (%)"), "{table}");
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

#[test]
fn a_run_is_compared_with_a_control_run_row_by_row() {
    let folder = folder();
    let results = compare(folder.path(), "all", TINY);
    let control = compare(folder.path(), "half", &TINY.replace("[device]", "[device]\nbudget = 0.5"));
    let report = ["report", "all", "half"];
    let table = succeeds(folder.path(), &[&report[..], &["--control", "half", "--format", "markdown"]].concat());
    let (compared, own) = table.split_once("\n# tiny").expect("two tables");
    assert!(compared.contains("- **baseline**: the same row of tiny (half)\n"), "{compared}");
    assert!(own.contains("- **baseline**: naive\n"), "{own}");

    // Seed by seed: the mean of the last row of the matrix, minus that of the control.
    let accuracy = |results: &Value, seed: usize| {
        let rows = results["rows"].as_array().unwrap();
        let cell = &rows.iter().find(|row| row["name"] == "naive").unwrap()["cells"][seed];
        let last = cell["accuracy"]["stream"]["task_agnostic"][2].as_array().unwrap();
        last.iter().map(|one| one.as_f64().unwrap()).sum::<f64>() / 3.0
    };
    let differences = [0, 1].map(|seed| accuracy(&results, seed) - accuracy(&control, seed));
    let expected = (differences[0] + differences[1]) / 2.0 * 100.0;
    let row = compared.lines().find(|line| line.starts_with("| naive ")).expect("a row");
    // Strategy, data, ACC and its difference, task-aware and task-agnostic.
    let shown: f64 = row.split('|').nth(6).unwrap().trim().split(' ').next().unwrap().parse().unwrap();
    assert!((shown - expected).abs() < 0.051, "{expected}: {row}");

    for (option, accepted) in [
        (["--control", "nobody"], "not the name of a run; accepted: tiny (all) or tiny (half)"),
        (["--baseline", "nobody"], "not the name of a row; accepted: devices-alone or joint or naive"),
    ] {
        let refused = alluvium(folder.path(), &[&report[..], &option].concat());
        let error = text(&refused.stderr);
        assert!(refused.status.code() == Some(2) && error.contains(accepted), "{error}");
        assert_eq!(error.matches("tiny (all)").count() + error.matches("naive").count(), 1, "each name once: {error}");
    }
}
