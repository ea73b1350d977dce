//! The chore that builds the wheel of the Python package, installs it in a virtual environment, and tests it there.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

/// The most bytes that a wheel for users may have.
const LARGEST: u64 = 40_000_000;

/// What the tests need beside what the package itself needs.
const TOOLS: [&str; 6] = ["maturin>=1.9,<2", "pytest", "pandas", "pandas-stubs", "mypy", "types-tqdm"];

/// What devices on other machines need, as `alluvium[flower]` states it.
const FLOWER: &str = "flwr>=1.42,<1.43; python_version >= '3.11'";

/// Arguments of `cargo xtask wheel`.
#[derive(Args)]
pub struct WheelArgs {
    /// The interpreter that makes the virtual environment.
    #[arg(long, default_value = "python3")]
    python: String,
    /// Install PyTorch, too, and run the tests that need it.
    #[arg(long)]
    torch: bool,
    /// Build the source distribution, too, and install that in place of the wheel.
    #[arg(long)]
    sdist: bool,
    /// Build in the profile `dev`, which uses what `cargo test --workspace` compiled. The wheel is larger and slower.
    #[arg(long, conflicts_with = "sdist")]
    dev: bool,
}

/// Runs the chore.
pub fn run(args: &WheelArgs) -> Result<()> {
    let root = crate::repository();
    let (package, target) = (root.join("python"), root.join("target"));
    let (environment, wheels) = (target.join("python"), target.join("wheels"));
    let python = interpreter(&environment);
    if !python.exists() {
        run_in(&root, &args.python, ["-m", "venv"].map(OsStr::new).into_iter().chain([environment.as_os_str()]))?;
    }
    let mut tools = TOOLS.to_vec();
    tools.extend(args.torch.then_some("torch"));
    pip(&root, &python, &tools)?;
    // Where it cannot be had, its tests say that they are left out.
    if pip(&root, &python, &[FLOWER]).is_err() {
        println!("skipped: the tests of devices on Flower, because `{FLOWER}` cannot be installed");
    }
    if wheels.exists() {
        fs::remove_dir_all(&wheels)?;
    }

    let begun = Instant::now();
    let manifest = package.join("Cargo.toml");
    let kind = if args.sdist { "sdist" } else { "build" };
    let mut build = vec!["-m", "maturin", kind, "--manifest-path"].into_iter().map(OsStr::new).collect::<Vec<_>>();
    build.extend([manifest.as_os_str(), OsStr::new("--out"), wheels.as_os_str()]);
    let profile: &[&str] = match args {
        WheelArgs { sdist: true, .. } => &[],
        WheelArgs { dev: true, .. } => &["--profile", "dev", "--features", "shared-features"],
        _ => &["--release"],
    };
    build.extend(profile.iter().map(OsStr::new));
    run_in(&root, &python, build)?;
    let built = fs::read_dir(&wheels)?.next().context("maturin left nothing")??.path();
    let bytes = fs::metadata(&built)?.len();
    println!("{}: {:.1} MB after {} s", built.display(), bytes as f64 / 1e6, begun.elapsed().as_secs());
    ensure!(args.dev || bytes <= LARGEST, "the wheel has {bytes} bytes; accepted: {LARGEST} at most");
    pip(&root, &python, &["--force-reinstall", "--no-deps", &built.display().to_string()])?;
    // What the package needs. Its own file would be built a second time here, if it is a source distribution.
    pip(&root, &python, &["alluvium"])?;

    let settings = package.join("pyproject.toml");
    // Without PyTorch, its examples cannot be checked.
    let checked: &[&str] = if args.torch { &["python/package", "python/examples"] } else { &["python/package"] };
    let mypy = ["-m", "mypy", "--config-file"].map(OsStr::new).into_iter().chain([settings.as_os_str()]);
    run_in(&root, &python, mypy.chain(checked.iter().map(OsStr::new)))?;
    run_in(&root, &python, ["-m", "pytest", "-q", "-rs", "python/tests"].map(OsStr::new))
}

fn interpreter(environment: &Path) -> PathBuf {
    if cfg!(windows) { environment.join("Scripts/python.exe") } else { environment.join("bin/python") }
}

fn pip(root: &Path, python: &Path, what: &[&str]) -> Result<()> {
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    run_in(root, python, install.iter().chain(what).map(OsStr::new))
}

fn run_in<'a>(root: &Path, program: impl AsRef<OsStr>, arguments: impl IntoIterator<Item = &'a OsStr>) -> Result<()> {
    let program = program.as_ref();
    let arguments: Vec<_> = arguments.into_iter().collect();
    let shown = arguments.iter().map(|one| one.to_string_lossy()).collect::<Vec<_>>().join(" ");
    println!("$ {} {shown}", program.to_string_lossy());
    let status = Command::new(program).args(&arguments).current_dir(root).status();
    let status = status.with_context(|| format!("{} cannot be started", program.to_string_lossy()))?;
    if status.success() { Ok(()) } else { bail!("`{} {shown}` failed ({status})", program.to_string_lossy()) }
}
