//! How to read a model file: what the caller states about it, in addition to what the file states itself.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use alluvium_checkpoint::{Mapping, NameMap, NamesError, StateDictKey, shown};
use alluvium_model::{BackboneConfig, InputShape};
use toml::{Table, Value};

use crate::{InterchangeError, Normalisation};

/// What the caller states about a model file. A field may be left out if the file or its tensors reveal it.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// The table from the file's names to ours. Default: the one that the file's manifest names, or the first built-in one
    /// that fits.
    pub names: Option<Names>,
    /// The backbone. Default: the manifest's, the fallback's, or the one that the tensors' names and shapes belong to.
    pub backbone: Option<Arc<dyn BackboneConfig>>,
    /// The shape of one input. Default: the manifest's, the fallback's, or an assumption that [`ForeignModel::assumed`] names.
    ///
    /// [`ForeignModel::assumed`]: crate::ForeignModel::assumed
    pub input: Option<InputShape>,
    /// The normalisation that the model expects of its inputs. Default: the manifest's, the fallback's, or our own,
    /// inputs in −1…1.
    pub normalisation: Option<Normalisation>,
    /// The classes, in the order of the classifier's rows. Default: the manifest's, or the name of the file with
    /// numbers.
    pub classes: Option<Vec<String>>,
    /// The state dict to read from a file by `torch.save`. Default: the rule of
    /// [`Checkpoint::open_state_dict`](alluvium_checkpoint::Checkpoint::open_state_dict).
    pub state_dict: Option<StateDictKey>,
    /// Reads only the backbone, and leaves the classifier behind.
    pub backbone_only: bool,
    /// What to assume if neither the file nor the fields above state it.
    pub fallback: Fallback,
}

/// What to assume about a file that does not state it: that it is like another file, or made for a stream.
#[derive(Debug, Clone, Default)]
pub struct Fallback {
    /// The backbone.
    pub backbone: Option<Arc<dyn BackboneConfig>>,
    /// The shape of one input.
    pub input: Option<InputShape>,
    /// The normalisation that the model expects of its inputs.
    pub normalisation: Option<Normalisation>,
}

/// A table of names.
#[derive(Debug, Clone)]
pub struct Names {
    map: NameMap,
    source: Source,
    behind: Option<PrefixedTable>,
}

/// A table of names behind a prefix that all names share.
#[derive(Debug, Clone)]
struct PrefixedTable {
    prefix: String,
    /// The table for the rest of the names.
    map: NameMap,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    /// The kind of a built-in table.
    Shipped(String),
    File(PathBuf),
    Given,
}

impl Names {
    /// The table that an option `names` gives, if it gives one; see [`open`](Self::open).
    ///
    /// # Errors
    /// [`InterchangeError::Request`], which names the option.
    pub fn of_option(given: Option<&str>) -> Result<Option<Self>, InterchangeError> {
        let opened = given.map(Self::open).transpose();
        opened.map_err(|cause| InterchangeError::Request(format!("`names`: {cause}")))
    }

    /// Opens the table in a file whose name ends in `.toml`, or the built-in table of this kind.
    ///
    /// # Errors
    /// When the file or kind does not exist, or the file is not a table of names.
    pub fn open(given: &str) -> Result<Self, NamesError> {
        if given.ends_with(".toml") {
            Ok(Names { map: NameMap::open(given)?, source: Source::File(given.into()), behind: None })
        } else {
            Names::shipped(given)
        }
    }

    /// The built-in table of that kind.
    ///
    /// # Errors
    /// [`NamesError::Unknown`], which lists the existing kinds.
    pub fn shipped(kind: &str) -> Result<Self, NamesError> {
        Ok(Names { map: NameMap::shipped(kind)?, source: Source::Shipped(kind.to_owned()), behind: None })
    }

    /// A table that is in no file.
    pub fn of_map(map: NameMap) -> Self {
        Names { map, source: Source::Given, behind: None }
    }

    /// The kinds of built-in tables.
    pub const SHIPPED: [&'static str; NameMap::SHIPPED.len()] = NameMap::SHIPPED;

    /// This table for a model whose names all begin with `prefix`. `rest` is its mapping of the names without the
    /// prefix. The result contains only tensors that the model has.
    pub(crate) fn behind(&self, prefix: &str, rest: &Mapping) -> Result<Self, NamesError> {
        let text = |text: &str| Value::String(text.to_owned());
        let full = |name: &str| text(&format!("{prefix}{name}"));
        let transposed = rest.iter().map(|(ours, _)| ours).filter(|ours| rest.is_transposed(ours)).map(text);
        let table = [
            ("ignored", Value::Array(rest.ignored().iter().map(|name| full(name)).collect())),
            ("transposed", Value::Array(transposed.collect())),
            ("names", Value::Table(rest.iter().map(|(ours, own)| (format!("{prefix}{own}"), text(ours))).collect())),
        ];
        let table: Table = table.map(|(key, value)| (key.to_owned(), value)).into_iter().collect();
        let behind = PrefixedTable { prefix: prefix.to_owned(), map: self.map.clone() };
        Ok(Names { map: NameMap::parse(&table.to_string())?, source: self.source.clone(), behind: Some(behind) })
    }

    /// The prefix of all tensor names, which is not part of the table.
    pub fn prefix(&self) -> &str {
        self.behind.as_ref().map_or("", |behind| &behind.prefix)
    }

    /// The foreign name of one of our tensors. `None` if the table does not map it.
    pub(crate) fn foreign(&self, ours: &str) -> Option<String> {
        match &self.behind {
            Some(behind) => behind.map.foreign(ours).map(|own| format!("{}{own}", behind.prefix)),
            None => self.map.foreign(ours),
        }
    }

    /// The table itself.
    pub fn map(&self) -> &NameMap {
        &self.map
    }

    /// The kind, if the table is built in.
    pub fn kind(&self) -> Option<&str> {
        match &self.source {
            Source::Shipped(kind) => Some(kind),
            Source::File(_) | Source::Given => None,
        }
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Shipped(kind) => f.write_str(kind)?,
            Source::File(path) => write!(f, "{}", path.display())?,
            Source::Given => f.write_str("the given table")?,
        }
        match &self.behind {
            Some(behind) => write!(f, " behind {}", shown(&behind.prefix)),
            None => Ok(()),
        }
    }
}
