//! Alluvium's side of `benches/merge`: checkpoints merged from files into a file, with the memory that it took.
//!
//! `merge STRATEGY OUTPUT PREVIOUS EXPERT…`, where STRATEGY is a table in JSON such as `{"kind":"ties"}`. Prints one line of
//! JSON. It goes the way that a user's merge goes, from opening the files to the finished file on the disk.

use std::error::Error;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use alluvium_benches::compute;
use alluvium_checkpoint::{Checkpoint, WriteOptions};
use alluvium_merge::{Model, Request, merge};
use alluvium_model::Seed;
use alluvium_strategy::StrategyConfig;
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [strategy, output, previous, experts @ ..] = &arguments[..] else {
        return Err("usage: merge STRATEGY OUTPUT PREVIOUS EXPERT…".into());
    };
    let strategy: Box<dyn StrategyConfig> = serde_json::from_str(strategy)?;
    let compute = compute("flex").ok_or("the backend flex is not linked")?;
    let started = Instant::now();
    let previous_checkpoint = Checkpoint::open(previous)?;
    let checkpoints = experts.iter().map(Checkpoint::open).collect::<Result<Vec<_>, _>>()?;
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    let merged = merge(&Request {
        previous: model(previous, &previous_checkpoint),
        previous_counts: false,
        experts: experts.iter().zip(&checkpoints).map(|(name, checkpoint)| model(name, checkpoint)).collect(),
        strategy: strategy.as_ref(),
        seed: Seed::new(1),
        compute: &compute,
        output: Path::new(output),
        options: WriteOptions { metadata, ..WriteOptions::default() },
        dtype: None,
        progress: &|_| ControlFlow::Continue(()),
    })?;
    let seconds = started.elapsed().as_secs_f64();
    println!("{}", json!({ "seconds": seconds, "peak_mb": peak_memory(), "surveys": merged.surveys }));
    Ok(())
}

fn model<'a>(name: &str, checkpoint: &'a Checkpoint) -> Model<'a> {
    Model { name: name.to_owned(), checkpoint, mapping: None, classifier: None, samples: 1 }
}

/// The most memory that this process has held, in MB; where the platform tells.
fn peak_memory() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<f64>().ok()? * 1.024e-3)
}
