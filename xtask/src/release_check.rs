//! The chore with the checks before a release that take too long for every change.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Args;

/// The checks: what they are for, and the command.
const CHECKS: [(&str, &str); 8] = [
    ("every crate can be packaged, and builds from its package", "cargo package --workspace --allow-dirty"),
    ("the oldest Rust that is promised builds it", "cargo check --workspace --all-targets --locked"),
    ("the oldest dependencies that are promised build it", "cargo xtask minimum-versions"),
    (
        "Windows, as far as a toolchain is here",
        "cargo check --package alluvium-experiment --target x86_64-pc-windows-gnu",
    ),
    ("macOS, as far as a toolchain is here", "cargo check --package alluvium-experiment --target aarch64-apple-darwin"),
    ("the documentation site builds, and its links lead somewhere", "cargo xtask docs"),
    ("the wheel is small enough, and passes", "cargo xtask wheel"),
    ("the wheel builds from the source distribution, and passes with PyTorch", "cargo xtask wheel --sdist --torch"),
];

/// Arguments of `cargo xtask release-check`.
#[derive(Args)]
pub struct ReleaseCheckArgs {
    /// Only the checks whose command has this text.
    #[arg(long)]
    only: Option<String>,
}

/// Runs the chore: all checks, also after one has failed.
pub fn run(args: &ReleaseCheckArgs) -> Result<()> {
    let mut failed = vec![];
    for (purpose, command) in CHECKS {
        if args.only.as_ref().is_some_and(|only| !command.contains(only.as_str())) {
            continue;
        }
        println!("\n# {purpose}\n$ {command}");
        if let Some(target) = command.split("--target ").nth(1)
            && !is_installed(target)
        {
            println!("skipped: {target}, because its standard library is not installed (`rustup target add {target}`)");
            continue;
        }
        let begun = Instant::now();
        let mut words = command.split(' ');
        let program = words.next().context("a command has a program")?;
        let status = Command::new(program).args(words).current_dir(crate::repository()).status()?;
        println!("{} after {} s", if status.success() { "passed" } else { "FAILED" }, begun.elapsed().as_secs());
        if !status.success() {
            failed.push(command);
        }
    }
    ensure!(failed.is_empty(), "{} checks failed: {}", failed.len(), failed.join("; "));
    Ok(())
}

/// Whether the standard library of a target is there.
fn is_installed(target: &str) -> bool {
    let found = Command::new("rustc").args(["--print", "target-libdir", "--target", target]).output();
    found.is_ok_and(|found| std::path::Path::new(String::from_utf8_lossy(&found.stdout).trim()).is_dir())
}
