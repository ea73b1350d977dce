//! What is to be merged, and what came of it.

use std::fmt;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use alluvium_checkpoint::{Checkpoint, Dtype, Mapping, WriteOptions};
use alluvium_model::Seed;
use alluvium_strategy::StrategyConfig;
use burn::tensor::Device;

/// What is to be merged: models, strategy, and where the result goes.
pub struct Request<'a> {
    /// The central model that the first expert meets. The result has its tensors, in its names, its order of dimensions and
    /// (unless [`dtype`](Self::dtype) says otherwise) its types. Each tensor is computed in 64 bits where one of
    /// the models has it in these, and otherwise in 32; it is rounded to its type when it is written.
    ///
    /// It is what task vectors are counted from. Whether it counts in a mean, [`previous_counts`](Self::previous_counts) says.
    pub previous: MergeModel<'a>,
    /// Whether `previous` counts as the first expert that the strategy has met: then it is consolidated into itself before the
    /// others, in a round of its own. `weight-averaging` then gives the mean of all models, and `slerp` the arc from it to the
    /// first expert. If not, the first expert meets it as the first device of a stream meets initial weights: of a mean over
    /// experts it is no part. Options of the strategy that were left open follow from it, see
    /// [`completed`](alluvium_strategy::StrategyConfig::completed): all experts started from a `previous` that does not count.
    pub previous_counts: bool,
    /// The experts, in the order in which they are consolidated. They are given to the strategy as one round
    /// ([`consolidate_round`](alluvium_strategy::Strategy::consolidate_round)): most consolidate one after another, `fedavg`
    /// all at once.
    pub experts: Vec<MergeModel<'a>>,
    /// The strategy. One that does not work in pieces is refused with [`MergeError::WholeModels`](crate::MergeError).
    pub strategy: &'a dyn StrategyConfig,
    /// What a strategy that draws draws from: the cell's seed.
    pub seed: Seed,
    /// What the strategy's context holds. Strategies that work in pieces compute on the host and do not touch it.
    pub compute: &'a Device,
    /// The file to be, safetensors; where [`options`](Self::options) ask for several, what their names begin with.
    pub output: &'a Path,
    /// Metadata and the cut into several files. The files of all models are added to
    /// [`inputs`](WriteOptions::inputs), which are never written over.
    pub options: WriteOptions,
    /// The type of all floats in the result; `None`: each tensor's as in `previous`.
    pub dtype: Option<Dtype>,
    /// Is told how far it is after every piece, one call at a time. When it breaks, the merge stops with
    /// [`MergeError::Stopped`](crate::MergeError), and nothing is written.
    pub progress: &'a (dyn Fn(MergeProgress) -> ControlFlow<()> + Sync),
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("previous", &self.previous)
            .field("experts", &self.experts)
            .field("strategy", &self.strategy)
            .field("output", &self.output)
            .finish_non_exhaustive()
    }
}

/// A model that is merged.
#[derive(Debug, Clone)]
pub struct MergeModel<'a> {
    /// How messages call it, such as its path.
    pub name: String,
    /// Its file, or files.
    pub checkpoint: &'a Checkpoint,
    /// Which of its tensors is which of ours; `None`: they have the same names in all models. Either all models of a request
    /// have a table or none has.
    ///
    /// Tensors that the table of `previous` leaves out are written as they are in `previous`; those that the table of an
    /// expert leaves out are not looked at.
    pub mapping: Option<&'a Mapping>,
    /// Which of its tensors classify, if it has such, whether they are left behind or not; all others are the backbone's, which
    /// has the same tensors in all models.
    pub classifier: Option<Classifier>,
    /// How many training samples it was adapted on, the usual weight in a federated mean; 1 where nobody knows.
    pub samples: usize,
}

/// A model's last layer: one row of weights, and perhaps a bias, for each class. The rows are those of one head or several.
///
/// Heads are matched by name. The new model has the heads of `previous` in their order, then those that experts add, in the
/// order of the experts. A head that one model alone has is taken as it is; one that several have comes back, and is the
/// strategy's to consolidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classifier {
    /// The weights `[classes, features]`, by the name that the model's own file has for them.
    pub weight: String,
    /// The bias `[classes]`, by the name in the model's own file. All classifiers of a request have one, or none has.
    pub bias: Option<String>,
    /// The heads, and which rows are theirs. Each row of the classifier belongs to one. Without any, the classifier is left
    /// behind: its values are not read, and all that remains of it are the names and types of its tensors.
    pub heads: Vec<HeadRows>,
}

impl Classifier {
    /// Whether none of its rows is taken.
    pub fn is_left_behind(&self) -> bool {
        self.heads.is_empty()
    }
}

impl MergeModel<'_> {
    /// Whether it has a classifier that is not left behind.
    pub(crate) fn has_heads(&self) -> bool {
        self.classifier.as_ref().is_some_and(|classifier| !classifier.is_left_behind())
    }
}

/// Some rows of a classifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadRows {
    /// The same name, the same head: it has as many rows in every model that has it.
    pub name: String,
    /// Its rows in the model's file. Where another model has them in another order, the first model's order is kept, and these
    /// are the rows in that order.
    pub rows: Vec<usize>,
}

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// The strategy surveys the models before it merges them, for the given time, from 1.
    Survey(usize),
    /// The new model is computed and written.
    Merge,
}

/// How far a pass is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MergeProgress {
    /// The pass.
    pub pass: Pass,
    /// How many values of the new model it has gone through.
    pub done: u64,
    /// Of how many.
    pub values: u64,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The files that were written; of several, the index last.
    pub files: Vec<PathBuf>,
    /// The heads of the new model by name, in the order of its rows; empty without a classifier.
    pub heads: Vec<String>,
    /// Tensors of integers, such as `num_batches_tracked`, by their names in `previous`: they are no weights, and were taken
    /// from the last expert.
    pub from_last_expert: Vec<String>,
    /// Tensors that the table of `previous` leaves out, by their names there: they were taken from `previous`.
    pub from_previous: Vec<String>,
    /// How often the strategy surveyed models before the merge.
    pub surveys: usize,
}
