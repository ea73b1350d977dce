//! A stream within the options of something else: a table with a `kind`, checked like `[stream]`.

use alluvium_registry::{Family, NestedError, nested};
use serde_json::{Map, Value};

use crate::StreamConfig;

/// Reads the configuration of a stream from a table with its `kind` and its options.
///
/// # Errors
/// [`NestedError`] when the kind is missing or not linked, or when an option is wrong.
pub fn nested_stream(table: &Map<String, Value>) -> Result<Box<dyn StreamConfig>, NestedError> {
    nested(Family::Stream, table)
}
