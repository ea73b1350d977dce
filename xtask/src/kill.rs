//! The chore that kills a comparison at random moments and checks that it ends with the same numbers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use alluvium_results::Metric;
use anyhow::{Context, Result, ensure};
use clap::Args;
use rand::{RngExt as _, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Arguments of `cargo xtask kill`.
#[derive(Args)]
pub struct KillArgs {
    /// The comparison.
    #[arg(default_value = "examples/quickstart.toml")]
    config: PathBuf,
    /// How often it is killed.
    #[arg(long, default_value_t = 30)]
    kills: u32,
    /// Chooses the moments.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The program to kill. Default: the release build, which is made first.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// A run directory where the comparison ran undisturbed. Default: it is run first.
    #[arg(long)]
    undisturbed: Option<PathBuf>,
}

/// Runs the chore.
pub fn run(args: &KillArgs) -> Result<()> {
    let root = crate::repository();
    let binary = args.binary.clone().map_or_else(|| build(&root), Ok)?;
    let folder = tempfile::tempdir()?;
    let compare = |out: &Path| compare(&binary, &root.join(&args.config), out);

    let started = Instant::now();
    let undisturbed = match &args.undisturbed {
        Some(undisturbed) => undisturbed.clone(),
        None => {
            let out = folder.path().join("undisturbed");
            ensure!(compare(&out)?.wait()?.success(), "the undisturbed comparison failed");
            out
        }
    };
    let expected = numbers(&undisturbed)?;
    let duration = match args.undisturbed {
        Some(_) => seconds_of(&undisturbed)?,
        None => started.elapsed(),
    };
    println!("undisturbed: {} s", duration.as_secs());

    let mut random = ChaCha8Rng::seed_from_u64(args.seed);
    let out = folder.path().join("killed");
    let all_stages = stages(&undisturbed);
    let (started, mut killed) = (Instant::now(), 0);
    for number in 1..=args.kills {
        // The remaining time, divided by the remaining kills, so that no kill comes after the end of the run.
        let left = duration.as_secs_f64() * (1.0 - stages(&out) / all_stages).max(0.0);
        let wait = random.random_range(0.0..=2.0 * left / f64::from(args.kills - number + 2));
        let mut child = compare(&out)?;
        sleep(Duration::from_secs_f64(wait));
        child.kill()?;
        let met = child.wait()?.code().is_none();
        killed += u32::from(met);
        println!("kill {number} after {wait:.1} s{}", if met { "" } else { ": the run was over" });
    }
    ensure!(compare(&out)?.wait()?.success(), "the comparison failed after {killed} kills");
    println!("killed {killed} times, done after {} s", started.elapsed().as_secs());
    ensure!(numbers(&out)? == expected, "the numbers of summary.csv differ from those of the undisturbed run");
    println!("summary.csv has the same numbers as the undisturbed run");
    Ok(())
}

fn build(root: &Path) -> Result<PathBuf> {
    let built = Command::new("cargo").args(["build", "--release"]).current_dir(root).status()?;
    ensure!(built.success(), "the release build failed");
    Ok(crate::ci::target_folder(root)?.join("release").join("alluvium"))
}

fn compare(binary: &Path, config: &Path, out: &Path) -> Result<Child> {
    let mut command = Command::new(binary);
    command.arg("compare").arg(config).arg("--out").arg(out).arg("--quiet").stdout(Stdio::null());
    command.spawn().with_context(|| format!("{} cannot be started", binary.display()))
}

/// `summary.csv` without the lines that measure time and memory.
fn numbers(out: &Path) -> Result<String> {
    let file = out.join("summary.csv");
    let text = fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
    // Five fields follow the row's name, which may contain commas. The first of them is the metric.
    let metric = |line: &str| line.rsplit(',').nth(4).and_then(Metric::from_name);
    let measured = |line: &&str| metric(line).is_some_and(Metric::is_measurement);
    Ok(text.lines().filter(|line| !measured(line)).map(|line| format!("{line}\n")).collect())
}

/// The number of stages in a run directory.
fn stages(out: &Path) -> f64 {
    let entries = fs::read_dir(out.join("cache")).into_iter().flatten().flatten();
    entries.filter(|entry| entry.path().join("SHA256SUMS").exists()).count() as f64
}

/// The duration of a finished run, from the first file that it wrote to the last.
fn seconds_of(out: &Path) -> Result<Duration> {
    let time = |name: &str| fs::metadata(out.join(name)).and_then(|data| data.modified());
    Ok(time("summary.csv")?.duration_since(time("run.json")?)?)
}
