//! Counts the lines of code of each strategy, without tests, comments and blank lines, and writes them into the table of strategies.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::repository;

/// The folder of the strategies, and the table in it.
const FOLDER: &str = "plugins/strategies";
const TABLE: &str = "README.md";

#[derive(Args)]
pub struct LinesArgs {
    /// Write nothing; fail if the table is stale.
    #[arg(long)]
    check: bool,
}

pub fn run(args: &LinesArgs) -> Result<()> {
    let folder = repository().join(FOLDER);
    let table = folder.join(TABLE);
    let present = fs::read_to_string(&table).with_context(|| format!("{} cannot be read", table.display()))?;
    let counted = counted(&present, &plugins(&folder)?).with_context(|| format!("{FOLDER}/{TABLE}"))?;
    if !args.check {
        return fs::write(&table, counted).with_context(|| format!("{} cannot be written", table.display()));
    }
    let stale: Vec<_> = counted.lines().filter(|line| !present.lines().any(|other| other == *line)).collect();
    ensure!(counted == present, "{FOLDER}/{TABLE} is stale: run `cargo xtask lines`\n{}", stale.join("\n"));
    Ok(())
}

/// Each plugin's name and lines.
fn plugins(folder: &Path) -> Result<Vec<(String, usize)>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut plugins = vec![];
    for entry in entries {
        let plugin = entry?.path();
        if plugin.is_dir() {
            let name = plugin.file_name().unwrap_or_default().to_string_lossy().into_owned();
            plugins.push((name, in_folder(&plugin.join("src"))?));
        }
    }
    Ok(plugins)
}

/// The text with each plugin's lines in its row, sorted from the smallest to the largest. The other columns, data access and paper,
/// stay as they are.
fn counted(text: &str, plugins: &[(String, usize)]) -> Result<String> {
    let begins = |name: &str| format!("| [`{name}`]({name}/src/lib.rs) | ");
    let is_row = |line: &&str| line.starts_with("| [`");
    let mut rows = vec![];
    for (name, lines) in plugins {
        let begin = begins(name);
        let rest = text.lines().find_map(|line| line.strip_prefix(&begin)?.split_once(" | "));
        let Some((_, rest)) = rest else {
            bail!("the row of `{name}` is missing; add: {begin}0 | data access | paper |");
        };
        rows.push((*lines, name, format!("{begin}{lines} | {rest}")));
    }
    rows.sort();
    let gone = text.lines().filter(is_row).find(|row| !plugins.iter().any(|(name, _)| row.starts_with(&begins(name))));
    if let Some(gone) = gone {
        bail!("this row has no plugin; remove it: {gone}");
    }

    let before = text.lines().take_while(|line| !is_row(line));
    let after = text.lines().skip_while(|line| !is_row(line)).skip_while(is_row);
    let rows = rows.iter().map(|(_, _, row)| row.as_str());
    Ok(before.chain(rows).chain(after).map(|line| format!("{line}\n")).collect())
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

    fn row(name: &str, lines: usize, rest: &str) -> String {
        format!("| [`{name}`]({name}/src/lib.rs) | {lines} | {rest} |\n")
    }

    fn plugins(lines: &[(&str, usize)]) -> Vec<(String, usize)> {
        lines.iter().map(|(name, lines)| ((*name).to_owned(), *lines)).collect()
    }

    #[test]
    fn rows_are_counted_and_sorted_and_keep_their_other_cells() {
        let head = "# Strategies\n\n| kind | lines | data | paper |\n|---|---:|---|---|\n";
        let (a, b) = (row("a", 3, "none | – "), row("b", 9, "surrogate | Of a, b | c"));
        let text = counted(&format!("{head}{a}{b}\nMore.\n"), &plugins(&[("a", 12), ("b", 7)])).unwrap();
        let (a, b) = (row("a", 12, "none | – "), row("b", 7, "surrogate | Of a, b | c"));
        assert_eq!(text, format!("{head}{b}{a}\nMore.\n"));
    }

    #[test]
    fn a_row_too_few_or_too_many_is_named() {
        let text = row("a", 3, "none | –");
        let missing = counted(&text, &plugins(&[("a", 3), ("b", 1)])).unwrap_err().to_string();
        assert!(missing.contains("the row of `b` is missing"), "{missing}");
        let gone = counted(&text, &[]).unwrap_err().to_string();
        assert!(gone.contains("remove it: | [`a`]"), "{gone}");
    }
}
