//! The chore that builds the documentation site: the reference from the program, the rest from `docs/pages`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;

/// Arguments of `cargo xtask docs`.
#[derive(Args)]
pub struct DocsArgs {
    /// The interpreter that makes the virtual environment of the site's generator.
    #[arg(long, default_value = "python3")]
    python: String,
    /// Build the program in this profile of cargo, such as `dev`.
    #[arg(long, default_value = "release")]
    profile: String,
}

/// Runs the chore. The site is `target/site/index.html`.
pub fn run(args: &DocsArgs) -> Result<()> {
    let root = crate::repository();
    let environment = root.join("target/docs");
    let python = interpreter(&environment);
    let folder = environment.display().to_string();
    if !python.exists() {
        finish(&root, Command::new(&args.python).args(["-m", "venv", &folder]))?;
    }
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", "docs/requirements.txt"];
    finish(&root, Command::new(&python).args(pip))?;
    let program = ["run", "--quiet", "--package", "alluvium-cli", "--profile", &args.profile];
    finish(&root, Command::new("cargo").args(program).args(["--", "reference", "docs/pages/reference"]))?;
    let mkdocs = ["-m", "mkdocs", "build", "--strict", "--quiet", "-f", "docs/mkdocs.yml"];
    finish(&root, Command::new(&python).args(mkdocs).env("NO_MKDOCS_2_WARNING", "1"))?;
    println!("Written: target/site/index.html");
    Ok(())
}

fn interpreter(environment: &Path) -> PathBuf {
    if cfg!(windows) { environment.join("Scripts/python.exe") } else { environment.join("bin/python") }
}

fn finish(root: &Path, command: &mut Command) -> Result<()> {
    println!("$ {command:?}");
    let status = command.current_dir(root).status().with_context(|| format!("{command:?} cannot be started"))?;
    if status.success() { Ok(()) } else { bail!("{command:?} failed ({status})") }
}
