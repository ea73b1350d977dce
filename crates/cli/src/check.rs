//! `alluvium check`: checks a configuration, and shows the comparisons that it gives.

use std::io::Write;
use std::path::Path;

use alluvium_config::{ConfigSource, Variant, read_all};
use alluvium_experiment::most_adaptations;

use crate::print;

/// The most rows that are named in one line.
const ROWS_IN_A_LINE: usize = 6;

pub(crate) fn check(config: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let variants = read_all(ConfigSource::File(config), None, None)?;
    print(out, &format!("{} is right: {}{}", config.display(), summary(&variants), notes(&variants)))
}

/// The notes of the streams on their data, each sentence once.
fn notes(variants: &[Variant]) -> String {
    let mut notes: Vec<&str> = vec![];
    for note in variants.iter().flat_map(|variant| &variant.notes) {
        if !notes.contains(&note.as_str()) {
            notes.push(note);
        }
    }
    notes.into_iter().map(|note| format!("note: {note}\n")).collect()
}

/// The variants in words. All have the same rows and seeds.
fn summary(variants: &[Variant]) -> String {
    let Some(first) = variants.first() else { return String::new() };
    let rows: Vec<_> = first.experiment.strategies.iter().map(|row| row.name.as_str()).collect();
    let seeds = counted(first.experiment.seeds.len(), "seed");
    let list = || rows.iter().map(|row| format!("  {row}\n")).collect::<String>();
    let head = if !first.label.is_empty() {
        let (variants_in_words, rows) = (counted(variants.len(), "variant"), counted(rows.len(), "row"));
        format!("{variants_in_words} of {rows} under {seeds}\n\nrows\n{}\n{}\n", list(), table(variants))
    } else if rows.len() <= ROWS_IN_A_LINE {
        format!("{} under {seeds}\n", rows.join(", "))
    } else {
        format!("{} under {seeds}\n{}", counted(rows.len(), "row"), list())
    };
    head + &totals(variants, rows.len(), first.experiment.seeds.len())
}

/// A line for each variant, a column for each key that is swept.
fn table(variants: &[Variant]) -> String {
    let mut keys: Vec<&str> = vec![];
    for (key, _) in variants.iter().flat_map(|variant| &variant.settings) {
        if !keys.contains(&key.as_str()) {
            keys.push(key);
        }
    }
    let heading = ["variant"].into_iter().chain(keys.iter().copied()).chain(["devices"]).map(str::to_owned);
    let lines = variants.iter().enumerate().map(|(number, variant)| {
        let value = |key: &&str| {
            let setting = variant.settings.iter().find(|(own, _)| own == key);
            setting.map_or_else(|| "–".to_owned(), |(_, value)| value.clone())
        };
        let values = keys.iter().map(value);
        [(number + 1).to_string()].into_iter().chain(values).chain([variant.devices.to_string()]).collect()
    });
    aligned(&[heading.collect()].into_iter().chain(lines).collect::<Vec<_>>())
}

/// Lines of cells, each as wide as the widest of its column.
pub(crate) fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let widest = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..columns).map(widest).collect();
    let line = |line: &Vec<String>| {
        let cells: String = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}  ")).collect();
        format!("{}\n", cells.trim_end())
    };
    lines.iter().map(line).collect()
}

/// The amount of work, at most. Devices may be shared between rows or variants, or be done already.
fn totals(variants: &[Variant], rows: usize, seeds: usize) -> String {
    let cells = counted(variants.len() * rows * seeds, "cell");
    let adaptations = variants.iter().map(|variant| most_adaptations(&variant.experiment, variant.devices));
    let devices = counted(adaptations.sum(), "device");
    let mut factors = vec![counted(rows, "row"), counted(seeds, "seed")];
    if variants.len() > 1 {
        factors.insert(0, counted(variants.len(), "variant"));
    }
    format!("{cells} ({}), at most {devices} to adapt\n", factors.join(" × "))
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let lines = [["a", "epochs", "devices"], ["10", "1", "5"], ["ü", "–", "10"]];
        let lines: Vec<Vec<String>> =
            lines.iter().map(|line| line.iter().map(|cell| (*cell).to_owned()).collect()).collect();
        assert_eq!(aligned(&lines), "a   epochs  devices\n10  1       5\nü   –       10\n");
    }
}
