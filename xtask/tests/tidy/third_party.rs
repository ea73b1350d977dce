//! Each third-party example is its own workspace, built in the same target folder, so it must use the same profiles and versions.

use toml::Value;

use crate::expect_none;
use crate::lock::Lock;
use crate::workspace::read_toml;

const FOLDERS: [&str; 3] =
    ["examples/third-party-strategy", "examples/third-party-classifier", "examples/third-party-device"];

#[test]
fn the_third_party_examples_build_with_the_same_profiles() {
    let profiles = |path: &str| read_toml(path).get("profile").cloned().unwrap_or(Value::Table(Default::default()));
    let paths = FOLDERS.map(|folder| format!("{folder}/Cargo.toml"));
    expect_none(paths.iter().filter(|path| profiles("Cargo.toml") != profiles(path)).map(|path| {
        format!("{path}: copy the [profile] tables of the root's Cargo.toml; otherwise burn is built twice")
    }));
}

#[test]
fn the_third_party_examples_lock_the_same_versions() {
    let ours = Lock::read("Cargo.lock").packages();
    expect_none(FOLDERS.iter().flat_map(|folder| {
        let path = format!("{folder}/Cargo.lock");
        let own = read_toml(&format!("{folder}/Cargo.toml"));
        let own = own["package"]["name"].as_str().unwrap_or_default().to_owned();
        let others = Lock::read(&path).packages().into_iter();
        let others = others.filter(|package| !ours.contains(package) && package.0 != own).collect::<Vec<_>>();
        others.into_iter().map(move |(name, version)| {
            format!(
                "{path}: {name} {version} is not in the root's Cargo.lock; copy that one over it and run any cargo command there"
            )
        })
    }));
}
