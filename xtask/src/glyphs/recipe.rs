//! `fonts.csv`: the table that says where each font came from, under which
//! licence, and in which order the data file holds them.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

/// File name of the recipe in the data folder.
pub const FILE: &str = "fonts.csv";

/// One font. The field order is the column order.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Row {
    /// Position in the data file, from 0.
    pub index: usize,
    /// `train` or `test`, the same for all fonts of a family.
    pub split: String,
    pub family: String,
    pub font: String,
    /// Absolute path at which the Debian package installs the font.
    pub file: String,
    pub package: String,
    pub version: String,
    pub licence: String,
    /// Where the licence is stated.
    pub licence_evidence: String,
    /// SHA-256 of the font file, in hexadecimal.
    pub sha256: String,
}

/// Reads the recipe from a data folder.
pub fn read(folder: &Path) -> Result<Vec<Row>> {
    let path = folder.join(FILE);
    let mut reader = csv::Reader::from_path(&path).with_context(|| format!("opening {}", path.display()))?;
    let rows: Vec<Row> =
        reader.deserialize().collect::<Result<_, _>>().with_context(|| format!("reading {}", path.display()))?;
    for (position, row) in rows.iter().enumerate() {
        ensure!(row.index == position, "{}: row {position} has index {}", path.display(), row.index);
        ensure!(
            matches!(row.split.as_str(), "train" | "test"),
            "{}: row {position} has split '{}', expected train or test",
            path.display(),
            row.split
        );
    }
    Ok(rows)
}

/// The recipe as the bytes of its file.
pub fn encode(rows: &[Row]) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row).with_context(|| format!("writing the row of {}", row.file))?;
    }
    writer.into_inner().context("finishing fonts.csv")
}
