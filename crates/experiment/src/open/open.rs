//! The open centre: hand out, receive, close.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::Arc;

use alluvium_config::{Experiment, ProtocolKind, StrategyRow, Variant};
use alluvium_device::{Announcement, check_expert};
use alluvium_model::{Digest, Expert, ModelState};
use alluvium_store::Folder;
use serde_json::json;

use crate::ExperimentError;
use crate::centre::{Session, judged};
use crate::context::{InputDigests, RunContext, common_inputs};
use crate::devices::{SharedSetup, TaskNote};
use crate::directory::{RESULTS, RunDirectory};
use crate::open::error::OpenCentreError;
use crate::open::options::OpenCentreOptions;
use crate::open::report::{CentreFiles, DeviceReport, ReceivedExpert};
use crate::open::visit::{OpenTask, OpenVisit};
use crate::open::visits::{Contact, Visits};
use crate::progress::{Observer, StopAtStep, TwoObservers};
use crate::protocol::HandedOutModel;
use crate::run::{Measurements, plan, results};
use crate::stored::{AdaptationRecord, AdaptedDevice, Interruption, MissingStages, Stages, expert_digest, redo};
use crate::threads::one_thread;

/// The file of the central model that [`OpenCentre::close`] writes into the run directory.
const CENTRAL: &str = "central.safetensors";

/// A centre that is driven from outside: it hands out models, receives experts, and is closed.
///
/// It consolidates and judges as a comparison does, with the same code and the same numbers, for one strategy under one seed.
/// Each contact is on disk before it takes effect. A process that is killed opens the centre again at the same place: visits
/// that were under way still are, and an expert that was received is not asked for again.
pub struct OpenCentre {
    variant: Variant,
    directory: RunDirectory,
    shared: SharedSetup,
    inputs: InputDigests,
    visits: Visits,
    state: ReplayedState,
    /// Whether a consolidation failed, so that the state is behind the list of visits.
    is_behind: bool,
    observer: Arc<dyn Observer + Send + Sync>,
}

/// What follows from the list of visits.
struct ReplayedState {
    session: Session,
    measured: Measurements,
    /// The models of the visits that were not answered, by the number of the visit.
    under_way: BTreeMap<usize, HandedOutModel>,
    /// The number of visits so far.
    visits: usize,
    /// The number of consolidations so far.
    rounds: usize,
}

impl std::fmt::Debug for OpenCentre {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenCentre").field("visits", &self.state.visits).finish_non_exhaustive()
    }
}

impl OpenCentre {
    /// Opens a centre in a run directory, or opens it again. The variant must have one strategy and one seed, and the protocol
    /// `dcl`.
    ///
    /// # Errors
    /// When the configuration does not describe one centre, the directory cannot be used, or its contents cannot be continued.
    pub fn open(path: &Path, variant: Variant, options: &OpenCentreOptions) -> Result<Self, OpenCentreError> {
        let experiment = &variant.experiment;
        let refuse = |problem: String, accepted| Err(OpenCentreError::Configuration { problem, accepted });
        let row = match experiment.strategies.as_slice() {
            [row] => row,
            rows => return refuse(format!("has one strategy, not {}", rows.len()), "one [[strategies]] table"),
        };
        let [seed] = experiment.seeds[..] else {
            return refuse(format!("has one seed, not {}", experiment.seeds.len()), "one seed");
        };
        if row.protocol.kind != ProtocolKind::Dcl {
            let problem = format!("consolidates one expert after another, not under \"{}\"", row.protocol.kind.name());
            return refuse(problem, "the protocol kind = \"dcl\"");
        }
        let directory = RunDirectory::open(path, std::slice::from_ref(&variant), &options.directory)?;
        let folder = Folder::at(path);
        if path.join(RESULTS).exists() && !Visits::are_in(&folder)? {
            let problem = format!("cannot use {}, which holds the results of a comparison", path.display());
            return refuse(problem, "a run directory of its own");
        }
        let compute = experiment.backend.config.open().map_err(ExperimentError::from)?;
        let shared = SharedSetup::new(experiment, seed, &compute)?.with_devices_outside();
        let visits = Visits::open(folder)?.map_err(OpenCentreError::Damaged)?;
        let inputs = InputDigests::of(experiment)?;
        let observer = options.observer.clone();
        let state = replayed(experiment, &directory, &shared, &inputs, &visits, &*observer)?;
        Ok(OpenCentre { variant, directory, shared, inputs, visits, state, is_behind: false, observer })
    }

    /// The tasks of the stream: each with its name, its head, and how often a device took a model for it.
    pub fn tasks(&self) -> Vec<OpenTask> {
        let visits = |index| self.state.session.boundary().visit(index).number;
        let task = |(index, task): (usize, &TaskNote)| OpenTask {
            name: task.name.clone(),
            head: task.head.clone(),
            visits: visits(index),
        };
        self.shared.tasks.iter().enumerate().map(task).collect()
    }

    /// The name of each class of the stream; a class number is an index into this list.
    pub fn class_names(&self) -> &[String] {
        &self.shared.class_names
    }

    /// The configuration.
    pub fn experiment(&self) -> &Experiment {
        &self.variant.experiment
    }

    /// Brings the state to the end of the list of visits, if a consolidation failed or was stopped before.
    fn catch_up(&mut self) -> Result<(), OpenCentreError> {
        if self.is_behind { self.replay() } else { Ok(()) }
    }

    /// Does something within the run, on one thread as a comparison does.
    fn within<T: Send>(
        &mut self,
        act: impl FnOnce(&RunContext<'_>, &SharedSetup, &StrategyRow, &mut ReplayedState) -> T + Send,
    ) -> Result<T, ExperimentError> {
        let experiment = &self.variant.experiment;
        let (shared, inputs, state) = (&self.shared, &self.inputs, &mut self.state);
        let journal = self.directory.journal("");
        let observer = TwoObservers(&journal, &*self.observer);
        let stages = Stages::new(self.directory.store(), common_inputs(experiment)?, &observer);
        let run = RunContext { experiment, stages: &stages, observer: &observer, inputs, kept: None };
        on_one_thread(|| act(&run, shared, &experiment.strategies[0], state))
    }

    /// Does something within the run. If a stored stage is damaged, the list of visits computes it again, and `act` is repeated.
    fn repaired<T: Send>(
        &mut self,
        act: impl Fn(&RunContext<'_>, &SharedSetup, &StrategyRow, &mut ReplayedState) -> Result<T, Interruption>
        + Send
        + Sync,
    ) -> Result<T, OpenCentreError> {
        self.catch_up()?;
        let mut missing = MissingStages::default();
        loop {
            match self.within(&act)? {
                Ok(done) => return Ok(done),
                Err(Interruption::Failed(error)) => return Err(error.into()),
                Err(Interruption::Redo(key)) => {
                    missing.note(key)?;
                    self.replay()?;
                }
            }
        }
    }

    /// The first contact: hands out the model to a device that asks for it. The device's task is one of the stream's; it is found
    /// by its name and head. A device that comes with another task makes another visit.
    ///
    /// # Errors
    /// When the stream has no such task, or the protocol permits no further contact for it.
    pub fn hand_out(&mut self, announced: &Announcement) -> Result<OpenVisit, OpenCentreError> {
        self.catch_up()?;
        let device = self.device(announced)?;
        let number = self.state.visits;
        let (taken, visit) = self.repaired(|run, shared, row, state| {
            let taken = state.session.hand_out(row, shared, device, announced.clone())?;
            let visit = OpenVisit::load(number, &taken, run.stages)?;
            Ok((taken, visit))
        })?;
        let model = taken.digest().clone();
        if let Err(error) = self.visits.add(Contact::HandedOut { device, announced: announced.clone(), model }) {
            self.replay()?;
            return Err(error.into());
        }
        self.state.under_way.insert(number, taken);
        self.state.visits += 1;
        Ok(visit)
    }

    /// What was handed out to the visits that are under way, such as those before the process was killed.
    ///
    /// # Errors
    /// When a model cannot be read.
    pub fn under_way(&mut self) -> Result<Vec<OpenVisit>, OpenCentreError> {
        self.repaired(|run, _, _, state| {
            state.under_way.iter().map(|(number, taken)| OpenVisit::load(*number, taken, run.stages)).collect()
        })
    }

    /// What was handed out to one visit that is under way. Only its model is read.
    ///
    /// # Errors
    /// When the visit is not under way, or its model cannot be read.
    pub fn visit(&mut self, visit: usize) -> Result<OpenVisit, OpenCentreError> {
        self.catch_up()?;
        self.taken(visit)?;
        self.repaired(|run, _, _, state| {
            let taken = state.under_way.get(&visit).ok_or_else(|| lost(visit))?;
            OpenVisit::load(visit, taken, run.stages)
        })
    }

    /// The second contact: receives the expert that answers a visit, and consolidates it. `stated` is what the device says of its
    /// work. An expert that is refused leaves the visit under way. Bytes from a device are read with
    /// [`Expert::received`] and the model that was handed out, because they may be a difference to it.
    ///
    /// # Errors
    /// When the visit is not under way, the expert contradicts what was announced or handed out, or the consolidation fails.
    pub fn receive(
        &mut self,
        visit: usize,
        expert: Expert,
        stated: DeviceReport,
    ) -> Result<ReceivedExpert, OpenCentreError> {
        self.catch_up()?;
        self.taken(visit)?;
        let DeviceReport { seconds, accuracy } = stated;
        if let Some(accuracy) = accuracy.filter(|accuracy| !(0.0..=1.0).contains(accuracy)) {
            return Err(OpenCentreError::Report { visit, accuracy });
        }
        // What the centre can compute, it does not take a device's word for.
        let accuracy = accuracy.filter(|_| !self.shared.judges);
        let digest = expert_digest(&expert)?;
        let seconds = seconds.map_or(0, |seconds| seconds.as_millis() as u64);
        let expert = Arc::new(expert);
        // The expert is stored first, then listed, then consolidated. A process that is killed in between goes on from there.
        let checked = self.repaired(|run, shared, _, state| {
            let taken = state.under_way.get(&visit).ok_or_else(|| lost(visit))?;
            let hand_out = taken.loaded(taken.terms().clone(), run.stages)?;
            let checked = check_expert(&expert, taken.announced(), &hand_out);
            if checked.is_ok() {
                let listed = ListedExpert { visit, digest: &digest, seconds, accuracy };
                arrival(run, shared, taken, listed, Some(expert.clone()))?;
            }
            Ok(checked)
        })?;
        checked?;
        self.visits.add(Contact::Received { visit, expert: digest.clone(), seconds, accuracy })?;
        self.is_behind = true;
        let received = self.within(|run, shared, row, state| {
            state.receive(run, shared, row, ListedExpert { visit, digest: &digest, seconds, accuracy })
        })?;
        match received {
            Ok(received) => {
                self.is_behind = false;
                Ok(received)
            }
            Err(Interruption::Failed(error)) => Err(error.into()),
            // The list has the expert by now, so its replay consolidates it.
            Err(Interruption::Redo(_)) => {
                self.replay()?;
                Ok(self.state.measured.last())
            }
        }
    }

    /// Gives up a visit. Its device counts as lost, and its answer is refused.
    ///
    /// # Errors
    /// When the visit is not under way, or the list of visits cannot be written.
    pub fn give_up(&mut self, visit: usize) -> Result<(), OpenCentreError> {
        self.catch_up()?;
        self.taken(visit)?;
        self.visits.add(Contact::GivenUp { visit })?;
        self.state.under_way.remove(&visit);
        Ok(())
    }

    /// The central model.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn central(&mut self) -> Result<Arc<ModelState>, OpenCentreError> {
        self.repaired(|run, _, _, state| state.session.central().load(run.stages))
    }

    /// Closes the centre: gives up all visits that are under way, and writes the central model and the results into the run
    /// directory. It can be opened again.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn close(mut self) -> Result<CentreFiles, OpenCentreError> {
        self.catch_up()?;
        let open: Vec<_> = self.state.under_way.keys().copied().collect();
        for visit in open {
            self.give_up(visit)?;
        }
        let written = self.write_results()?;
        self.directory.finish(0);
        Ok(written)
    }

    /// Writes the central model and the results so far into the run directory. Visits stay under way.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write_results(&mut self) -> Result<CentreFiles, OpenCentreError> {
        self.catch_up()?;
        let central = self.central()?.to_bytes().map_err(ExperimentError::from)?;
        let cell = self.state.measured.clone().cell(self.state.session.boundary(), self.state.session.history());
        let results = self.within(|run, shared, _, _| {
            let rows = BTreeMap::from([(0, vec![cell])]);
            results(run, std::slice::from_ref(shared), rows, BTreeMap::new(), vec![])
        })?;
        let json = results.to_json().map_err(|error| ExperimentError::Record(error.to_string()))?.into_bytes();
        let files = [(CENTRAL.to_owned(), central), (RESULTS.to_owned(), json)];
        let (paths, _) = self.directory.write_results(&self.variant, &files)?;
        Ok(CentreFiles { results, central: paths.into_iter().next().unwrap_or_default() })
    }

    fn replay(&mut self) -> Result<(), OpenCentreError> {
        let (experiment, observer) = (&self.variant.experiment, &*self.observer);
        self.state = replayed(experiment, &self.directory, &self.shared, &self.inputs, &self.visits, observer)?;
        self.is_behind = false;
        Ok(())
    }

    fn taken(&self, visit: usize) -> Result<&HandedOutModel, OpenCentreError> {
        self.state.under_way.get(&visit).ok_or_else(|| {
            let open: Vec<_> = self.state.under_way.keys().map(usize::to_string).collect();
            let under_way = if open.is_empty() { "none".to_owned() } else { open.join(", ") };
            OpenCentreError::NotUnderWay { visit, under_way }
        })
    }

    /// The number of the device whose task a request names.
    fn device(&self, announced: &Announcement) -> Result<usize, OpenCentreError> {
        let fits = |task: &TaskNote| task.name == announced.task && task.head == announced.head;
        // A device that comes back takes the next task of that name which nobody has visited.
        let mut fitting = self.shared.tasks.iter().enumerate().filter(|(_, task)| fits(task)).map(|(index, _)| index);
        let first = fitting.clone().next();
        let free = fitting.find(|index| self.state.session.boundary().visit(*index).number == 0);
        free.or(first).ok_or_else(|| {
            let tasks: Vec<_> = self.shared.tasks.iter().map(|task| format!("\"{}\"", task.name)).collect();
            OpenCentreError::UnknownTask { task: announced.task.clone(), tasks: tasks.join(", ") }
        })
    }
}

impl ReplayedState {
    /// Consolidates an expert that is stored and listed.
    fn receive(
        &mut self,
        run: &RunContext<'_>,
        shared: &SharedSetup,
        row: &StrategyRow,
        listed: ListedExpert<'_>,
    ) -> Result<ReceivedExpert, Interruption> {
        let Some(taken) = self.under_way.remove(&listed.visit) else {
            return Err(lost(listed.visit).into());
        };
        let device = taken.visit().device;
        let adapted = arrival(run, shared, &taken, listed, None)?;
        self.measured.expert(&adapted);
        self.rounds += 1;
        let judged = judged(row.protocol.kind, true, shared);
        let record = self.session.receive(run, row, shared, vec![(device, adapted)], judged)?;
        self.measured.consolidation(record, judged, self.rounds, &self.session)?;
        Ok(self.measured.last())
    }
}

/// An expert in the list of visits.
#[derive(Clone, Copy)]
struct ListedExpert<'a> {
    visit: usize,
    digest: &'a Digest,
    /// In milliseconds.
    seconds: u64,
    accuracy: Option<f64>,
}

/// The stage of an expert that arrived. Without `expert`, it must be stored already.
fn arrival(
    run: &RunContext<'_>,
    shared: &SharedSetup,
    taken: &HandedOutModel,
    listed: ListedExpert<'_>,
    expert: Option<Arc<Expert>>,
) -> Result<AdaptedDevice, Interruption> {
    let device = taken.visit().device;
    let ListedExpert { visit, digest, seconds, accuracy } = listed;
    let task = &shared.tasks[device].digest;
    let mut inputs = json!({ "what": "arrival", "visit": visit, "expert": digest, "task": task });
    if let Some(accuracy) = accuracy {
        inputs["accuracy"] = json!(accuracy);
    }
    let stage = run.stages.stage::<AdaptationRecord, _>(inputs, || match expert {
        Some(expert) => shared.arrival(device, expert, seconds as f64 / 1000.0, accuracy),
        None => Err(lost(visit).into()),
    })?;
    Ok(AdaptedDevice::new(stage, taken.model().clone()))
}

fn lost(visit: usize) -> ExperimentError {
    ExperimentError::Record(format!("the expert of the visit {visit} is not in the run directory any more"))
}

/// The state after all listed contacts.
fn replayed(
    experiment: &Experiment,
    directory: &RunDirectory,
    shared: &SharedSetup,
    inputs: &InputDigests,
    visits: &Visits,
    observer: &dyn Observer,
) -> Result<ReplayedState, OpenCentreError> {
    let journal = directory.journal("");
    let observer = TwoObservers(&journal, observer);
    let stages = Stages::new(directory.store(), common_inputs(experiment)?, &observer);
    // Lost devices aside, each task is adapted to and consolidated once.
    let devices = shared.tasks.len();
    journal.planned(&plan(experiment, devices).into_iter().take(1).collect::<Vec<_>>(), 1);
    let run = RunContext { experiment, stages: &stages, observer: &observer, inputs, kept: None };
    let row = &experiment.strategies[0];
    let replayed = on_one_thread(|| redo(|| replay(&run, shared, row, visits.contacts())))??;
    replayed.map_err(|problem| OpenCentreError::Diverged { problem })
}

fn replay(
    run: &RunContext<'_>,
    shared: &SharedSetup,
    row: &StrategyRow,
    contacts: &[Contact],
) -> Result<Result<ReplayedState, String>, Interruption> {
    let mut state = ReplayedState {
        session: Session::open(run, row, shared)?,
        measured: Measurements::new(row.protocol.kind, &[], shared),
        under_way: BTreeMap::new(),
        visits: 0,
        rounds: 0,
    };
    for contact in contacts {
        match contact {
            Contact::HandedOut { device, announced, model } => {
                let visit = state.visits;
                if *device >= shared.tasks.len() {
                    return Ok(Err(format!("visit {visit} is of the device {}, which the stream lacks", device + 1)));
                }
                let taken = state.session.hand_out(row, shared, *device, announced.clone())?;
                if taken.digest() != model {
                    return Ok(Err(format!("visit {visit} took the model {model}, not {}", taken.digest())));
                }
                state.under_way.insert(visit, taken);
                state.visits += 1;
            }
            Contact::Received { visit, expert, seconds, accuracy } => {
                let listed = ListedExpert { visit: *visit, digest: expert, seconds: *seconds, accuracy: *accuracy };
                state.receive(run, shared, row, listed)?;
            }
            Contact::GivenUp { visit } => _ = state.under_way.remove(visit),
        }
    }
    Ok(Ok(state))
}

/// Runs on one thread, also inside an operation, as the cells of a comparison do: results must not depend on how work is split.
fn on_one_thread<T: Send>(act: impl FnOnce() -> T + Send) -> Result<T, ExperimentError> {
    let pool = one_thread()?;
    catch_unwind(AssertUnwindSafe(|| pool.install(act))).or_else(|panic| {
        if panic.is::<StopAtStep>() { Err(ExperimentError::Interrupted) } else { resume_unwind(panic) }
    })
}

impl Measurements {
    /// What was measured at the last consolidation.
    fn last(&self) -> ReceivedExpert {
        let (task_aware, task_agnostic) = self.last_row();
        let expert_accuracy = self.expert_accuracy().last().copied();
        ReceivedExpert { expert_accuracy, task_aware, task_agnostic }
    }
}
