//! The context of a run, which all its parts share.

use std::collections::BTreeMap;

use alluvium_config::Experiment;
use serde_json::Value;

use crate::progress::Observer;
use crate::stored::Stages;

/// The context of a run, which all its parts share.
pub(crate) struct RunContext<'a> {
    pub(crate) experiment: &'a Experiment,
    pub(crate) stages: &'a Stages<'a>,
    pub(crate) observer: &'a dyn Observer,
    /// For each row with surrogate data, what these depend on: their options, and the digests of their files.
    pub(crate) surrogates: BTreeMap<String, Value>,
}
