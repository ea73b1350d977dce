//! Configurations and plugins' tables from Python: files, or tables as JSON.

use std::path::Path;

use alluvium_config::{ConfigError, ConfigSource, PartSource, Variant, read_all, read_part};
use alluvium_registry::Family;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::failure::Failure;

/// What messages call a configuration that is a table of Python.
const TABLE: &str = "the configuration";

/// A configuration: a file, or a table as JSON.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    File(String),
    Table(String),
}

impl Source {
    /// The source of the two arguments, one of which is given.
    pub(crate) fn of(file: Option<String>, table: Option<String>) -> Result<Self, Failure> {
        match (file, table) {
            (Some(file), None) => Ok(Source::File(file)),
            (None, Some(table)) => Ok(Source::Table(table)),
            _ => Err(Failure::config("a configuration is a file or a table")),
        }
    }

    /// Reads and checks the configuration.
    pub(crate) fn read(&self, backend: Option<&str>, seeds: Option<Vec<u64>>) -> Result<Vec<Variant>, Failure> {
        match self {
            Source::File(file) => Ok(read_all(ConfigSource::File(Path::new(file)), backend, seeds)?),
            Source::Table(table) => {
                let text = toml_of(table)?;
                let read = read_all(ConfigSource::BuiltIn { name: TABLE, text: &text }, backend, seeds);
                Ok(read.map_err(without_places)?)
            }
        }
    }
}

/// A table as TOML. Keys whose value is null are left out, because TOML has none.
fn toml_of(table: &str) -> Result<String, Failure> {
    let wrong = |error: String| Failure::config(format!("{TABLE} cannot be read: {error}"));
    let mut value: Value = serde_json::from_str(table).map_err(|error| wrong(error.to_string()))?;
    without_nulls(&mut value);
    toml::to_string(&value).map_err(|error| wrong(error.to_string()))
}

fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(table) => {
            table.retain(|_, value| !value.is_null());
            table.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// The problems without their lines, which are those of a text that the user has not written.
fn without_places(mut error: ConfigError) -> ConfigError {
    error.problems.iter_mut().for_each(|problem| problem.place = None);
    error
}

/// Reads one plugin: a kind, a `.toml` file, or a table. Returns its kind, too.
pub(crate) fn part<C: ?Sized>(family: Family, name: &str, given: &Value) -> Result<(String, Box<C>), Failure>
where
    Box<C>: DeserializeOwned,
{
    let read = match given {
        Value::String(path) if path.ends_with(".toml") => read_part(family, PartSource::File(Path::new(path))),
        Value::String(kind) => read_part(family, PartSource::Kind { name, kind }),
        table => {
            let mut table = table.clone();
            without_nulls(&mut table);
            let wrong = |error: toml::ser::Error| Failure::config(format!("{name} cannot be read: {error}"));
            // A table of TOML in one line.
            let text = toml::Value::try_from(&table).map_err(wrong)?.to_string();
            read_part(family, PartSource::Inline { name, text: &text })
        }
    };
    Ok(read?)
}
