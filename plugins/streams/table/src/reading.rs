//! Reads a table from a CSV or a Parquet file, row by row.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use alluvium_stream::{StreamError, open_file};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;

use crate::columns::{Cell, Roles, Table};

/// The most rows of a table.
const MOST_ROWS: usize = 50_000_000;

/// The bytes within which the first line ends. Longer ones are read, and may be counted as if they ended in one character.
const LONGEST_FIRST_LINE: u64 = 1 << 20;

/// Reads a file. A file that begins as Parquet files do is one; any other is CSV with a line of names.
///
/// # Errors
/// When the file cannot be read or is damaged, or a cell is wrong.
pub fn read(path: &Path, delimiter: u8, roles: Roles<'_>) -> Result<Table, StreamError> {
    let mut start = vec![];
    let failed = |error: std::io::Error| StreamError::file(path, error.to_string());
    open_file(path)?.take(4).read_to_end(&mut start).map_err(failed)?;
    let table = if start == b"PAR1" { of_parquet(path, roles)? } else { of_csv(path, delimiter, roles)? };
    if table.rows() == 0 { Err(StreamError::file(path, "does not have rows")) } else { Ok(table) }
}

fn too_many(path: &Path) -> StreamError {
    StreamError::file(path, format!("has more than {MOST_ROWS} rows, the most that are accepted"))
}

fn of_csv(path: &Path, delimiter: u8, roles: Roles<'_>) -> Result<Table, StreamError> {
    let failed = |error: csv::Error| StreamError::file(path, error.to_string());
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(open_file(path)?);
    let names = reader.headers().map_err(failed)?.iter().map(|name| name.trim().to_owned()).collect();
    let mut table = Table::new(path, names, roles)?;
    let mut record = csv::StringRecord::new();
    // Where lines end in two characters, the crate has passed only the first of them when it states a line.
    let passed = u64::from(ends_in_two_characters(path).map_err(|error| StreamError::file(path, error.to_string()))?);
    while reader.read_record(&mut record).map_err(failed)? {
        let line = record.position().map_or(0, csv::Position::line) + passed;
        table.push(line, record.iter().map(Cell::Text))?;
        if table.rows() > MOST_ROWS {
            return Err(too_many(path));
        }
    }
    Ok(table)
}

/// Whether the first line ends in CR and LF.
fn ends_in_two_characters(path: &Path) -> Result<bool, std::io::Error> {
    let mut line = vec![];
    let file = File::open(path)?.take(LONGEST_FIRST_LINE);
    BufReader::new(file).read_until(b'\n', &mut line)?;
    Ok(line.ends_with(b"\r\n"))
}

fn of_parquet(path: &Path, roles: Roles<'_>) -> Result<Table, StreamError> {
    let file = open_file(path)?;
    // The crate panics on some damaged files.
    let read = catch_unwind(AssertUnwindSafe(|| parquet_rows(path, file, roles)));
    read.unwrap_or_else(|_| Err(StreamError::file(path, "is a damaged Parquet file")))
}

fn parquet_rows(path: &Path, file: File, roles: Roles<'_>) -> Result<Table, StreamError> {
    let damaged = |error: parquet::errors::ParquetError| {
        StreamError::file(path, format!("is a damaged Parquet file, or cannot be read: {error}"))
    };
    let reader = SerializedFileReader::new(file).map_err(damaged)?;
    let schema = reader.metadata().file_metadata().schema();
    let names = schema.get_fields().iter().map(|field| field.name().to_owned()).collect();
    let mut table = Table::new(path, names, roles)?;
    for (row, fields) in reader.get_row_iter(None).map_err(damaged)?.enumerate() {
        let fields = fields.map_err(damaged)?;
        let texts: Vec<_> = fields.get_column_iter().map(|(_, field)| text(field)).collect();
        let cells = fields.get_column_iter().zip(&texts).map(|((_, field), text)| cell(field, text.as_deref()));
        // Rows are counted like lines, from 1.
        table.push(row as u64 + 1, cells)?;
        if table.rows() > MOST_ROWS {
            return Err(too_many(path));
        }
    }
    Ok(table)
}

/// The text of a field that is none of the numbers that [`cell`] knows.
fn text(field: &Field) -> Option<String> {
    match field {
        Field::Str(text) => Some(text.clone()),
        Field::Bytes(bytes) => bytes.as_utf8().ok().map(str::to_owned),
        Field::Null => None,
        other => Some(other.to_string()),
    }
}

fn cell<'a>(field: &Field, text: Option<&'a str>) -> Cell<'a> {
    match field {
        Field::Bool(value) => Cell::Number(f64::from(u8::from(*value))),
        Field::Byte(value) => Cell::Number(f64::from(*value)),
        Field::Short(value) => Cell::Number(f64::from(*value)),
        Field::Int(value) => Cell::Number(f64::from(*value)),
        Field::Long(value) => Cell::Number(*value as f64),
        Field::UByte(value) => Cell::Number(f64::from(*value)),
        Field::UShort(value) => Cell::Number(f64::from(*value)),
        Field::UInt(value) => Cell::Number(f64::from(*value)),
        Field::ULong(value) => Cell::Number(*value as f64),
        Field::Float(value) => Cell::Number(f64::from(*value)),
        Field::Double(value) => Cell::Number(*value),
        _ => text.map_or(Cell::Missing, Cell::Text),
    }
}
