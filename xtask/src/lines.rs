//! How small a plugin is: its own lines of code, without tests, comments and blank lines.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use clap::Args;

use crate::repository;

#[derive(Args)]
pub struct LinesArgs {
    /// The family to count.
    #[arg(default_value = "strategies")]
    family: String,
}

pub fn run(args: &LinesArgs) -> Result<()> {
    let folder = repository().join("plugins").join(&args.family);
    let entries = fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut plugins = vec![];
    for entry in entries {
        let plugin = entry?.path();
        let name = plugin.file_name().unwrap_or_default().to_string_lossy().into_owned();
        plugins.push((in_folder(&plugin.join("src"))?, name));
    }
    plugins.sort();
    println!("| plugin | lines |\n|---|---|");
    plugins.iter().for_each(|(lines, name)| println!("| `{name}` | {lines} |"));
    Ok(())
}

fn in_folder(folder: &Path) -> Result<usize> {
    let mut lines = 0;
    for entry in fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            lines += in_folder(&path)?;
        } else if path.extension().is_some_and(|kind| kind == "rs") && path.file_stem().is_none_or(|n| n != "tests") {
            lines += in_text(&fs::read_to_string(&path)?);
        }
    }
    Ok(lines)
}

/// Tests stand last in a file.
fn in_text(text: &str) -> usize {
    let before_tests = text.lines().map(str::trim).take_while(|line| !line.starts_with("#[cfg(test)]"));
    before_tests.filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_blank_lines_and_tests_are_not_counted() {
        let text = "//! Doc.\n\nuse a; // why\n\n    // Comment.\nfn b() {}\n#[cfg(test)]\nmod tests {}\n";
        assert_eq!(in_text(text), 2);
    }
}
