//! The binary of this crate: Alluvium's command line knows the devices, and a comparison goes on without those that are lost.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_third-party-device"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_devices_are_listed() {
    let listed = text(&run(&["list", "devices"]).stdout);
    assert!(listed.contains("unreliable") && listed.contains("in-process"), "{listed}");
    let shown = text(&run(&["show", "unreliable"]).stdout);
    assert!(shown.contains("\nlost = 0.2\n"), "{shown}");
}

#[test]
fn a_comparison_goes_on_without_devices_that_are_lost() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("unreliable");
    let _ = fs::remove_dir_all(&folder);
    let compared = run(&["compare", "unreliable.toml", "--out", &folder.to_string_lossy()]);
    assert!(compared.status.success(), "{}", text(&compared.stderr));
    let results = fs::read_to_string(folder.join("results.json")).expect("the results were written");
    let results: serde_json::Value = serde_json::from_str(&results).expect("JSON");
    let cell = &results["rows"][0]["cells"][0];
    let contacts: Vec<_> = cell["contacts"].as_array().unwrap().iter().map(|one| one.as_u64().unwrap()).collect();
    let lost = contacts.iter().filter(|contacts| **contacts == 1).count();
    assert!(lost > 0 && lost < contacts.len(), "some of the devices are lost: {contacts:?}");
    assert_eq!(cell["expert_accuracy"].as_array().unwrap().len(), contacts.len() - lost);
}
