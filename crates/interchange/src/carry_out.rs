//! A consolidation from its files to its file: which way it goes.

use std::path::PathBuf;

use burn::tensor::Device;
use serde_json::Value;

use crate::{Consolidation, Destination, InterchangeError, Plan, Watcher};

/// Consolidates, and writes what comes out. `version` and `backend` (a table) go into its provenance.
///
/// The models go through memory whole, the experts all at once.
///
/// # Errors
/// As [`Consolidation::check`] and [`Consolidation::run`], and when the file cannot be written; nothing is written then.
pub fn carry_out(
    consolidation: &Consolidation<'_>,
    to: &Destination,
    (version, backend): (&str, Value),
    compute: &Device,
    watcher: &dyn Watcher,
) -> Result<Vec<PathBuf>, InterchangeError> {
    consolidation.check()?;
    let provenance = consolidation.provenance(version, backend)?;
    let model = consolidation.run(compute, watcher)?;
    Plan::of(consolidation).write(&model, &provenance, to, watcher)
}
