//! Each third-party example is its own workspace, built in the same target folder, so it must use the same profiles, versions and features.
//! So must the wheel that CI builds.

use std::collections::BTreeSet;
use std::process::Command;

use toml::Value;

use crate::expect_none;
use crate::lock::Lock;
use crate::workspace::{read_toml, root};

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

/// The packages that a build compiles, each with its features.
fn packages(folder: &str, arguments: &[&str]) -> BTreeSet<String> {
    let tree = ["tree", "--locked", "--prefix", "none", "--format", "{p} {f}"];
    let output = Command::new(env!("CARGO")).current_dir(root().join(folder)).args(tree).args(arguments).output();
    let output = output.expect("cargo can be started");
    assert!(output.status.success(), "{folder}: {}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).expect("is text");
    lines.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
}

#[test]
fn builds_beside_the_workspace_use_what_its_tests_compiled() {
    let ours = packages("", &["--workspace", "--edges", "normal,build,dev"]);
    let python = ["--package", "alluvium-python", "--features", "shared-features", "--edges", "normal,build"];
    let third_parties = FOLDERS.map(|folder| (folder, &["--edges", "normal,build,dev"][..]));
    expect_none(third_parties.into_iter().chain([("python", &python[..])]).flat_map(|(folder, arguments)| {
        let differ = packages(folder, arguments).into_iter().filter(|package| !ours.contains(package));
        let own = |package: &String| package.starts_with("third-party-") || package.starts_with("alluvium-python ");
        differ
            .filter(|package| !own(package))
            .map(|package| {
                format!("{folder}: {package} has other features than in the workspace; see xtask/shared-features")
            })
            .collect::<Vec<_>>()
    }));
}
