//! Carries out a consolidation from files to a file or into memory, in pieces or with whole models.

use std::path::PathBuf;

use alluvium_checkpoint::WriteOptions;
use burn::tensor::Device;
use serde_json::Value;

use crate::{Consolidation, Destination, InterchangeError, Plan, Watcher, merge_request};

/// Consolidates, and writes the result. `version` and `backend` (a table) are recorded in its provenance.
///
/// If the strategy works in pieces, these are consolidated and written one after another, and memory does not grow with
/// the models ([`merge`](alluvium_merge::merge) states the memory). This requires classifiers that are stored row by
/// row, as in PyTorch: the table of names then lists `head.weight` under `transposed`. Otherwise, all models are loaded
/// into memory at once. The numbers are the same either way.
///
/// # Errors
/// Those of [`Consolidation::check`] and [`Consolidation::run`], and when the file cannot be written. Nothing is
/// written then.
pub fn carry_out(
    consolidation: &Consolidation<'_>,
    to: &Destination,
    (version, backend): (&str, Value),
    compute: &Device,
    watcher: &dyn Watcher,
) -> Result<Vec<PathBuf>, InterchangeError> {
    consolidation.check_request()?;
    let provenance = consolidation.provenance(version, backend)?;
    let plan = Plan::of(consolidation);
    if merge_request::is_possible(consolidation) {
        let options = plan.options(Some(&provenance), Some(to));
        return Ok(merge_request::carry_out(consolidation, options, Some(to), compute, watcher)?.files);
    }
    let model = consolidation.run(compute, watcher)?;
    plan.write(&model, &provenance, to, watcher)
}

/// Like [`carry_out`], without a file: returns the bytes that the file would have, without a provenance.
///
/// # Errors
/// Those of [`carry_out`], except that no file is written.
pub fn carry_out_in_memory(
    consolidation: &Consolidation<'_>,
    compute: &Device,
    watcher: &dyn Watcher,
) -> Result<Vec<u8>, InterchangeError> {
    consolidation.check_request()?;
    let plan = Plan::of(consolidation);
    if merge_request::is_possible(consolidation) {
        let options: WriteOptions = plan.options(None, None);
        return Ok(merge_request::carry_out(consolidation, options, None, compute, watcher)?.bytes);
    }
    let model = consolidation.run(compute, watcher)?;
    plan.write_in_memory(&model, watcher)
}
