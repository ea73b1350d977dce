//! Consolidates checkpoints of any size piece by piece, without holding a whole one in memory.
//!
//! [`merge`] takes a previous model and some experts, all of them open
//! [`Checkpoint`](alluvium_checkpoint::Checkpoint)s, and a strategy that works in pieces
//! ([`StrategyConfig::piecewise`](alluvium_strategy::StrategyConfig::piecewise)). It reads the same piece of every
//! model, lets the strategy consolidate these pieces, and writes the result. All arithmetic is in the strategy.
//!
//! The models form one sequence: the first expert is consolidated into the previous model, and each further expert into
//! the result of those before it.
//!
//! This crate knows no concrete strategy and no names of concrete models. It holds whole tensors only if a strategy
//! asks for them ([`Grain::Tensor`](alluvium_strategy::Grain::Tensor)).

mod error;
mod heads;
mod layout;
mod piece_by_piece;
mod pieces;
mod request;
mod span;

use alluvium_checkpoint::{Adapter, TensorInfo};
use alluvium_strategy::Piecewise;

use layout::Layout;

pub use error::MergeError;
pub use request::{Classifier, HeadRows, MergeModel, MergeOutcome, MergeProgress, Pass, Request};

/// Consolidates the experts of a request into its previous model and writes the new central model.
///
/// The output file appears only when everything is written. After an error, nothing is left there. Without an output, the new
/// model is in the outcome.
///
/// # Memory
/// All shipped strategies but `opcm` accept any part of a tensor ([`Grain::Value`](alluvium_strategy::Grain::Value)).
/// Their memory depends neither on the size of the tensors nor on that of the checkpoints. Each thread (at most eight)
/// holds two pieces of half a megabyte. Each piece is held once for every model, and about twenty times more for the
/// strategy's intermediate results.
///
/// A strategy that needs whole tensors holds one tensor at a time, for every model and for its intermediate results.
/// `opcm` takes at most 25 times the size of the largest tensor in 32 bits, and once more for each expert; more than
/// half of it is for singular values.
///
/// Weights of 64 bits take up to twice as much. A compressed tensor of a file by `torch.save`, or one that views its
/// storage in another order, is also held whole.
///
/// # Errors
/// [`MergeError`] when the strategy does not work in pieces; when a tensor is missing in one of the models, or has
/// another shape or kind of values there; when a value is NaN or infinite; when a classifier does not match its
/// description; and when a file cannot be read or written. Every message about a tensor names it.
pub fn merge(request: &Request<'_>) -> Result<MergeOutcome, MergeError> {
    let (layout, strategy) = planned(request)?;
    piece_by_piece::run(request, layout, strategy)
}

/// The tensors that [`merge`] would write, sorted by name. Reads no values.
///
/// # Errors
/// Those of [`merge`], except the ones that only reading values or writing can show.
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
            let problem = "is a factor of a low-rank adapter, and factors must not be merged one by one; accepted: the \
                           updates (`Adapter::updates`), or a base model with the updates added (`Adapter::added_to`)";
            return Err(model.tensor(factor, problem));
        }
    }
    let run = request.run_description();
    request.strategy.validate(&run).map_err(MergeError::Options)?;
    request.strategy.build(&run).map_err(MergeError::Options)?;
    let strategy = request.strategy.piecewise(&run).ok_or(MergeError::WholeModels)?;
    Ok((Layout::new(request)?, strategy))
}
