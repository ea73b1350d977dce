//! The presets of the paper's benchmarks: right as they ship, and each runs on a miniature of its data in the true format.

use std::fs;
use std::path::Path;

use toml::{Table, Value};

use crate::miniatures;
use crate::tiny::{alluvium, numbers, succeeds, text};

fn preset(name: &str) -> Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/paper").join(format!("{name}.toml"));
    let preset: Table = fs::read_to_string(&path).unwrap().parse().unwrap();
    assert_eq!(preset["name"].as_str(), Some(name), "a preset is called as its file is");
    preset
}

/// Sets a key of a table within a preset.
fn set(preset: &mut Table, table: &str, key: &str, value: impl Into<Value>) {
    preset[table].as_table_mut().unwrap().insert(key.to_owned(), value.into());
}

/// Checks a preset on a miniature of its data as it is, then runs it with a tiny network, few steps and two tasks.
fn runs(name: &str, write: fn(&Path), shrink: &[(&str, i64)]) {
    let folder = tempfile::tempdir().unwrap();
    let mut preset = preset(name);

    // Without the data it says where to get them, and trains nothing.
    fs::write(folder.path().join("preset.toml"), preset.to_string()).unwrap();
    let refused = alluvium(folder.path(), &["check", "preset.toml"]);
    let (directory, error) = (preset["stream"]["directory"].as_str().unwrap().to_owned(), text(&refused.stderr));
    assert!(!refused.status.success() && error.contains(&directory) && error.contains("http"), "{error}");

    fs::create_dir_all(folder.path().join(&directory)).unwrap();
    write(&folder.path().join(&directory));
    let checked = succeeds(folder.path(), &["check", "preset.toml"]);
    assert!(checked.contains("is right: naive, weight-averaging, pld, pld-without-latent under 3 seeds"), "{checked}");

    shrink.iter().for_each(|(key, value)| set(&mut preset, "stream", key, *value));
    set(&mut preset, "backbone", "width", 2);
    set(&mut preset, "device", "epochs", 1);
    set(&mut preset, "surrogate", "patches", 16);
    preset["seeds"] = Value::Array(vec![0.into()]);
    for strategy in preset["strategies"].as_array_mut().unwrap() {
        if strategy["kind"].as_str() == Some("pld") {
            strategy.as_table_mut().unwrap().insert("steps".to_owned(), 2.into());
        }
    }
    fs::write(folder.path().join("tiny.toml"), preset.to_string()).unwrap();
    succeeds(folder.path(), &["compare", "tiny.toml", "--out", "out"]);
    let summary = numbers(&folder.path().join("out/summary.csv"));
    for row in ["naive", "weight-averaging", "pld", "pld-without-latent", "devices-alone", "joint"] {
        assert!(summary.contains(&format!("\n{row},average_accuracy_task_aware,")), "{row}: {summary}");
    }
}

#[test]
fn split_cifar_100_runs_on_its_files() {
    runs("split-cifar-100", miniatures::cifar_100, &[("tasks", 2), ("classes_per_task", 3)]);
}

#[test]
fn core50_nc_runs_on_its_files() {
    runs("core50-nc", miniatures::core50, &[("tasks", 2), ("size", 8)]);
}

#[test]
fn split_tiny_imagenet_runs_on_its_files() {
    runs("split-tiny-imagenet", miniatures::tiny_imagenet, &[("tasks", 2), ("classes_per_task", 2)]);
}
