//! The pieces of the new model. Several are computed in parallel, and their results are used in order.

use std::ops::Range;

use alluvium_strategy::Grain;
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use crate::MergeError;
use crate::layout::{Layout, Target, TensorPart};

/// The most values of a piece: half a megabyte, which stays in a core's cache between two steps.
const PIECE: usize = 1 << 17;

/// The most pieces that are computed at a time, whatever the number of cores. Each piece is held for every model.
const MOST_AT_A_TIME: usize = 16;

/// A piece of the new model.
#[derive(Debug)]
pub(crate) struct Job<'a> {
    pub target: &'a Target,
    pub part: &'a TensorPart,
    /// The indices of its values in the part.
    pub values: Range<usize>,
    /// The index in the target of the part's first value.
    pub before: usize,
}

/// All pieces, in the order in which they are written.
#[derive(Debug)]
pub(crate) struct Jobs<'a> {
    layout: &'a Layout,
    grain: Grain,
}

impl<'a> Jobs<'a> {
    pub(crate) fn new(layout: &'a Layout, grain: Grain) -> Self {
        Jobs { layout, grain }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Job<'a>> + use<'a> {
        let grain = self.grain;
        self.layout.tensors.iter().flat_map(move |target| {
            let before = target.parts.iter().scan(0, |before, part| {
                let own = *before;
                *before += part.values();
                Some(own)
            });
            // A tensor without values is written as one empty part.
            let parts = if target.info.elements() == 0 { 1 } else { target.parts.len() };
            target.parts.iter().zip(before).take(parts).flat_map(move |(part, before)| {
                let (all, size) = (part.values(), size(part, grain));
                let starts = (0..all.max(1)).step_by(size);
                starts.map(move |start| Job { target, part, values: start..all.min(start + size), before })
            })
        })
    }

    /// Computes all pieces, and gives `take` the results in the order of the pieces. Where the pieces are small, `take`
    /// runs while the next pieces are being computed.
    pub(crate) fn each<T: Send>(
        &self,
        work: impl Fn(&Job<'a>) -> Result<T, MergeError> + Sync,
        mut take: impl FnMut(&Job<'a>, T) -> Result<(), MergeError> + Send,
    ) -> Result<(), MergeError> {
        let mut jobs = self.iter();
        if self.grain == Grain::Tensor {
            return jobs.try_for_each(|job| take(&job, work(&job)?));
        }
        let at_a_time = (2 * rayon::current_num_threads()).min(MOST_AT_A_TIME);
        let mut done: Vec<(Result<T, MergeError>, Job<'a>)> = vec![];
        loop {
            let next: Vec<_> = jobs.by_ref().take(at_a_time).collect();
            if next.is_empty() && done.is_empty() {
                return Ok(());
            }
            let (worked, taken): (Vec<_>, _) = rayon::join(
                || next.into_par_iter().map(|job| (work(&job), job)).collect(),
                || done.drain(..).try_for_each(|(result, job)| take(&job, result?)),
            );
            taken?;
            done = worked;
        }
    }
}

fn size(part: &TensorPart, grain: Grain) -> usize {
    match grain {
        Grain::Value => PIECE,
        Grain::Tensor if part.only_source().is_some() => PIECE,
        Grain::Tensor => part.values().max(1),
    }
}
