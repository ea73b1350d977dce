//! Reading the table of one plugin, for commands that do not need a whole configuration.

use std::path::Path;

use alluvium_registry::Family;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::document::{Document, Flaw, FlawKind};
use crate::error::{ConfigError, ConfigProblem};
use crate::finding::Finding;
use crate::read::tables::{Plugins, Tables};
use crate::read::variant::open;
use crate::sweep::PLUGIN_TABLES;

/// Where a plugin's table stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartSource<'a> {
    /// In a file: the table itself, with its `kind`; or a configuration, whose other tables are ignored.
    File(&'a Path),
    /// In an argument, as an inline table of TOML: `{ kind = "pld", steps = 100 }`.
    Inline {
        /// The argument's name, for messages.
        name: &'a str,
        /// What was given.
        text: &'a str,
    },
    /// A kind, with default options.
    Kind {
        /// The argument's name, for messages.
        name: &'a str,
        /// What was given.
        kind: &'a str,
    },
}

/// Reads one plugin's table: its kind, and its options as the plugin's own type.
///
/// # Errors
/// [`ConfigError`] with all problems that are found, each at its place in the file.
pub fn read_part<C: ?Sized>(family: Family, source: PartSource<'_>) -> Result<(String, Box<C>), ConfigError>
where
    Box<C>: DeserializeOwned,
{
    let (file, document, in_file) = match source {
        PartSource::File(file) => (file, open(file), true),
        PartSource::Inline { name, text } => (Path::new(name), inline(text), false),
        PartSource::Kind { name, kind } => {
            let text = format!("{{ kind = {} }}", Value::String(kind.to_owned()));
            (Path::new(name), inline(&text), false)
        }
    };
    let failed = |mut problems: Vec<ConfigProblem>| {
        if !in_file {
            // The places are those of a text that the user has not written.
            problems.iter_mut().for_each(|problem| (problem.place, problem.table) = (None, String::new()));
        }
        ConfigError { file: file.to_owned(), problems }
    };
    let document = document.map_err(failed)?;
    read(family, &document).map_err(failed)
}

/// The key of an inline table.
const INLINE: &str = "table";

fn inline(text: &str) -> Result<Document, Vec<ConfigProblem>> {
    let problem = |flaw: Flaw| {
        let message = match flaw.kind {
            FlawKind::Syntax(words) => {
                format!("is not a table: {words}; accepted: such as {{ kind = \"KIND\", option = 1 }}")
            }
            FlawKind::Value(message) => message.replacen(&format!("`{INLINE}."), "`", 1),
        };
        ConfigProblem { place: None, table: String::new(), message }
    };
    Document::parse(&format!("{INLINE} = {text}")).map_err(|flaws| flaws.into_iter().map(problem).collect())
}

fn read<C: ?Sized>(family: Family, document: &Document) -> Result<(String, Box<C>), Vec<ConfigProblem>>
where
    Box<C>: DeserializeOwned,
{
    let (path, mut table) = find(family, document.root())
        .map_err(|message| vec![ConfigProblem { place: None, table: String::new(), message }])?;
    if family == Family::Strategy {
        // A row of a configuration may have a name. Here there is only one strategy.
        table.remove("name");
    }
    let mut tables = Tables::new();
    let mut plugins = Plugins::new(&mut tables);
    let path: Vec<_> = path.iter().map(String::as_str).collect();
    let part = plugins.read(family, &path, &table);
    part.ok_or_else(|| plugins.findings().iter().map(|finding: &Finding| finding.in_file(document)).collect())
}

/// The table, and the path of keys to it.
fn find(family: Family, root: &Map<String, Value>) -> Result<(Vec<String>, Map<String, Value>), String> {
    if root.contains_key("kind") {
        return Ok((vec![], root.clone()));
    }
    if let Some(table) = root.get(INLINE).and_then(Value::as_object) {
        return Ok((vec![INLINE.to_owned()], table.clone()));
    }
    let own = PLUGIN_TABLES.iter().find(|(_, own)| *own == family);
    if let Some((key, table)) = own.and_then(|(key, _)| Some((*key, root.get(*key)?.as_object()?))) {
        return Ok((vec![key.to_owned()], table.clone()));
    }
    let rows = root.get("strategies").and_then(Value::as_array).filter(|_| family == Family::Strategy);
    let wanted = family.table();
    match rows.map(Vec::as_slice) {
        Some([Value::Object(row)]) => Ok((["strategies", "0"].map(str::to_owned).to_vec(), row.clone())),
        Some(rows) if rows.len() > 1 => {
            Err(format!("has {} strategies; accepted: one {wanted} table, or a `kind` and its options", rows.len()))
        }
        _ => Err(format!("has no {wanted} table; accepted: one, or a `kind` and its options")),
    }
}
