//! The chore that builds with the oldest versions of the direct dependencies that `Cargo.toml` permits, so that what it promises holds.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;

/// Arguments of `cargo xtask minimum-versions`.
#[derive(Args)]
pub struct MinimumArgs {
    /// Only choose the versions; build nothing.
    #[arg(long)]
    no_build: bool,
}

/// Runs the chore in a copy of the tracked files below `target`, whose `Cargo.lock` is another one.
pub fn run(args: &MinimumArgs) -> Result<()> {
    let root = crate::repository();
    let copy = root.join("target/minimum");
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(&root).output()?;
    ensure!(listed.status.success(), "git cannot list the files of {}", root.display());
    for name in String::from_utf8(listed.stdout)?.split_terminator('\0').filter(|name| *name != "Cargo.lock") {
        let (from, to) = (root.join(name), copy.join(name));
        fs::create_dir_all(to.parent().unwrap_or(&copy))?;
        fs::copy(&from, &to).with_context(|| format!("{} cannot be copied", from.display()))?;
    }
    _ = fs::remove_file(copy.join("Cargo.lock"));
    cargo(&copy, &["-Z", "direct-minimal-versions", "generate-lockfile"])?;
    if !args.no_build {
        cargo(&copy, &["check", "--workspace", "--locked"])?;
    }
    println!(
        "The oldest permitted versions of all direct dependencies {}",
        if args.no_build { "exist" } else { "build" }
    );
    Ok(())
}

/// The option that chooses the versions is unstable, so cargo is told to accept it.
fn cargo(folder: &Path, arguments: &[&str]) -> Result<()> {
    println!("$ cargo {}", arguments.join(" "));
    let status = Command::new("cargo").args(arguments).current_dir(folder).env("RUSTC_BOOTSTRAP", "1").status()?;
    ensure!(status.success(), "`cargo {}` failed ({status})", arguments.join(" "));
    Ok(())
}
