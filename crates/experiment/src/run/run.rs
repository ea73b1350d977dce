//! The run: all cells of the comparison, several side by side. The results do not depend on how many.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use alluvium_config::{Experiment, Reference};
use alluvium_device::ClassificationLoss;
use alluvium_results::{Accuracy, Cell, Results, SampleSheet};

use crate::ExperimentError;
use crate::context::{InputDigests, KeptModels, RunContext, common_inputs};
use crate::devices::SharedSetup;
use crate::directory::RunDirectory;
use crate::progress::{Observer, StopAtStep, TwoObservers};
use crate::run::cell::run_cell;
use crate::run::elsewhere::elsewhere;
use crate::run::plan::{joint_references, plan};
use crate::run::probes::probes;
use crate::run::reference::{devices_alone, joint};
use crate::run::results::results;
use crate::run::sheets::sheets;
use crate::stored::{AdaptedDevice, StageCounts, Stages};
use crate::threads::one_thread;

/// How a run is carried out. No option changes the results.
pub struct RunOptions<'a> {
    /// Cells that run side by side; at least 1.
    pub jobs: usize,
    /// Watches the run.
    pub observer: &'a dyn Observer,
    /// Where stages are stored and found again.
    pub directory: &'a RunDirectory,
    /// The label of the variant, for the journal and for models; empty if there is only one variant.
    pub variant: &'a str,
    /// Whether the last central model of each cell is written into the directory, see
    /// [`Cell::model`](alluvium_results::Cell::model).
    pub models: bool,
}

impl std::fmt::Debug for RunOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunOptions").field("jobs", &self.jobs).finish_non_exhaustive()
    }
}

/// The outcome of a run.
#[derive(Debug)]
pub struct Outcome {
    /// All measurements.
    pub results: Results,
    /// The errors of the cells that failed. These cells are missing from the results.
    pub failures: Vec<ExperimentError>,
    /// The numbers of stages that were computed and found.
    pub stages: StageCounts,
    /// The damaged stages that were computed again; one sentence each.
    pub repairs: Vec<String>,
    /// Samples of the first devices and of the surrogate data, under the first seed.
    pub sheets: Vec<SampleSheet>,
}

/// A piece of work that does not depend on the other jobs of its list.
#[derive(Clone, Copy)]
enum Job {
    /// One strategy under one seed; both by their index in the configuration.
    Strategy { row: usize, seed: usize },
    /// Joint training for one reference row, with its loss, under one seed.
    Joint { reference: Reference, loss: ClassificationLoss, seed: usize },
    /// One device alone, under one seed.
    Alone { device: usize, seed: usize },
}

/// The output of a job.
enum JobOutput {
    Cell(Box<Cell>),
    Alone(Box<AdaptedDevice>),
}

/// The default number of cells that run side by side: one for each core if tensors live on the host.
pub fn default_jobs(experiment: &Experiment) -> usize {
    if experiment.backend.config.runs_on_host() {
        std::thread::available_parallelism().map_or(1, usize::from)
    } else {
        1
    }
}

/// Runs the comparison. A cell that fails does not stop the others, whose measurements are in the outcome.
///
/// Every stage (an adaptation, a consolidation, joint training) is stored in the run directory when it is done. Stages that
/// are already there, from a run that was stopped or from another cell, are not computed again.
///
/// # Errors
/// When no cell can run, because the backend, the stream or the first device of a seed fails. Also when a stage cannot be stored,
/// because all further work would be lost, and when the observer stops the run.
pub fn run(experiment: &Experiment, options: &RunOptions<'_>) -> Result<Outcome, ExperimentError> {
    let journal = options.directory.journal(options.variant);
    let observer = TwoObservers(&journal, options.observer);
    let compute = experiment.backend.config.open()?;
    let stages = Stages::new(options.directory.store(), common_inputs(experiment)?, &observer);
    let inputs = InputDigests::of(experiment)?;
    let kept = options.models.then_some(KeptModels { directory: options.directory, variant: options.variant });
    let run = RunContext { experiment, stages: &stages, observer: &observer, inputs: &inputs, kept };
    let shared: Vec<_> =
        experiment.seeds.iter().map(|seed| SharedSetup::new(experiment, *seed, &compute)).collect::<Result<_, _>>()?;
    let devices = shared.first().map_or(0, |shared| shared.tasks.len());
    run.observer.planned(&plan(experiment, devices), options.jobs);

    // The first device adapts the initial weights under every strategy. It goes first, so that no cell waits for another.
    let seeds = 0..experiment.seeds.len();
    let trains = experiment.device.training().is_some();
    let first: Vec<_> = seeds.clone().filter(|_| trains).map(|seed| Job::Alone { device: 0, seed }).collect();
    let first = work(&first, &shared, &run, options.jobs)?.into_iter().collect::<Result<Vec<_>, _>>()?;
    let first: Vec<_> = first.into_iter().filter_map(JobOutput::alone).collect();

    // Long jobs come first, so that no core is idle at the end.
    let mut jobs: Vec<_> = vec![];
    let rows = (0..experiment.strategies.len()).rev();
    jobs.extend(rows.flat_map(|row| seeds.clone().map(move |seed| Job::Strategy { row, seed })));
    for (reference, loss) in joint_references(experiment) {
        jobs.extend(seeds.clone().map(|seed| Job::Joint { reference, loss, seed }));
    }
    if trains && experiment.references.contains(&Reference::DevicesAlone) {
        jobs.extend(seeds.clone().flat_map(|seed| (1..devices).map(move |device| Job::Alone { device, seed })));
    }
    let mut done = work(&jobs, &shared, &run, options.jobs)?;
    let ends_all = |error: &ExperimentError| matches!(error, ExperimentError::Store(_) | ExperimentError::Interrupted);
    if let Some(index) = done.iter().position(|done| done.as_ref().err().is_some_and(ends_all)) {
        return Err(done.swap_remove(index).err().unwrap_or(ExperimentError::Stopped));
    }
    let mut sheets = sheets(experiment, &shared, first.first(), &stages);
    let probed = probes(&run, &shared, first.first());
    sheets.extend(probed.sheets);

    let mut alone: Vec<Vec<_>> = first.into_iter().map(|adapted| vec![adapted]).collect();
    alone.resize_with(shared.len(), Vec::new);
    let mut strategies: BTreeMap<usize, Vec<Cell>> = BTreeMap::new();
    let mut joints: BTreeMap<Reference, Vec<Cell>> = BTreeMap::new();
    let mut failures = vec![];
    for (job, done) in jobs.iter().zip(done) {
        match (job, done) {
            (Job::Strategy { row, .. }, Ok(JobOutput::Cell(cell))) => strategies.entry(*row).or_default().push(*cell),
            (Job::Joint { reference, .. }, Ok(JobOutput::Cell(cell))) => {
                joints.entry(*reference).or_default().push(*cell)
            }
            (Job::Alone { seed, .. }, Ok(JobOutput::Alone(adapted))) => alone[*seed].push(*adapted),
            (_, Err(error)) => failures.push(error),
            _ => {}
        }
    }
    // A seed without all devices alone has no such row and no forward transfer.
    let whole: BTreeMap<u64, Vec<AdaptedDevice>> =
        shared.iter().map(|shared| shared.seed).zip(alone).filter(|(_, alone)| alone.len() == devices).collect();
    // Under `centralised` there is a single learner, so no device gains by taking part.
    let with_devices = strategies.iter_mut().filter(|(row, _)| experiment.strategies[**row].protocol.crosses());
    for cell in with_devices.flat_map(|(_, cells)| cells) {
        let Some(alone) = whole.get(&cell.seed) else { continue };
        // In rounds devices come back, so no single adaptation can be compared with.
        if let Accuracy::Stream { task_aware, .. } = &cell.accuracy {
            let all = (0..task_aware.tasks()).collect();
            let tasks = if cell.arrivals.is_empty() { &all } else { &cell.arrivals };
            cell.alone_accuracy = tasks.iter().filter_map(|task| alone[*task].record.accuracy).collect();
            for (index, early) in cell.early_accuracy.iter_mut().enumerate() {
                early.alone = tasks.iter().map(|task| alone[*task].early[index]).collect();
            }
        }
    }
    let budgets = &experiment.evaluation.budgets;
    let of_seed = |shared: &SharedSetup| Some(devices_alone(shared, whole.get(&shared.seed)?, budgets));
    let alone = shared.iter().filter_map(of_seed).collect();
    let mut results = results(&run, &shared, strategies, joints, alone);
    results.notes.extend(probed.notes);
    Ok(Outcome { results, failures, stages: stages.counts(), repairs: stages.repairs(), sheets })
}

/// Does all jobs, several side by side. The outputs are in the order of the jobs.
fn work(
    jobs: &[Job],
    shared: &[SharedSetup],
    run: &RunContext<'_>,
    workers: usize,
) -> Result<Vec<Result<JobOutput, ExperimentError>>, ExperimentError> {
    let next = AtomicUsize::new(0);
    let results: Vec<_> = jobs.iter().map(|_| Mutex::new(None)).collect();
    // Each worker has one thread, also inside an operation.
    let workers = workers.clamp(1, jobs.len().max(1));
    let pools = (0..workers).map(|_| one_thread()).collect::<Result<Vec<_>, _>>()?;
    std::thread::scope(|scope| {
        for pool in &pools {
            let worker = || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= jobs.len() {
                        break;
                    }
                    let result = guarded(jobs[index], shared, run);
                    if let Ok(mut slot) = results[index].lock() {
                        *slot = Some(result);
                    }
                }
            };
            scope.spawn(move || pool.install(worker));
        }
    });
    let outcome = |slot: Mutex<Option<_>>| slot.into_inner().ok().flatten();
    let lost = || Err(ExperimentError::Threads("a worker ended early".to_owned()));
    Ok(results.into_iter().map(|slot| outcome(slot).unwrap_or_else(lost)).collect())
}

/// Does one job. A panic in burn or in a plugin becomes an error that names the cell.
fn guarded(job: Job, shared: &[SharedSetup], run: &RunContext<'_>) -> Result<JobOutput, ExperimentError> {
    let attempt = || match job {
        Job::Strategy { row, seed } => {
            let row = &run.experiment.strategies[row];
            let cell = run_cell(run, row, &shared[seed])?;
            run.observer.cell_finished(&row.name, &cell);
            Ok(JobOutput::Cell(Box::new(cell)))
        }
        Job::Joint { reference, loss, seed } => {
            let cell = joint(run, reference.name(), &shared[seed], loss)?;
            run.observer.cell_finished(reference.name(), &cell);
            Ok(JobOutput::Cell(Box::new(cell)))
        }
        Job::Alone { device, seed } => {
            let mut adapted = shared[seed].adapt_alone(run, Reference::DevicesAlone.name(), device)?;
            if run.experiment.references.contains(&Reference::DevicesAlone) {
                adapted.elsewhere = elsewhere(run, &shared[seed], device, &adapted)?;
            }
            Ok(JobOutput::Alone(Box::new(adapted.put_away())))
        }
    };
    catch_unwind(AssertUnwindSafe(attempt)).unwrap_or_else(|panic| {
        if panic.is::<StopAtStep>() {
            return Err(ExperimentError::Interrupted);
        }
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let message = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message").to_owned();
        let (row, seed) = match job {
            Job::Strategy { row, seed } => (run.experiment.strategies[row].name.as_str(), seed),
            Job::Joint { reference, seed, .. } => (reference.name(), seed),
            Job::Alone { seed, .. } => (Reference::DevicesAlone.name(), seed),
        };
        Err(ExperimentError::Panicked { row: row.to_owned(), seed: shared[seed].seed, message })
    })
}

impl JobOutput {
    fn alone(self) -> Option<AdaptedDevice> {
        match self {
            JobOutput::Alone(adapted) => Some(*adapted),
            JobOutput::Cell(_) => None,
        }
    }
}
