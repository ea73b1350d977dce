//! Checkpoints of any size, consolidated piece by piece: none of them is ever whole in memory.
//!
//! [`merge`] takes a previous model and some experts, all of them open [`Checkpoint`](alluvium_checkpoint::Checkpoint)s,
//! and a strategy that works in pieces ([`StrategyConfig::piecewise`](alluvium_strategy::StrategyConfig::piecewise)). It
//! reads the same piece of every model, lets the strategy consolidate these as it consolidates whole models, and writes
//! what comes out. The arithmetic is the strategy's alone.
//!
//! The models are one sequence: the first expert meets the previous model, each other one the centre that those before it
//! left.
//!
//! This crate refuses to hold a concrete strategy, names of concrete models, and whole tensors, unless a strategy asks for
//! them ([`Grain::Tensor`](alluvium_strategy::Grain::Tensor)).

mod error;
mod heads;
mod jobs;
mod layout;
mod request;
mod run;
mod span;

use alluvium_checkpoint::{Adapter, TensorInfo};
use alluvium_strategy::{ExpertStart, Piecewise};

use layout::Layout;

pub use error::MergeError;
pub use request::{Classifier, HeadRows, MergeModel, MergeProgress, Merged, Pass, Request};

/// Consolidates the experts of a request into its previous model and writes the new central model.
///
/// Nothing is seen under the output's name before everything is written, and nothing is left there on an error.
///
/// # Memory
/// Where a strategy takes any part of a tensor ([`Grain::Value`](alluvium_strategy::Grain::Value)), as all shipped ones but
/// `opcm` do, memory depends on neither tensors nor checkpoints: for each thread, eight at most, two pieces of half a megabyte,
/// which are there for every model and some twenty times more in what the strategy makes of them. Where it wants whole tensors,
/// there is one at a time, for every model and in what is computed of it: in all, `opcm` takes at most 25 times the largest
/// tensor in 32 bits and once more for each expert, more than half of it for its singular values. Weights of 64 bits take up to
/// twice as much. A tensor of a file by `torch.save` that is compressed, or a view of its storage in another order, is held as a
/// whole besides.
///
/// # Errors
/// [`MergeError`]: the strategy does not work in pieces, a tensor is missing, has another shape or another kind of values
/// in one of the models, a value is NaN or infinite, a classifier is not what it is said to be, a file cannot be read or
/// written. Every message names the tensor.
pub fn merge(request: &Request<'_>) -> Result<Merged, MergeError> {
    let (layout, strategy) = planned(request)?;
    run::run(request, layout, strategy)
}

/// What [`merge`] would write, as far as that can be told without reading values: all its tensors, sorted by name.
///
/// # Errors
/// As [`merge`], but for what only values and the writing show.
pub fn plan(request: &Request<'_>) -> Result<Vec<TensorInfo>, MergeError> {
    let (layout, _) = planned(request)?;
    Ok(layout.tensors.into_iter().map(|target| target.info).collect())
}

fn planned(request: &Request<'_>) -> Result<(Layout, Box<dyn Piecewise>), MergeError> {
    if request.experts.is_empty() {
        return Err(MergeError::NoExperts);
    }
    for model in std::iter::once(&request.previous).chain(&request.experts) {
        if let Some(factor) = Adapter::factor_in(model.checkpoint) {
            let problem = "is a factor of a low-rank adapter, and the mean of factors is not the mean of what they stand for; \
                           accepted: the updates (`Adapter::updates`), or a base with them (`Adapter::added_to`)";
            return Err(model.tensor(factor, problem));
        }
    }
    let start = if request.previous_counts { ExpertStart::Previous } else { ExpertStart::Common };
    let completed = request.strategy.completed(start);
    let config = completed.as_deref().unwrap_or(request.strategy);
    config.build().map_err(MergeError::Options)?;
    let strategy = config.piecewise().ok_or(MergeError::WholeModels)?;
    Ok((Layout::new(request)?, strategy))
}
