//! What all parts of a run need.

use std::collections::BTreeMap;

use alluvium_config::Experiment;
use serde_json::Value;

use crate::progress::Observer;
use crate::stored::Stages;

/// What all parts of a run need.
pub(crate) struct RunContext<'a> {
    pub(crate) experiment: &'a Experiment,
    pub(crate) stages: &'a Stages<'a>,
    pub(crate) observer: &'a dyn Observer,
    /// What the surrogate data of each row that sees some follow from: their options, and the digests of their files.
    pub(crate) surrogates: BTreeMap<String, Value>,
}
