//! Runs one comparison in its own process, and measures it.

use std::fs;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Outcome;

/// The measurements of one comparison.
pub struct Measurement {
    /// The seconds of each consolidation.
    pub consolidations: Vec<f64>,
    /// The seconds of the whole process.
    pub seconds: f64,
    /// The peak memory of the process, in MB.
    pub peak: f64,
    /// Samples of its memory in MB, at even intervals.
    memory: Vec<f64>,
}

impl Measurement {
    /// The memory after this fraction of the time.
    pub fn at(&self, fraction: f64) -> f64 {
        let index = (self.memory.len() as f64 * fraction) as usize;
        self.memory.get(index).copied().unwrap_or(f64::NAN)
    }

    /// The memory along the stream, assuming that every device takes the same time.
    pub fn along(&self) -> Vec<(f64, f64)> {
        let devices = self.consolidations.len() as f64;
        let looks = self.memory.len().max(1) as f64;
        self.memory.iter().enumerate().map(|(index, memory)| (index as f64 / looks * devices, *memory)).collect()
    }
}

const LOOK: Duration = Duration::from_millis(100);

/// Runs a comparison of one row under one seed, one cell at a time.
pub fn run(configuration: &Value) -> Outcome<Measurement> {
    let folder = tempfile::tempdir()?;
    let (file, out) = (folder.path().join("scale.toml"), folder.path().join("out"));
    fs::write(&file, toml::to_string(configuration)?)?;
    let alluvium = std::env::current_exe()?.with_file_name("alluvium");
    let started = Instant::now();
    let mut process = Command::new(&alluvium)
        .args(["compare", "--quiet", "--jobs", "1", "--out"])
        .arg(&out)
        .arg(&file)
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| format!("{} cannot be run: {error}; build it: cargo build --release", alluvium.display()))?;
    let (mut memory, mut peak) = (vec![], 0.0_f64);
    let status = loop {
        if let Some(status) = process.try_wait()? {
            break status;
        }
        if let Some([now, most]) = memory_of(process.id()) {
            memory.push(now);
            peak = peak.max(most);
        }
        sleep(LOOK);
    };
    let seconds = started.elapsed().as_secs_f64();
    if !status.success() {
        return Err(format!("alluvium ended with {status}").into());
    }
    let results: Value = serde_json::from_str(&fs::read_to_string(out.join("results.json"))?)?;
    let list = &results["rows"][0]["cells"][0]["consolidation_seconds"];
    let consolidations = serde_json::from_value(list.clone())?;
    Ok(Measurement { consolidations, seconds, peak, memory })
}

/// The current and the peak memory of a process, in MB, if the platform reports it.
fn memory_of(process: u32) -> Option<[f64; 2]> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let kilobytes = |key: &str| -> Option<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        line.trim().trim_end_matches(" kB").parse().ok()
    };
    Some([kilobytes("VmRSS:")? * 1.024e-3, kilobytes("VmHWM:")? * 1.024e-3])
}
