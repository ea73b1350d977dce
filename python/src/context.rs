//! The context of a strategy in Python: what its code asks for while it consolidates, and what it gets.

use std::sync::mpsc::{Receiver, Sender, channel};

use alluvium_model::{Expert, Inputs, ModelState, Weights};
use alluvium_strategy::{Context, StrategyError, StrategyState, TaskDataset};
use numpy::{IntoPyArray, PyArrayMethods};
use pyo3::prelude::*;

use crate::drive::NoAnswer;
use crate::failure::Failure;
use crate::samples::{PythonSamples, SentSamples};

/// What comes back from Python: tensors (or what is wrong with them), and the state.
pub(crate) type Consolidated = (Result<Weights, String>, StrategyState);

/// What Python code sends while it consolidates.
pub(crate) enum StrategyMessage {
    Ask {
        request: Request,
        /// The place of the expert in the round whose context is asked; none: the context of the whole.
        expert: Option<usize>,
        answer: Sender<Result<Answer, String>>,
    },
    Done(Result<Consolidated, NoAnswer>),
}

/// What Python code asks its context for.
pub(crate) enum Request {
    Surrogate { fresh: Option<(usize, usize)> },
    Tasks { all: bool },
    Step { samples: usize, done: usize, steps: usize },
    Note(String),
}

/// What it gets.
pub(crate) enum Answer {
    Inputs { shape: Vec<usize>, values: Vec<f32> },
    Tasks(Vec<SentSamples>),
    Done,
}

/// What a consolidation is of: the previous central model, and the experts, one or those of a round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Consolidating<'a> {
    pub(crate) previous: &'a ModelState,
    pub(crate) experts: &'a [&'a Expert],
}

/// Serves the requests of Python code until it is done; `None` if it never answers.
pub(crate) fn serve(
    from_python: &Receiver<StrategyMessage>,
    context: &mut Context<'_>,
    models: Consolidating<'_>,
) -> Option<Result<Consolidated, NoAnswer>> {
    loop {
        match from_python.recv().ok()? {
            StrategyMessage::Done(done) => return Some(done),
            StrategyMessage::Ask { request, expert: None, answer } => {
                _ = answer.send(answered(request, context, models));
            }
            StrategyMessage::Ask { request, expert: Some(index), answer } => {
                let own = Consolidating { experts: &models.experts[index..=index], ..models };
                let mut context = context.of_expert(index, models.experts.len());
                _ = answer.send(answered(request, &mut context, own));
            }
        }
    }
}

fn answered(request: Request, context: &mut Context<'_>, models: Consolidating<'_>) -> Result<Answer, String> {
    let in_words = |error: StrategyError| error.to_string();
    match request {
        Request::Surrogate { fresh } => {
            let Consolidating { previous, experts } = models;
            // Data that are made from an expert are made from the last one of a round.
            let expert = experts.last().ok_or("there is no expert")?;
            let inputs = match fresh {
                None => context.surrogate(previous, expert),
                Some((count, step)) => context.fresh_surrogate(count, step, previous, expert),
            };
            sent(inputs.map_err(in_words)?)
        }
        Request::Tasks { all } => {
            let tasks: Vec<TaskDataset<'_>> = match all {
                true => context.all_tasks().map_err(in_words)?.to_vec(),
                false => vec![context.current_task().map_err(in_words)?],
            };
            let tasks = tasks.into_iter().map(|task| SentSamples::of(task.samples, task.head));
            Ok(Answer::Tasks(tasks.collect::<Result<_, _>>()?))
        }
        Request::Step { samples, done, steps } => {
            context.step_taken(samples, done, steps);
            Ok(Answer::Done)
        }
        Request::Note(note) => {
            context.note(note);
            Ok(Answer::Done)
        }
    }
}

fn sent(inputs: Inputs) -> Result<Answer, String> {
    let shape = [&[inputs.len()], inputs.shape().sizes()].concat();
    let values = inputs.vectors().into_data().try_to_vec::<f32>().map_err(|error| format!("{error:?}"))?;
    Ok(Answer::Inputs { shape, values })
}

/// What a strategy in Python gets besides the two models. It is valid while the strategy consolidates.
#[pyclass(frozen, module = "alluvium._alluvium")]
pub(crate) struct NativeContext {
    requests: Sender<StrategyMessage>,
    /// The seed of the consolidation of each expert, below 2⁶³.
    seeds: Vec<u64>,
    /// The number of experts that were consolidated before the first of these.
    before: usize,
    /// The place of the one expert that this context is for; none: it is for all of them.
    expert: Option<usize>,
}

impl NativeContext {
    /// The Python face of a context for these experts, which sends its requests there.
    pub(crate) fn of(context: &mut Context<'_>, experts: usize, requests: Sender<StrategyMessage>) -> Self {
        let seeds = (0..experts).map(|index| context.of_expert(index, experts).seed().number()).collect();
        NativeContext { requests, seeds, before: context.device(), expert: None }
    }

    fn ask(&self, py: Python<'_>, request: Request) -> PyResult<Answer> {
        let (answer, answered) = channel();
        let over = || Failure::run("the context is over; use it within `consolidate`").raise(py, None);
        let asked = StrategyMessage::Ask { request, expert: self.expert, answer };
        self.requests.send(asked).map_err(|_| over())?;
        // The lock lets the answer be awaited while other Python threads run.
        let answered = std::sync::Mutex::new(answered);
        let answer = py.detach(|| answered.lock().ok().and_then(|answered| answered.recv().ok()));
        let answer = answer.ok_or_else(over)?;
        answer.map_err(|problem| Failure::run(problem).raise(py, None))
    }

    fn inputs<'py>(&self, py: Python<'py>, fresh: Option<(usize, usize)>) -> PyResult<Bound<'py, PyAny>> {
        match self.ask(py, Request::Surrogate { fresh })? {
            Answer::Inputs { shape, values } => Ok(values.into_pyarray(py).reshape(shape)?.into_any()),
            _ => Err(Failure::run("the context gave another answer").raise(py, None)),
        }
    }

    fn tasks<'py>(&self, py: Python<'py>, all: bool) -> PyResult<Vec<PythonSamples<'py>>> {
        match self.ask(py, Request::Tasks { all })? {
            Answer::Tasks(tasks) => tasks.into_iter().map(|task| task.into_python(py)).collect(),
            _ => Err(Failure::run("the context gave another answer").raise(py, None)),
        }
    }
}

#[pymethods]
impl NativeContext {
    /// The seed of the consolidation, below 2⁶³.
    #[getter]
    fn seed(&self) -> u64 {
        self.seeds.get(self.expert.unwrap_or_default()).copied().unwrap_or_default()
    }

    /// The number of experts that were consolidated before.
    #[getter]
    fn device(&self) -> usize {
        self.before + self.expert.unwrap_or_default()
    }

    /// The context for one expert of the round.
    fn of_expert(&self, py: Python<'_>, index: usize) -> PyResult<NativeContext> {
        if index >= self.seeds.len() {
            let (last, index) = (self.seeds.len() - 1, index + 1);
            let problem =
                format!("there is no expert {index} in this round; accepted: the index of one, from 0 to {last}");
            return Err(Failure::config(problem).raise(py, None));
        }
        let (requests, seeds) = (self.requests.clone(), self.seeds.clone());
        Ok(NativeContext { requests, seeds, before: self.before, expert: Some(index) })
    }

    /// The fixed set of surrogate data, `[samples, …]`.
    fn surrogate<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.inputs(py, None)
    }

    /// Fresh surrogate data.
    fn fresh_surrogate<'py>(&self, py: Python<'py>, count: usize, step: usize) -> PyResult<Bound<'py, PyAny>> {
        self.inputs(py, Some((count, step)))
    }

    /// The samples of the current task.
    fn current_task<'py>(&self, py: Python<'py>) -> PyResult<Vec<PythonSamples<'py>>> {
        self.tasks(py, false)
    }

    /// The samples of all tasks so far.
    fn all_tasks<'py>(&self, py: Python<'py>) -> PyResult<Vec<PythonSamples<'py>>> {
        self.tasks(py, true)
    }

    /// Counts a step.
    fn step(&self, py: Python<'_>, samples: usize, done: usize, steps: usize) -> PyResult<()> {
        self.ask(py, Request::Step { samples, done, steps }).map(drop)
    }

    /// Notes something for people.
    fn note(&self, py: Python<'_>, note: String) -> PyResult<()> {
        self.ask(py, Request::Note(note)).map(drop)
    }
}
