//! The input and the outcome of a merge.

use std::fmt;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use alluvium_checkpoint::{Checkpoint, Dtype, Mapping, WriteOptions};
use alluvium_model::Seed;
use alluvium_strategy::{ExpertStart, RunDescription, StrategyConfig};
use burn::tensor::Device;

/// What is to be merged: models, strategy, and where the result goes.
pub struct Request<'a> {
    /// The central model before the merge. The result has its tensors, with its names, its order of dimensions and
    /// (unless [`dtype`](Self::dtype) says otherwise) its types. Each tensor is computed in 64 bits if one of the
    /// models has it in 64 bits, and otherwise in 32. It is rounded to its type when it is written.
    ///
    /// Task vectors are differences to it. [`previous_counts`](Self::previous_counts) says whether it counts in a mean.
    pub previous: MergeModel<'a>,
    /// Whether `previous` counts as the first expert. If so, it is consolidated before the others, in a round of its
    /// own. `weight-averaging` then computes the mean of all models, and `slerp` the arc from `previous` to the first
    /// expert.
    ///
    /// If not, `previous` is like the initial weights of a stream, and does not count in a mean over experts. All
    /// experts are then taken to have started from it. Options of the strategy that were left open follow from that:
    /// see [`ExpertStart`].
    pub previous_counts: bool,
    /// The experts, in the order in which they are consolidated. The strategy gets them as one round
    /// ([`consolidate_round`](alluvium_strategy::Strategy::consolidate_round)). Most strategies consolidate them one
    /// after another, `fedavg` all at once.
    pub experts: Vec<MergeModel<'a>>,
    /// The strategy. One that does not work in pieces is refused with [`MergeError::WholeModels`](crate::MergeError).
    pub strategy: &'a dyn StrategyConfig,
    /// The cell's seed, for strategies that draw random numbers.
    pub seed: Seed,
    /// The compute device in the strategy's context. Strategies that work in pieces compute on the host and do not use
    /// it.
    pub compute: &'a Device,
    /// The path of the new safetensors file. If [`options`](Self::options) ask for several files, their names begin
    /// with it. `None`: the new model stays in memory, whole.
    pub output: Option<&'a Path>,
    /// Metadata, and how to split the output into several files. The files of all models are added to
    /// [`inputs`](WriteOptions::inputs), which are never overwritten.
    pub options: WriteOptions,
    /// The type of all floats in the result. `None`: each tensor keeps its type in `previous`.
    pub dtype: Option<Dtype>,
    /// Called with the progress after every piece, one call at a time. If it returns `Break`, the merge stops with
    /// [`MergeError::Stopped`](crate::MergeError), and nothing is written.
    pub progress: &'a (dyn Fn(MergeProgress) -> ControlFlow<()> + Sync),
}

impl Request<'_> {
    /// The merge as the strategy gets it described: how many experts there are, and what they started from.
    pub fn run_description(&self) -> RunDescription {
        let start = if self.previous_counts { ExpertStart::Previous } else { ExpertStart::Common };
        let tasks = self.experts.len() + usize::from(self.previous_counts);
        RunDescription { tasks: Some(tasks), start, ..Default::default() }
    }
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
    /// Its name in messages, such as its path.
    pub name: String,
    /// Its file, or files.
    pub checkpoint: &'a Checkpoint,
    /// The table from its names to ours. `None`: all models use the same names. Either all models of a request have a
    /// table, or none has.
    ///
    /// Tensors that the table of `previous` leaves out are copied from `previous`. Tensors that the table of an expert
    /// leaves out are ignored.
    pub mapping: Option<&'a Mapping>,
    /// Its classifier, if it has one, whether or not its rows are used. All other tensors belong to the backbone, which
    /// has the same tensors in all models.
    pub classifier: Option<Classifier>,
    /// How many training samples it was adapted on: the usual weight in a federated mean. 1 if unknown.
    pub samples: usize,
}

/// A model's last layer: one row of weights, and perhaps a bias, for each class. The rows are those of one head or several.
///
/// Heads are matched by name. The new model has the heads of `previous` in their order, then the heads that experts
/// add, in the order of the experts. A head that only one model has is copied. The strategy consolidates a head that
/// several models have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classifier {
    /// The name of the weights `[classes, features]` in the model's own file.
    pub weight: String,
    /// The name of the bias `[classes]` in the model's own file. All classifiers of a request have a bias, or none has.
    pub bias: Option<String>,
    /// The heads with their rows. Each row of the classifier belongs to one head. Without heads, the classifier is left
    /// behind: its values are not read, and only the names and types of its tensors are used.
    pub heads: Vec<HeadRows>,
}

impl Classifier {
    /// Whether none of its rows is used.
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
    /// The name of the head. A head has the same number of rows in every model that has it.
    pub name: String,
    /// Its rows in the model's file, listed in the order of the first model that has the head. The result keeps that
    /// order.
    pub rows: Vec<usize>,
}

/// A pass over the models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// The strategy surveys the models before the merge. The number counts the surveys from 1.
    Survey(usize),
    /// The new model is computed and written.
    Merge,
}

/// How far a pass is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MergeProgress {
    /// The pass.
    pub pass: Pass,
    /// How many values of the new model are done.
    pub done: u64,
    /// How many values the new model has.
    pub values: u64,
}

/// The outcome of a merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeOutcome {
    /// The files that were written. If there are several, the index is last.
    pub files: Vec<PathBuf>,
    /// The new model as a safetensors file, if the request has no output; otherwise empty.
    pub bytes: Vec<u8>,
    /// The names of the heads of the new model, in the order of its rows. Empty without a classifier.
    pub heads: Vec<String>,
    /// Integer tensors, such as `num_batches_tracked`, by their names in `previous`. They are not weights, and were
    /// copied from the last expert.
    pub from_last_expert: Vec<String>,
    /// Tensors that the table of `previous` leaves out, by their names in `previous`. They were copied from there.
    pub from_previous: Vec<String>,
    /// How often the strategy surveyed models before the merge.
    pub surveys: usize,
}
