//! What is said of a file by whoever reads it, beside what the file says itself.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use alluvium_checkpoint::{NameMap, NamesError};
use alluvium_model::{BackboneConfig, InputShape};

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
        match given.ends_with(".toml") {
            true => Ok(Names { map: NameMap::open(given)?, source: Source::File(given.into()) }),
            false => Names::shipped(given),
        }
    }

    /// The built-in table of that kind.
    ///
    /// # Errors
    /// [`NamesError::Unknown`], which names those there are.
    pub fn shipped(kind: &str) -> Result<Self, NamesError> {
        Ok(Names { map: NameMap::shipped(kind)?, source: Source::Shipped(kind.to_owned()) })
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
            Source::Shipped(kind) => f.write_str(kind),
            Source::File(path) => write!(f, "{}", path.display()),
        }
    }
}
