//! A plugin within the options of another one: a table with a `kind`, checked like the plugin's own table.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{Family, carried, check_table, described, find};

/// A table that is not a plugin of the family. The message continues the name of the table, which the caller writes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NestedError {
    /// The kind is missing, or not linked into the running binary.
    #[error("names {named}; accepted: a table with one of the kinds {kinds}")]
    Kind {
        /// What the table names.
        named: String,
        /// The kinds that are linked.
        kinds: String,
    },
    /// An option is unknown or out of range. It is the first such option.
    #[error("is wrong: `{}` {problem}; accepted: {accepted}", path.join("."))]
    Option {
        /// The keys that lead to the option.
        path: Vec<String>,
        /// The problem.
        problem: String,
        /// What is accepted.
        accepted: String,
    },
    /// The table fits the kind's schema, but cannot be read.
    #[error("is wrong: {cause}; accepted: the options of `alluvium show {kind}`")]
    Table {
        /// The plugin's kind.
        kind: String,
        /// Why it cannot be read.
        cause: String,
    },
}

/// Reads the configuration of a plugin from a table with its `kind` and its options. `C` is what tables of the family are read
/// into.
///
/// # Errors
/// [`NestedError`] when the kind is missing or not linked, or when an option is wrong.
pub fn nested<C: DeserializeOwned>(family: Family, table: &Map<String, Value>) -> Result<C, NestedError> {
    let wrong_kind = |named: String| {
        let kinds: Vec<_> = described(family).iter().map(|one| one.kind).collect();
        NestedError::Kind { named, kinds: kinds.join(", ") }
    };
    let mut options = table.clone();
    let Some(Value::String(kind)) = options.remove("kind") else {
        return Err(wrong_kind("no `kind`".to_owned()));
    };
    let description = find(family, &kind).map_err(|_| wrong_kind(format!("the unknown kind \"{kind}\"")))?;
    let problems = check_table(&description.options_schema(), &Value::Object(options));
    if let Some(first) = problems.into_iter().next() {
        return Err(NestedError::Option { path: first.path, problem: first.message, accepted: first.accepted });
    }
    serde_json::from_value(Value::Object(carried(family, table.clone())))
        .map_err(|error| NestedError::Table { kind, cause: error.to_string() })
}
