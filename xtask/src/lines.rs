//! Counts the lines of code of each strategy, without tests, comments and blank lines, writes them into the table of strategies,
//! and holds the simplest ones to a limit.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::repository;

/// The folder of the strategies, and the table in it.
const FOLDER: &str = "plugins/strategies";
const TABLE: &str = "README.md";

/// The strategy of a third party: its kind, and its folder seen from the table.
const THIRD_PARTY: (&str, &str) = ("exponential-averaging", "../../examples/third-party-strategy");

/// The most lines of a strategy that must stay short, because a newcomer reads it first, or because its method is short.
const LIMITS: [(&str, usize); 5] =
    [("naive", 25), ("finetune", 35), ("exponential-averaging", 40), ("lwf", 70), ("ewc", 110)];

/// A strategy in the table.
struct CountedStrategy {
    kind: String,
    /// Its crate, seen from the table.
    folder: String,
    lines: usize,
}

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
    let rows = rows(&folder)?;
    let counted = counted(&present, &rows).with_context(|| format!("{FOLDER}/{TABLE}"))?;
    if !args.check {
        return fs::write(&table, counted).with_context(|| format!("{} cannot be written", table.display()));
    }
    let stale: Vec<_> = counted.lines().filter(|line| !present.lines().any(|other| other == *line)).collect();
    ensure!(counted == present, "{FOLDER}/{TABLE} is stale: run `cargo xtask lines`\n{}", stale.join("\n"));
    within_limits(&rows)
}

/// The strategies of the folder, and that of the third party.
fn rows(folder: &Path) -> Result<Vec<CountedStrategy>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let (kind, outside) = THIRD_PARTY;
    let lines = in_folder(&folder.join(outside).join("src"))?;
    let mut rows = vec![CountedStrategy { kind: kind.to_owned(), folder: outside.to_owned(), lines }];
    for entry in entries {
        let plugin = entry?.path();
        if plugin.is_dir() {
            let name = plugin.file_name().unwrap_or_default().to_string_lossy().into_owned();
            rows.push(CountedStrategy { kind: name.clone(), folder: name, lines: in_folder(&plugin.join("src"))? });
        }
    }
    Ok(rows)
}

/// Refuses strategies that are longer than their limit.
fn within_limits(rows: &[CountedStrategy]) -> Result<()> {
    let mut longer = vec![];
    for (kind, most) in LIMITS {
        let row = rows.iter().find(|row| row.kind == kind);
        let CountedStrategy { lines, .. } =
            row.with_context(|| format!("`{kind}` has a limit, but is not a strategy"))?;
        if *lines > most {
            longer.push(format!("`{kind}` has {lines} lines of code, and {most} are the most"));
        }
    }
    ensure!(
        longer.is_empty(),
        "{}; shorten them, or move what several strategies need into crates/strategy",
        longer.join("; ")
    );
    Ok(())
}

/// The text with each strategy's lines in its row, sorted from the smallest to the largest. The other columns, data access and
/// paper, and the text around the table stay as they are.
fn counted(text: &str, rows: &[CountedStrategy]) -> Result<String> {
    let begins = |row: &CountedStrategy| format!("| [`{}`]({}/src/lib.rs) | ", row.kind, row.folder);
    let is_row = |line: &&str| line.starts_with("| [`");
    let mut counted = vec![];
    for row in rows {
        let begin = begins(row);
        let rest = text.lines().find_map(|line| line.strip_prefix(&begin)?.split_once(" | "));
        let Some((_, rest)) = rest else {
            bail!("the row of `{}` is missing; add: {begin}0 | data access | paper |", row.kind);
        };
        counted.push((row.lines, &row.kind, format!("{begin}{} | {rest}", row.lines)));
    }
    counted.sort();
    let gone = text.lines().filter(is_row).find(|line| !rows.iter().any(|row| line.starts_with(&begins(row))));
    if let Some(gone) = gone {
        bail!("this row has no strategy; remove it: {gone}");
    }

    let before = text.lines().take_while(|line| !is_row(line));
    let after = text.lines().skip_while(|line| !is_row(line)).skip_while(is_row);
    let counted = counted.iter().map(|(_, _, row)| row.as_str());
    Ok(before.chain(counted).chain(after).map(|line| format!("{line}\n")).collect())
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

    fn rows(lines: &[(&str, usize)]) -> Vec<CountedStrategy> {
        let row = |(kind, lines): &(&str, usize)| CountedStrategy {
            kind: (*kind).into(),
            folder: (*kind).into(),
            lines: *lines,
        };
        lines.iter().map(row).collect()
    }

    #[test]
    fn rows_are_counted_and_sorted_and_keep_their_other_cells() {
        let head = "# Strategies\n\n| kind | lines | data | paper |\n|---|---:|---|---|\n";
        let (a, b) = (row("a", 3, "none | – "), row("b", 9, "surrogate | Of a, b | c"));
        let text = counted(&format!("{head}{a}{b}\n| `a` | More. |\n"), &rows(&[("a", 12), ("b", 7)])).unwrap();
        let (a, b) = (row("a", 12, "none | – "), row("b", 7, "surrogate | Of a, b | c"));
        assert_eq!(text, format!("{head}{b}{a}\n| `a` | More. |\n"));
    }

    #[test]
    fn a_row_too_few_or_too_many_is_named() {
        let text = row("a", 3, "none | –");
        let missing = counted(&text, &rows(&[("a", 3), ("b", 1)])).unwrap_err().to_string();
        assert!(missing.contains("the row of `b` is missing"), "{missing}");
        let gone = counted(&text, &[]).unwrap_err().to_string();
        assert!(gone.contains("remove it: | [`a`]"), "{gone}");
    }
    #[test]
    fn strategies_over_their_limit_are_named() {
        let at_most: Vec<_> = LIMITS.to_vec();
        within_limits(&rows(&at_most)).unwrap();
        let over: Vec<_> = LIMITS.iter().map(|(kind, most)| (*kind, most + usize::from(*kind == "lwf"))).collect();
        let error = within_limits(&rows(&over)).unwrap_err().to_string();
        assert!(error.starts_with("`lwf` has 71 lines of code, and 70 are the most;"), "{error}");
        let error = within_limits(&rows(&at_most[1..])).unwrap_err().to_string();
        assert_eq!(error, "`naive` has a limit, but is not a strategy");
    }
}
