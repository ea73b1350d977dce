//! Reads any bytes as a Parquet file. It must not panic, and labels must be valid classes.

#![no_main]

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use alluvium_readers_fuzz::classes;
use alluvium_readers_fuzz::columns::ColumnNames;
use alluvium_readers_fuzz::picture::Orientation;
use alluvium_readers_fuzz::table::Table;
use alluvium_readers_fuzz::{DataPart, StreamError};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
    // The reader catches panics of the parquet crate. Without this hook, libFuzzer would report them.
    std::panic::set_hook(Box::new(|_| ()));
    tempfile::tempdir().expect("a folder can be made")
});

fuzz_target!(|bytes: &[u8]| {
    let path = FOLDER.path().join("file.parquet");
    // Overwriting a file may force a write to disk each time; a new file does not.
    let _ = fs::remove_file(&path);
    fs::write(&path, bytes).expect("the file can be written");
    let _ = read(&path);
});

fn read(path: &Path) -> Result<(), StreamError> {
    let table = || Table::open(&[path.to_owned()], ColumnNames { image: None, label: None });
    let (mut table, mut other) = (table()?, table()?);
    let names = classes::share(&mut table, &mut other)?;
    let shape = table.shape(None, 3, Orientation::Apply)?;
    let pictures = table.into_pictures(shape);
    let indices: Vec<_> = (0..pictures.labels().len().min(64)).rev().collect();
    let samples = pictures.read(&indices)?;
    assert!(samples.labels().iter().all(|label| *label < names.len()));
    Ok(())
}
