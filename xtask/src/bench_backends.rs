//! How fast each backend is: one table from the criterion benches of all backends that this machine has.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde::Deserialize;

use crate::repository;

/// The benches that are compared by default. The other strategies would take longer without new information.
const STEPS: &str = "device-epoch/|evaluation/|consolidation/(pld|weight-averaging)/";

#[derive(Args)]
pub struct BenchBackendsArgs {
    /// Which benches, as a regular expression over names such as `device-epoch/small-cnn/flex`.
    #[arg(default_value = STEPS)]
    benches: String,
    /// Features of the benches' build beside `ndarray`, such as `cuda,wgpu`.
    #[arg(long)]
    features: Option<String>,
    /// Only print the table of the last measurements.
    #[arg(long)]
    table: bool,
}

pub fn run(args: &BenchBackendsArgs) -> Result<()> {
    // A separate folder, because the table would include other benches' results in criterion's folder.
    let results = crate::ci::target_folder(&repository())?.join("bench-backends");
    if !args.table {
        measure(args, &results)?;
    }
    let mut measured = vec![];
    read(&results, &mut measured)?;
    if measured.is_empty() {
        bail!("{} holds no measurement; run `cargo xtask bench-backends`", results.display());
    }
    print!("{}", table(&measured));
    Ok(())
}

fn measure(args: &BenchBackendsArgs, results: &Path) -> Result<()> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["bench", "-p", "alluvium-benches", "--bench", "steps"]).current_dir(repository());
    // The one backend that every machine can run beside the default.
    let features = ["ndarray"].into_iter().chain(args.features.as_deref()).collect::<Vec<_>>().join(",");
    cargo.args(["--features", &features]);
    cargo.args(["--", &args.benches]);
    cargo.env("ALLUVIUM_BENCH_BACKENDS", "all").env("CRITERION_HOME", results);
    let status = cargo.status().context("cargo cannot be run")?;
    ensure!(status.success(), "the benches ended with {status}");
    Ok(())
}

/// One measurement, as criterion stores it.
#[derive(Debug, PartialEq)]
struct Measurement {
    /// The measured bench: group and function.
    what: String,
    backend: String,
    /// The median seconds of an iteration.
    seconds: f64,
    /// Samples that go through the network in an iteration, or consolidations.
    elements: f64,
}

/// `benchmark.json`: the name of the bench.
#[derive(Deserialize)]
struct Bench {
    group_id: String,
    function_id: Option<String>,
    value_str: Option<String>,
    throughput: Option<Throughput>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Throughput {
    elements: f64,
}

/// `estimates.json`: the measurements in nanoseconds.
#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    point_estimate: f64,
}

/// Reads the newest measurements in a folder and in all below it.
fn read(folder: &Path, measured: &mut Vec<Measurement>) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    let entries = entries.map(|entry| entry.map(|entry| entry.path()));
    for path in entries.collect::<Result<Vec<PathBuf>, _>>()?.into_iter().filter(|path| path.is_dir()) {
        if path.file_name().is_some_and(|name| name == "new") {
            measured.extend(read_one(&path)?);
        } else {
            read(&path, measured)?;
        }
    }
    Ok(())
}

fn read_one(folder: &Path) -> Result<Option<Measurement>> {
    let bench: Bench = parse(&folder.join("benchmark.json"))?;
    let estimates: Estimates = parse(&folder.join("estimates.json"))?;
    let (Some(function), Some(backend)) = (bench.function_id, bench.value_str) else { return Ok(None) };
    Ok(Some(Measurement {
        what: format!("{} {function}", bench.group_id),
        backend,
        seconds: estimates.median.point_estimate * 1e-9,
        elements: bench.throughput.map_or(1.0, |throughput| throughput.elements),
    }))
}

fn parse<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not what criterion writes", path.display()))
}

/// A row for each step and a column for each backend: elements per second, and the time of an element divided by that on `flex`.
fn table(measured: &[Measurement]) -> String {
    let backends: BTreeSet<_> = measured.iter().map(|one| one.backend.as_str()).collect();
    let mut rows: BTreeMap<&str, BTreeMap<&str, f64>> = BTreeMap::new();
    for one in measured {
        rows.entry(&one.what).or_default().insert(&one.backend, one.elements / one.seconds);
    }
    let mut text = format!("| elements a second (time ÷ flex) | {} |\n", join(backends.iter().copied()));
    text.push_str(&format!("|---|{}\n", "---:|".repeat(backends.len())));
    for (what, rates) in rows {
        let flex = rates.get("flex").copied();
        let cell = |backend: &&str| match (rates.get(backend), flex) {
            (None, _) => "–".to_owned(),
            (Some(rate), Some(flex)) if *backend != "flex" => format!("{} ({:.2})", digits(*rate), flex / rate),
            (Some(rate), _) => digits(*rate),
        };
        text.push_str(&format!("| {what} | {} |\n", join(backends.iter().map(cell))));
    }
    text
}

fn join(cells: impl Iterator<Item: ToString>) -> String {
    cells.map(|cell| cell.to_string()).collect::<Vec<_>>().join(" | ")
}

/// A number with three significant digits.
fn digits(rate: f64) -> String {
    match rate {
        rate if rate >= 100.0 => format!("{rate:.0}"),
        rate if rate >= 10.0 => format!("{rate:.1}"),
        rate => format!("{rate:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn criterions_files_become_one_table() {
        let home = tempfile::tempdir().unwrap();
        let put = |backend: &str, nanoseconds: f64| {
            let folder = home.path().join("device-epoch/mlp").join(backend).join("new");
            fs::create_dir_all(&folder).unwrap();
            let bench = format!(
                r#"{{"group_id":"device-epoch","function_id":"mlp","value_str":"{backend}",
                    "throughput":{{"Elements":256}},"full_id":"x","title":"x"}}"#
            );
            fs::write(folder.join("benchmark.json"), bench).unwrap();
            let estimates =
                format!(r#"{{"mean":{{"point_estimate":1.0}},"median":{{"point_estimate":{nanoseconds}}}}}"#);
            fs::write(folder.join("estimates.json"), estimates).unwrap();
        };
        put("flex", 1e8); // 0.1 s: 2 560 samples a second
        put("ndarray", 5e8); // 0.5 s: 512 samples a second, five times as long
        let mut measured = vec![];
        read(home.path(), &mut measured).unwrap();
        let expected = "| elements a second (time ÷ flex) | flex | ndarray |\n|---|---:|---:|\n\
                        | device-epoch mlp | 2560 | 512 (5.00) |\n";
        assert_eq!(table(&measured), expected);
    }

    #[test]
    fn what_was_not_measured_is_a_dash() {
        let one = |what: &str, backend: &str| Measurement {
            what: what.to_owned(),
            backend: backend.to_owned(),
            seconds: 2.0,
            elements: 1.0,
        };
        let text = table(&[one("a", "flex"), one("b", "wgpu")]);
        assert!(text.contains("| a | 0.50 | – |") && text.contains("| b | – | 0.50 |"), "{text}");
    }
}
