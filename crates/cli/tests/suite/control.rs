//! Rows that others are compared with: the same stream without a device, and joint training over the classes of all tasks.

use std::fs;

use serde_json::{Value, json};

use crate::tiny::{TINY, alluvium, cell, compare, folder, succeeds, text};

/// The comparison under one seed, with a row in which a device never comes.
fn with_control(absent: usize) -> String {
    let protocol = format!("{{ kind = \"dcl\", absent_devices = [{absent}] }}");
    let row = format!("[[strategies]]\nkind = \"naive\"\nname = \"control\"\nprotocol = {protocol}\n");
    format!("{}\n{row}", TINY.replace("seeds = [0, 1]", "seeds = [0]"))
}

#[test]
fn an_absent_device_changes_nothing() {
    let folder = folder();
    let plain = compare(folder.path(), "plain", &with_control(2));
    let noise = "[stream]\nlabel_noise = 0.5\nnoisy_devices = [2]";
    let noisy = compare(folder.path(), "noisy", &with_control(2).replace("[stream]", noise));
    let sharing = "[stream]\nsharing_devices = [2]\nshared_with = [1]";
    let sharing = compare(folder.path(), "sharing", &with_control(2).replace("[stream]", sharing));
    for other in [&noisy, &sharing] {
        assert_eq!(cell(other, "control")["accuracy"], cell(&plain, "control")["accuracy"]);
        assert_ne!(cell(other, "naive")["accuracy"], cell(&plain, "naive")["accuracy"]);
    }
    let control = cell(&plain, "control");
    assert_eq!(control["contacts"], json!([2, 0, 2]));
    assert_eq!(control["accuracy"]["stream"]["task_aware"].as_array().unwrap().len(), 2, "two devices came");
    let first = |row| &cell(&plain, row)["accuracy"]["stream"]["task_aware"][0];
    assert_eq!(first("control"), first("naive"));
    // Without the second device, both rows are about the same two devices.
    let json = succeeds(folder.path(), &["report", "plain", "--without-devices", "2", "--format", "json"]);
    let others: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(cell(&others, "control")["accuracy"], control["accuracy"]);
    assert_eq!(cell(&others, "naive")["accuracy"]["stream"]["task_aware"].as_array().unwrap().len(), 2);
}

#[test]
fn only_devices_of_the_stream_can_be_absent() {
    let folder = folder();
    fs::write(folder.path().join("wrong.toml"), with_control(4)).unwrap();
    let output = alluvium(folder.path(), &["check", "wrong.toml"]);
    assert_eq!(output.status.code(), Some(2));
    let message = text(&output.stderr);
    assert!(message.contains("`absent_devices` names the device 4, but the stream has 3"), "{message}");
}

#[test]
fn joint_training_against_all_classes_is_a_row_of_its_own() {
    let folder = folder();
    let references = "seeds = [0]\nreferences = [\"joint\", \"joint-all-heads\"]";
    let results = compare(folder.path(), "joint", &TINY.replace("seeds = [0, 1]", references));
    let [own, all] = ["joint", "joint-all-heads"].map(|row| &cell(&results, row)["accuracy"]["final"]);
    assert_eq!(own["task_agnostic"].as_array().unwrap().len(), 3);
    assert_eq!(all["task_agnostic"].as_array().unwrap().len(), 3);
    assert_ne!(own, all);
}
