//! What is said of a file by whoever reads it, beside what the file says itself.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use alluvium_checkpoint::{Mapping, NameMap, NamesError, StateDictKey, shown};
use alluvium_model::{BackboneConfig, InputShape};
use toml::{Table, Value};

use crate::Normalisation;

/// What is said of a model file. Everything may be left out where the file or its tensors say it.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// The table from the file's names to ours. Default: the one that the file's manifest names, or the first built-in one
    /// that fits.
    pub names: Option<Names>,
    /// The backbone. Default: the manifest's, the fallback's, or the one that the tensors' names and shapes are those of.
    pub backbone: Option<Arc<dyn BackboneConfig>>,
    /// The shape of one input. Default: the manifest's, the fallback's, or an assumption that [`ForeignModel::assumed`] names.
    ///
    /// [`ForeignModel::assumed`]: crate::ForeignModel::assumed
    pub input: Option<InputShape>,
    /// What the model wants its inputs to be. Default: the manifest's, the fallback's, or inputs in −1…1 as ours.
    pub normalisation: Option<Normalisation>,
    /// The classes, in the order of the classifier's rows. Default: the manifest's, or numbered names that begin with that of
    /// the file.
    pub classes: Option<Vec<String>>,
    /// Which of its state dicts a file by `torch.save` is taken for. Default: by
    /// [`Checkpoint::open_state_dict`](alluvium_checkpoint::Checkpoint::open_state_dict)'s rule.
    pub state_dict: Option<StateDictKey>,
    /// Take the backbone only, and leave the classifier behind.
    pub backbone_only: bool,
    /// What holds where neither the file nor the fields above say anything.
    pub fallback: Fallback,
}

/// What is taken for granted where nobody says it: that a file is as another one, or made for a stream.
#[derive(Debug, Clone, Default)]
pub struct Fallback {
    /// The backbone.
    pub backbone: Option<Arc<dyn BackboneConfig>>,
    /// The shape of one input.
    pub input: Option<InputShape>,
    /// What the model wants its inputs to be.
    pub normalisation: Option<Normalisation>,
}

/// A table of names.
#[derive(Debug, Clone)]
pub struct Names {
    map: NameMap,
    source: Source,
    behind: Option<PrefixedTable>,
}

/// A table of names that all begin with the same.
#[derive(Debug, Clone)]
struct PrefixedTable {
    prefix: String,
    /// The table of what follows.
    map: NameMap,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    /// A kind that is built in.
    Shipped(String),
    File(PathBuf),
}

impl Names {
    /// The table in a file whose name ends in `.toml`, or the built-in one of that kind.
    ///
    /// # Errors
    /// When there is no such file or kind, or the file holds no such table.
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
    /// [`NamesError::Unknown`], which names those there are.
    pub fn shipped(kind: &str) -> Result<Self, NamesError> {
        Ok(Names { map: NameMap::shipped(kind)?, source: Source::Shipped(kind.to_owned()), behind: None })
    }

    /// The kinds of tables that are built in.
    pub const SHIPPED: [&'static str; NameMap::SHIPPED.len()] = NameMap::SHIPPED;

    /// This table for a model all of whose names begin with `prefix`; `rest` is what it makes of the names without it. Only
    /// tensors that the model has are in it.
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

    /// What the names of all tensors begin with, that the table says nothing of.
    pub fn prefix(&self) -> &str {
        self.behind.as_ref().map_or("", |behind| &behind.prefix)
    }

    /// What a model calls one of our tensors; `None` where the table does not say it.
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

    /// Its kind, if it is built in.
    pub fn kind(&self) -> Option<&str> {
        match &self.source {
            Source::Shipped(kind) => Some(kind),
            Source::File(_) => None,
        }
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Shipped(kind) => f.write_str(kind)?,
            Source::File(path) => write!(f, "{}", path.display())?,
        }
        match &self.behind {
            Some(behind) => write!(f, " behind {}", shown(&behind.prefix)),
            None => Ok(()),
        }
    }
}
