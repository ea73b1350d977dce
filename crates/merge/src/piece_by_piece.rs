//! Runs a merge piece by piece, so that no model is whole in memory: first the surveys that the strategy asks for, then the merge.

use std::ops::{ControlFlow, Range};

use alluvium_checkpoint::{Checkpoint, Values, Writer};
use alluvium_model::{HeadSpec, Numbers};
use alluvium_strategy::{Cut, Piece, Piecewise, StrategyError, Survey};

use crate::layout::{Layout, Source, TensorPart};
use crate::pieces::{Job, Jobs};
use crate::{MergeError, MergeOutcome, MergeProgress, Pass, Request};

/// Merges the models as laid out.
pub(crate) fn run(
    request: &Request<'_>,
    layout: Layout,
    mut strategy: Box<dyn Piecewise>,
) -> Result<MergeOutcome, MergeError> {
    let mut options = request.options.clone();
    let models = std::iter::once(&request.previous).chain(&request.experts);
    options.inputs.extend(models.flat_map(|model| model.checkpoint.files()));
    let declared = layout.tensors.iter().map(|target| target.info.clone()).collect();
    // The writer is created before the surveys, so that an output that cannot be written is reported before hours of
    // reading.
    let writer = match request.output {
        Some(path) => Writer::create(path, declared, &options)?,
        None => Writer::in_memory(declared, &options)?,
    };
    let jobs = Jobs::new(&layout, strategy.grain());
    let mut surveys = 0;
    while let Some(survey) = strategy.survey(sequence(request).len()) {
        surveys += 1;
        let reporter = Reporter::new(request, Pass::Survey(surveys), &layout);
        take_survey(request, &jobs, survey, strategy.as_mut(), reporter)?;
    }
    let writer = merge(request, &jobs, strategy.as_ref(), writer, Reporter::new(request, Pass::Merge, &layout))?;
    let (files, bytes) = match request.output {
        Some(_) => (writer.finish()?, vec![]),
        None => (vec![], writer.finish_in_memory()?),
    };
    let Layout { heads, from_last_expert, from_previous, .. } = layout;
    Ok(MergeOutcome { files, bytes, heads, from_last_expert, from_previous, surveys })
}

fn take_survey(
    request: &Request<'_>,
    jobs: &Jobs<'_>,
    survey: Survey,
    strategy: &mut dyn Piecewise,
    mut reporter: Reporter<'_>,
) -> Result<(), MergeError> {
    let experts = survey.experts(sequence(request).len());
    let read = |job: &Job<'_>| match job.part.only_source() {
        Some(_) => Ok(None),
        None => cut(request, job, experts).map(Some),
    };
    let look = |job: &Job<'_>, cut: Option<Cut>| {
        if let Some(cut) = cut {
            let met = cut.met(survey, strategy, request.compute, request.seed).map_err(|cause| failed(job, cause))?;
            survey.show(&cut, met.as_ref(), strategy).map_err(|cause| failed(job, cause))?;
        }
        reporter.done(job)
    };
    jobs.each(read, look)?;
    strategy.surveyed();
    Ok(())
}

fn merge(
    request: &Request<'_>,
    jobs: &Jobs<'_>,
    strategy: &dyn Piecewise,
    mut writer: Writer,
    mut reporter: Reporter<'_>,
) -> Result<Writer, MergeError> {
    let work = |job: &Job<'_>| match job.part.only_source() {
        Some((model, source)) => taken_over(request, job, model, source),
        None => consolidated(request, job, strategy).map(NewValues::Values),
    };
    let write = |job: &Job<'_>, made: NewValues| {
        let name = &job.target.info.name;
        match made {
            NewValues::Values(values) => writer.write_part(name, &values)?,
            NewValues::Bytes(bytes) => writer.write_bytes(name, &bytes)?,
        }
        reporter.done(job)
    };
    jobs.each(work, write)?;
    Ok(writer)
}

/// A piece that is to be written.
enum NewValues {
    /// Values that are converted to the type of their tensor.
    Values(Values),
    /// Bytes that already have that type.
    Bytes(Vec<u8>),
}

/// A piece that only one model has. It is copied.
fn taken_over(request: &Request<'_>, job: &Job<'_>, model: usize, source: &Source) -> Result<NewValues, MergeError> {
    let checkpoint = checkpoint(request, model);
    let same_type = checkpoint.tensor(&source.tensor).is_some_and(|info| info.dtype == job.target.info.dtype);
    Ok(if same_type {
        NewValues::Bytes(source.bytes(checkpoint, &job.values)?)
    } else {
        NewValues::Values(source.read(checkpoint, &job.values)?)
    })
}

/// The file of a model. Model 0 is the previous one.
fn checkpoint<'a>(request: &Request<'a>, model: usize) -> &'a Checkpoint {
    if model == 0 { request.previous.checkpoint } else { request.experts[model - 1].checkpoint }
}

/// The piece in one model.
fn read(request: &Request<'_>, job: &Job<'_>, model: usize) -> Result<Option<Values>, MergeError> {
    let source = job.part.sources[model].as_ref();
    source.map(|source| source.read(checkpoint(request, model), &job.values)).transpose()
}

/// The piece that the strategy computes from all models.
fn consolidated(request: &Request<'_>, job: &Job<'_>, strategy: &dyn Piecewise) -> Result<Values, MergeError> {
    if job.values.is_empty() {
        return Ok(Values::Floats(vec![]));
    }
    let cut = cut(request, job, sequence(request).len())?;
    let merged = cut.consolidate(strategy, request.compute, request.seed).map_err(|cause| failed(job, cause))?;
    let merged = merged.map_or_else(|| Numbers::Single(vec![]), |merged| merged.numbers);
    let tensor = || job.target.info.name.clone();
    if merged.len() != job.values.len() {
        let problem = format!("comes back with {} values instead of {}", merged.len(), job.values.len());
        return Err(MergeError::Tensor { model: "the strategy".to_owned(), tensor: tensor(), problem });
    }
    let values = match merged {
        Numbers::Single(values) => Values::Floats(values),
        Numbers::Double(values) => Values::Doubles(values),
    };
    match values.first_not_finite() {
        None => Ok(values),
        Some((index, value)) => {
            Err(MergeError::NotFinite { tensor: tensor(), index: job.before + job.values.start + index, value })
        }
    }
}

/// The indices of the models that the strategy gets as experts. Model 0 is the previous one.
fn sequence(request: &Request<'_>) -> Range<usize> {
    usize::from(!request.previous_counts)..request.experts.len() + 1
}

/// The piece in the previous model and in the first `experts` experts.
fn cut(request: &Request<'_>, job: &Job<'_>, experts: usize) -> Result<Cut, MergeError> {
    let part = job.part;
    let piece = Piece { tensor: part.tensor.clone(), shape: part.shape.clone(), values: job.values.clone() };
    let values = |model: usize| read(request, job, model).map(|values| values.and_then(floats));
    // If the previous model counts as the first expert, its heads come with that expert. Before it there are none.
    let trained = request.previous.has_heads() && !request.previous_counts;
    let heads = if trained { vec![head(part, 0)] } else { vec![] };
    let own = values(0)?;
    // Copies are avoided: one copy of a whole tensor may take half of the memory.
    let (start, mut first) = match (trained || part.head.is_none(), request.previous_counts) {
        (true, true) => (own.clone(), own),
        (true, false) => (own, None),
        (false, counts) => (None, own.filter(|_| counts)),
    };
    let previous = piece.model(heads, start);
    let experts = sequence(request).take(experts).map(|model| match model {
        0 => Ok(piece.expert(head(part, 0), request.previous.samples, first.take())),
        model => Ok(piece.expert(head(part, model), request.experts[model - 1].samples, values(model)?)),
    });
    let experts = experts.collect::<Result<Vec<_>, MergeError>>()?;
    let rounds = if request.previous_counts { vec![1, request.experts.len()] } else { vec![request.experts.len()] };
    Ok(Cut { previous, experts, rounds, piece })
}

/// The head of a model in a part. An expert must have a head, so a model without one here gets an empty head.
fn head(part: &TensorPart, model: usize) -> HeadSpec {
    let own = part.head.as_ref().filter(|_| part.sources[model].is_some());
    own.cloned().unwrap_or_else(|| HeadSpec { name: "other".to_owned(), classes: vec![] })
}

fn floats(values: Values) -> Option<Numbers> {
    match values {
        Values::Floats(values) => Some(values.into()),
        Values::Doubles(values) => Some(values.into()),
        Values::Integers(_) => None,
    }
}

fn failed(job: &Job<'_>, cause: StrategyError) -> MergeError {
    MergeError::Strategy { tensor: job.target.info.name.clone(), cause }
}

/// Reports how far a pass is.
struct Reporter<'a> {
    progress: &'a (dyn Fn(MergeProgress) -> ControlFlow<()> + Sync),
    now: MergeProgress,
}

impl<'a> Reporter<'a> {
    fn new(request: &Request<'a>, pass: Pass, layout: &Layout) -> Self {
        Reporter { progress: request.progress, now: MergeProgress { pass, done: 0, values: layout.values() } }
    }

    fn done(&mut self, job: &Job<'_>) -> Result<(), MergeError> {
        self.now.done += job.values.len() as u64;
        match (self.progress)(self.now) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(MergeError::Stopped),
        }
    }
}
