//! Devices with networks of their own, with the strategies that ship: a run in which every second device is narrower, in which the
//! first one is another architecture, and what is refused.

use std::fs;

use alluvium_config::{ConfigSource, read_all};
use serde_json::Value;
use tempfile::TempDir;

use crate::tiny::{TINY, cell, compare, folder, numbers, succeeds};

/// The strategies that take such experts.
const TAKE: [&str; 3] = ["pld", "deep-model-consolidation", "ex-model-distillation"];

/// Four devices and these strategies, with a table of own networks.
fn config(table: &str, strategies: &[&str]) -> String {
    let head = TINY.split("[[strategies]]").next().unwrap();
    let head = head.replace("tasks = 3", "tasks = 4").replace("seeds = [0, 1]", "seeds = [0]");
    let head = head.replace("baseline = \"naive\"", "references = [\"devices-alone\"]");
    let row = |kind: &&str| format!("\n[[strategies]]\nkind = \"{kind}\"\nsteps = 40\nbatch_size = 16\n");
    format!("{head}\n{table}\n{}", strategies.iter().map(row).collect::<String>())
}

const NARROWER: &str = "[own_networks]\nevery = 2\nbackbone = { kind = \"mlp\", layers = [6] }\n";

/// The accuracies on each task after each consolidation, the task known, of all consolidations.
fn accuracies(results: &Value, row: &str) -> Vec<f64> {
    let cell = cell(results, row);
    let text = serde_json::to_value(&cell["accuracy"]).unwrap();
    let rows = text["stream"]["task_aware"].as_array().or_else(|| text["task_aware"].as_array());
    let rows = rows.unwrap_or_else(|| panic!("no accuracies in {text}"));
    rows.iter().flat_map(|row| row.as_array().unwrap().iter().map(|one| one.as_f64().unwrap())).collect()
}

#[test]
fn each_strategy_learns_from_narrower_experts() {
    let folder = TempDir::new().unwrap();
    for start in ["own", "distilled"] {
        let results = compare(folder.path(), start, &config(&format!("{NARROWER}start = \"{start}\""), &TAKE));
        for row in TAKE {
            let found = cell(&results, row);
            let bytes = |key: &str| -> Vec<u64> {
                found[key].as_array().unwrap().iter().map(|bytes| bytes.as_u64().unwrap()).collect()
            };
            let (down, up) = (bytes("bytes_down"), bytes("bytes_up"));
            // The narrow network sends less. It takes its settings, or also the central model.
            assert!(up[1] < up[0] && up[3] < up[2], "{row}, {start}: {up:?}");
            assert_eq!(down[1] < 2000, start == "own", "{row}, {start}: {down:?}");
            assert_eq!(accuracies(&results, row).len(), 1 + 2 + 3 + 4);
        }
    }
    // Resumed without half of its stages, with the same numbers.
    let before = numbers(&folder.path().join("distilled/summary.csv"));
    let stages = fs::read_dir(folder.path().join("distilled/cache")).unwrap().map(|entry| entry.unwrap().path());
    let mut stages: Vec<_> = stages.filter(|entry| entry.join("record.json").exists()).collect();
    stages.sort();
    assert!(stages.len() > 8);
    stages.iter().step_by(2).for_each(|stage| fs::remove_dir_all(stage).unwrap());
    succeeds(folder.path(), &["compare", "distilled.toml", "--out", "distilled"]);
    assert_eq!(numbers(&folder.path().join("distilled/summary.csv")), before);
}

#[test]
fn the_first_device_may_be_another_architecture_and_its_expert_teaches_alone() {
    let folder = TempDir::new().unwrap();
    let table = "[own_networks]\ndevices = [1]\n\
                 backbone = { kind = \"small-cnn\", width = 4, latent = 8, strides = [4, 2, 1] }\n";
    let mut text = config(table, &TAKE);
    for (from, to) in [
        ("tasks = 4", "tasks = 2"),
        ("layers = [16, 8]", "layers = [64, 32]"),
        ("epochs = 1", "epochs = 10"),
        ("kind = \"noise\"\nsamples = 64", "kind = \"single-image\"\npatches = 500"),
        ("steps = 40", "steps = 300"),
    ] {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    let results = compare(folder.path(), "first", &text);
    for row in TAKE {
        let found = cell(&results, row);
        // The second device takes the centre's perceptron: 784 × 64 weights of four bytes, and more. The first one sent a small network.
        let bytes = |key: &str, device: usize| found[key][device].as_u64().unwrap();
        assert!(bytes("bytes_down", 1) > 200_000 && bytes("bytes_up", 0) < 30_000, "{row}: {found}");
        // Half of the samples would be right by chance.
        let (first, expert) = (accuracies(&results, row)[0], found["expert_accuracy"][0].as_f64().unwrap());
        assert!(expert > 0.9 && first > 0.85, "{row}: {first}, the expert {expert}");
    }
}

#[test]
fn what_makes_no_sense_with_own_networks_is_refused() {
    let cases: &[(&str, (&str, &str), &[&str])] = &[
        (
            "averaging",
            ("kind = \"pld\"\nsteps = 40\nbatch_size = 16", "kind = \"weight-averaging\""),
            &[
                "[[strategies]] 1: the strategy \"weight-averaging\" needs experts of the centre's shapes",
                "[own_networks] have another `backbone`",
                "accepted: analytic, class-statistics, deep-model-consolidation, ex-model-distillation, pld",
            ],
        ),
        (
            "rounds",
            ("kind = \"pld\"", "kind = \"pld\"\nprotocol = { kind = \"federated\" }"),
            &["under the protocol \"federated\" all models are the central one; accepted: kind = \"dcl\""],
        ),
        ("beyond", ("every = 2", "devices = [2, 5]"), &["`devices` names the device 5, but the stream has 4"]),
        ("nobody", ("every = 2", "every = 5"), &["`every` = 5 gives no device a network", "at most 4"]),
        ("both", ("every = 2", "every = 2\ndevices = [2]"), &["both say which devices"]),
        ("neither", ("every = 2", ""), &["[own_networks]: nothing says which devices have this `backbone`"]),
        ("zero", ("every = 2", "devices = [0]"), &["own_networks.devices", "= 0", "at least 1"]),
        ("kind", ("kind = \"mlp\", layers = [6]", "kind = \"vgg\""), &["unknown backbone kind \"vgg\""]),
        ("option", ("layers = [6]", "layers = [0]"), &["[own_networks]: `layers.0` = 0", "at least 1"]),
        (
            "input",
            ("kind = \"mlp\", layers = [6]", "kind = \"conv1d\""),
            &["the backbone \"conv1d\" takes", "the stream \"split-glyphs\" gives"],
        ),
        ("start", ("every = 2", "every = 2\nstart = \"copied\""), &["`own_networks.start` = \"copied\"", "distilled"]),
        (
            "projection",
            ("kind = \"pld\"", "kind = \"pld\"\nprojection = \"none\""),
            &["`projection` = \"none\" compares the centre's 8 values with the 6 of a device"],
        ),
    ];
    let good = config(NARROWER, &["pld"]);
    read(&good).unwrap_or_else(|error| panic!("{error}"));
    for (what, (from, to), says) in cases {
        assert!(good.contains(from), "{what}: {from}");
        let error = read(&good.replace(from, to)).err().unwrap_or_else(|| panic!("{what} is accepted"));
        says.iter().for_each(|words| assert!(error.contains(words), "{what}: `{words}` is not in: {error}"));
    }
}

fn read(text: &str) -> Result<(), String> {
    let read = read_all(ConfigSource::BuiltIn { name: "own.toml", text }, None, None);
    read.map(drop).map_err(|error| error.to_string())
}

#[test]
fn distilling_needs_samples_here_and_whole_weights() {
    let distilled = config(&format!("{NARROWER}start = \"distilled\""), &["pld"]);
    let lora = distilled.replace("epochs = 1", "lora = { rank = 1 }\nepochs = 1");
    let error = read(&lora).unwrap_err();
    assert!(error.contains("`start` = \"distilled\" does not go with `lora`"), "{error}");
    assert!(error.contains("accepted: \"own\""), "{error}");
    read(&lora.replace("\"distilled\"", "\"own\"")).unwrap_or_else(|error| panic!("{error}"));

    let device = "[device]\nkind = \"command\"\nprogram = \"/bin/sh\"\n";
    let parts: Vec<_> = distilled.split("[device]").collect();
    let rest = parts[1].split_once("[surrogate]").unwrap().1;
    let command = format!("{}{device}[surrogate]{rest}", parts[0]);
    let error = read(&command).unwrap_err();
    assert!(error.contains("needs samples in this process, which the devices \"command\" do not have"), "{error}");
    read(&command.replace("\"distilled\"", "\"own\"")).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn starts_backbones_and_equal_networks_are_swept() {
    let table = "[own_networks]\nevery = [0, 2]\nbackbone = { kind = \"mlp\", layers = [[6], [7]] }\nstart = [\"own\", \"distilled\"]";
    let text = config(table, &["pld"]);
    let variants = read_all(ConfigSource::BuiltIn { name: "own.toml", text: &text }, None, None);
    let variants = variants.unwrap_or_else(|error| panic!("{error}"));
    let labels: Vec<_> = variants.iter().map(|variant| variant.label.as_str()).collect();
    assert_eq!(labels.len(), 8);
    assert_eq!(labels[0], "own_networks.every=0, own_networks.backbone.layers=[6], own_networks.start=own");
    let has = |index: usize| variants[index].experiment.own_network_of(1).is_some();
    assert!(!has(0) && has(7));
    let written = &variants[7].experiment.written_out["own_networks"];
    assert_eq!(written["backbone"]["layers"], serde_json::json!([7]));
    let folder = folder();
    fs::write(folder.path().join("own.toml"), &text).unwrap();
    assert!(succeeds(folder.path(), &["check", "own.toml"]).contains("8 variants of 1 row"));
}
