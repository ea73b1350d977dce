//! The table of voices, and the words and accents.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// English accents of espeak-ng, by the names that it has for them.
pub const ACCENTS: [&str; 8] =
    ["en-029", "en-gb", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-gb-x-rp", "en-us", "en-us-nyc"];

/// The twenty command words of Google's Speech Commands (Warden, arXiv 1804.03209).
pub const WORDS: [&str; 20] = [
    "down", "eight", "five", "four", "go", "left", "nine", "no", "off", "on", "one", "right", "seven", "six", "stop",
    "three", "two", "up", "yes", "zero",
];

/// A voice: a variant of the synthesiser, which changes the voice of any accent, with a pitch and a speed.
#[derive(Debug, Deserialize)]
pub struct Voice {
    /// Its name here.
    pub voice: String,
    /// The synthesiser's variant.
    pub variant: String,
    /// The synthesiser's pitch, 0 to 99.
    pub pitch: u8,
    /// Words a minute.
    pub speed: u16,
}

/// Reads the table.
pub fn read(path: &Path) -> Result<Vec<Voice>> {
    let mut reader = csv::Reader::from_path(path).with_context(|| format!("reading {}", path.display()))?;
    let rows = reader.deserialize().collect::<Result<Vec<Voice>, _>>();
    let rows = rows.with_context(|| format!("reading {}", path.display()))?;
    let plain = |row: &Voice| row.voice.chars().all(|character| character.is_ascii_alphanumeric());
    ensure!(rows.iter().all(plain), "{}: a voice has another name than letters and digits", path.display());
    Ok(rows)
}
