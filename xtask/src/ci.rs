//! The chore that runs every check of the repository, the cheapest first.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;

/// The crates outside the workspace that stand for those of third parties.
const THIRD_PARTIES: [&str; 3] =
    ["examples/third-party-strategy", "examples/third-party-classifier", "examples/third-party-device"];

/// Arguments of `cargo xtask ci`.
#[derive(Args)]
pub struct CiArgs {
    /// Leave out `cargo test --workspace`, where it was run before.
    #[arg(long)]
    no_test: bool,
}

/// One check: a cargo command in a folder of the repository.
struct Check {
    folder: &'static str,
    arguments: &'static str,
    environment: Vec<(&'static str, OsString)>,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cargo {}", self.arguments)?;
        if !self.folder.is_empty() {
            write!(f, " (in {})", self.folder)?;
        }
        Ok(())
    }
}

/// Runs the chore: stops at the first check that fails.
pub fn run(args: &CiArgs) -> Result<()> {
    let root = crate::repository();
    let mut times = vec![];
    let mut failed = None;
    for check in checks(args, target_folder(&root)?) {
        println!("\n$ {check}");
        let started = Instant::now();
        let passed = check.run(&root)?;
        times.push((check.to_string(), started.elapsed()));
        if !passed {
            failed = Some(check.to_string());
            break;
        }
    }
    print_times(&times);
    match failed {
        Some(check) => bail!("`{check}` failed"),
        None => Ok(()),
    }
}

/// All checks, the cheapest first.
fn checks(args: &CiArgs, target: PathBuf) -> Vec<Check> {
    let of_workspace = |arguments| Check { folder: "", arguments, environment: vec![] };
    // In the workspace's own target folder, so that burn is not built a second time.
    let shared = vec![("CARGO_TARGET_DIR", target.into_os_string())];
    let of_third_parties = |arguments| {
        let environment = shared.clone();
        THIRD_PARTIES.map(|folder| Check { folder, arguments, environment: environment.clone() })
    };

    let mut checks = vec![of_workspace("fmt --all --check")];
    checks.extend(of_third_parties("fmt --check"));
    checks.extend([
        of_workspace("clippy --workspace --all-targets -- -D warnings"),
        // The one feature that is off by default and builds on any machine.
        of_workspace("clippy --workspace --all-targets --features alluvium-cli/hub -- -D warnings"),
        Check { environment: vec![("RUSTDOCFLAGS", "-Dwarnings".into())], ..of_workspace("doc --workspace --no-deps") },
    ]);
    if !args.no_test {
        checks.push(of_workspace("test --workspace"));
    }
    checks.extend(of_third_parties("clippy --all-targets -- -D warnings"));
    checks.extend(of_third_parties("test"));
    checks
}

impl Check {
    /// Whether the check passes; an error when it cannot be started.
    fn run(&self, root: &Path) -> Result<bool> {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.current_dir(root.join(self.folder)).args(self.arguments.split(' '));
        command.envs(self.environment.iter().cloned());
        let status = command.status().with_context(|| format!("`{self}` cannot be started"))?;
        Ok(status.success())
    }
}

/// The folder that the workspace is built in.
pub(crate) fn target_folder(root: &Path) -> Result<PathBuf> {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => Ok(std::path::absolute(folder)?),
        None => Ok(root.join("target")),
    }
}

fn print_times(times: &[(String, Duration)]) {
    println!();
    for (check, time) in times {
        println!("{:>8.1} s  {check}", time.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(no_test: bool) -> Vec<String> {
        checks(&CiArgs { no_test }, PathBuf::new()).iter().map(Check::to_string).collect()
    }

    #[test]
    fn no_test_leaves_out_the_tests_of_the_workspace_and_nothing_else() {
        let mut all = lines(false);
        all.retain(|line| line != "cargo test --workspace");
        assert_eq!(all, lines(true));
        assert_eq!(all.len() + 1, lines(false).len());
    }

    #[test]
    fn checks_name_the_folder_they_run_in() {
        let last = lines(false).pop();
        assert_eq!(last.as_deref(), Some("cargo test (in examples/third-party-device)"));
    }
}
