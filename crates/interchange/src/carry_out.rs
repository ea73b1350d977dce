//! A consolidation from its files to its file: which way it goes.

use std::path::PathBuf;

use burn::tensor::Device;
use serde_json::Value;

use crate::{Consolidation, Destination, InterchangeError, Plan, Watcher, streamed};

/// Consolidates, and writes what comes out. `version` and `backend` (a table) go into its provenance.
///
/// Where the strategy works in pieces, they are consolidated and written one after another: memory does not grow with the
/// models ([`merge`](alluvium_merge::merge) says how much it is). It needs classifiers whose rows lie one after another, as
/// PyTorch keeps them: a table of names says so with `head.weight` under `transposed`. Otherwise the models go through memory
/// whole, the experts all at once. The numbers are the same either way.
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
    consolidation.check_request()?;
    let provenance = consolidation.provenance(version, backend)?;
    let plan = Plan::of(consolidation);
    if streamed::is_possible(consolidation) {
        return streamed::carry_out(consolidation, plan.options(&provenance, to), to, compute, watcher);
    }
    let model = consolidation.run(compute, watcher)?;
    plan.write(&model, &provenance, to, watcher)
}
