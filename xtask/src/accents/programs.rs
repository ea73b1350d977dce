//! The programs that say words and pack sounds.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// The versions that made the data files.
pub const MADE_BY: &str = "espeak-ng 1.51 and flac 1.4.2 of Debian 12";

/// Checks that both programs are there, and says so if they are not those that made the data files.
pub fn check() -> Result<()> {
    let said = [output(Command::new("espeak-ng").arg("--version"))?, output(Command::new("flac").arg("--version"))?];
    let said = said.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned());
    if !(said[0].contains(": 1.51 ") && said[1] == "flac 1.4.2") {
        println!("the data files were made by {MADE_BY}; here are: {}", said.join("; "));
    }
    Ok(())
}

/// What a program writes to its standard output.
pub fn output(command: &mut Command) -> Result<Vec<u8>> {
    let name = command.get_program().to_string_lossy().into_owned();
    let done = command.stdin(Stdio::null()).output();
    let done = done.with_context(|| format!("running {name}, of the Debian package of the same name"))?;
    ensure!(done.status.success(), "{name} failed: {}", String::from_utf8_lossy(&done.stderr).trim());
    Ok(done.stdout)
}
