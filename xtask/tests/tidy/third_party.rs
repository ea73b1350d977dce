//! The third-party example is its own workspace, built in the same target folder, so it must use the same profiles and versions.

use toml::Value;

use crate::expect_none;
use crate::lock::Lock;
use crate::workspace::read_toml;

const FOLDER: &str = "examples/third-party-strategy";

#[test]
fn the_third_party_example_builds_with_the_same_profiles() {
    let profiles = |path: &str| read_toml(path).get("profile").cloned().unwrap_or(Value::Table(Default::default()));
    let path = format!("{FOLDER}/Cargo.toml");
    let same = profiles("Cargo.toml") == profiles(&path);
    let problem = format!("{path}: copy the [profile] tables of the root's Cargo.toml; otherwise burn is built twice");
    expect_none((!same).then_some(problem));
}

#[test]
fn the_third_party_example_locks_the_same_versions() {
    let ours = Lock::read("Cargo.lock").packages();
    let path = format!("{FOLDER}/Cargo.lock");
    let own = read_toml(&format!("{FOLDER}/Cargo.toml"));
    let own = own["package"]["name"].as_str().unwrap_or_default();
    let others = Lock::read(&path).packages().into_iter().filter(|package| !ours.contains(package) && package.0 != own);
    expect_none(others.map(|(name, version)| {
        format!(
            "{path}: {name} {version} is not in the root's Cargo.lock; copy that one over it and run any cargo command there"
        )
    }));
}
