//! Asks `alluvium-merge` for a consolidation from files to a file or into memory, by a strategy that works in pieces. The work itself, piece by
//! piece and with no model whole in memory, is in that crate.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use alluvium_checkpoint::WriteOptions;
use alluvium_merge::{Classifier, HeadRows, MergeError, MergeModel, MergeOutcome, MergeProgress, Request, merge};
use alluvium_model::Seed;
use burn::tensor::Device;

use crate::consolidation::panicked;
use crate::foreign::HEAD;
use crate::watcher::WritingGuard;
use crate::{Consolidation, Destination, ForeignModel, InterchangeError, NamedHead, Watcher};

/// Whether a consolidation can work in pieces: the strategy can, and every classifier is stored row by row, as in
/// PyTorch. If one is stored column by column, the values of a head are scattered over the whole tensor.
pub(crate) fn is_possible(consolidation: &Consolidation<'_>) -> bool {
    let fits = |model: &ForeignModel| match model.mapping.foreign(HEAD[0]) {
        Some(_) => model.mapping.is_transposed(HEAD[0]),
        None => true,
    };
    let mut models = [consolidation.previous].into_iter().chain(consolidation.experts);
    consolidation.strategy.1.piecewise(&consolidation.description(None)).is_some() && models.all(fits)
}

/// Consolidates piece by piece, and writes each piece as soon as it is computed.
pub(crate) fn carry_out(
    consolidation: &Consolidation<'_>,
    options: WriteOptions,
    to: Option<&Destination>,
    compute: &Device,
    watcher: &dyn Watcher,
) -> Result<MergeOutcome, InterchangeError> {
    let Consolidation { previous, experts, arrangement, strategy: (kind, strategy), seed, .. } = *consolidation;
    [previous].into_iter().chain(experts).try_for_each(ForeignModel::check_variances)?;
    let progress = progress(watcher);
    let placed = experts.iter().zip(&arrangement.experts).map(|(expert, placed)| {
        let name = arrangement.heads[placed.head].name.clone();
        model(expert, vec![HeadRows { name, rows: placed.rows.clone() }])
    });
    let request = Request {
        previous: model(previous, own_heads(previous)),
        previous_counts: !previous.heads().is_empty(),
        experts: placed.collect(),
        strategy,
        seed: Seed::new(seed),
        compute,
        output: to.map(|to| to.path.as_path()),
        options,
        dtype: None,
        progress: &progress,
    };
    merged(kind, &request, watcher)
}

/// A progress callback that tells a watcher how far a merge is, and asks it whether to stop.
pub(crate) fn progress(watcher: &dyn Watcher) -> impl Fn(MergeProgress) -> ControlFlow<()> + Sync {
    move |now| {
        // There are too many pieces to report each of them.
        watcher.step((now.done >> 20) as usize, (now.values >> 20) as usize);
        if watcher.stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Merges. A panic in a plugin becomes an error.
pub(crate) fn merged(
    kind: &str,
    request: &Request<'_>,
    watcher: &dyn Watcher,
) -> Result<MergeOutcome, InterchangeError> {
    let _writing = WritingGuard::begin(watcher);
    match catch_unwind(AssertUnwindSafe(|| merge(request))) {
        Ok(merged) => merged.map_err(|error| said(kind, error)),
        Err(panic) => Err(panicked(panic.as_ref())),
    }
}

/// A model as input of the merge. Without heads, its classifier is left behind.
fn model(model: &ForeignModel, heads: Vec<HeadRows>) -> MergeModel<'_> {
    let classifier = model.mapping.foreign(HEAD[0]).map(|weight| Classifier {
        weight: weight.to_owned(),
        bias: model.mapping.foreign(HEAD[1]).map(str::to_owned),
        heads,
    });
    MergeModel {
        name: model.path().display().to_string(),
        checkpoint: &model.checkpoint,
        mapping: Some(&model.mapping),
        classifier,
        // The number of samples is unknown, so all experts have the same weight.
        samples: 1,
    }
}

/// The heads of a previous model, one after another.
fn own_heads(model: &ForeignModel) -> Vec<HeadRows> {
    let mut next = 0;
    let head = |head: &NamedHead| {
        let rows: Vec<_> = (next..next + head.classes.len()).collect();
        next += rows.len();
        HeadRows { name: head.name.clone(), rows }
    };
    model.heads().iter().map(head).collect()
}

/// The error of a merge as an error of this crate.
pub(crate) fn said(kind: &str, error: MergeError) -> InterchangeError {
    match error {
        MergeError::Checkpoint(error) => InterchangeError::Checkpoint(error),
        MergeError::Stopped => InterchangeError::Stopped,
        MergeError::Options(cause) => InterchangeError::Strategy { file: kind.to_owned(), cause },
        other => InterchangeError::Merge(other),
    }
}
