//! What a strategy gets while it consolidates: only what it declared and what the protocol granted.

use alluvium_device::Beside;
use alluvium_model::{Expert, Inputs, ModelState, Progress, Seed, Silent, Weights};
use alluvium_stream::TaskDataset;
use burn::tensor::Device;

use crate::{DataAccess, StrategyError, Surrogate, SurrogateRequest};

/// The work that a consolidation took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Effort {
    /// Gradient steps.
    pub steps: u64,
    /// Samples that went through the new central model in those steps.
    pub samples: u64,
}

/// What a strategy gets besides the two models.
///
/// The fields are private and start empty. The runner adds what the strategy declared *and* the protocol grants; nothing
/// else is here.
pub struct Context<'a> {
    compute: Device,
    /// The cell's seed.
    cell: Seed,
    /// The number of experts consolidated before this consolidation or round.
    before: usize,
    surrogate: Option<&'a mut dyn Surrogate>,
    surrogate_seed: Seed,
    tasks: Vec<TaskDataset<'a>>,
    beside: Option<&'a Beside>,
    progress: &'a dyn Progress,
    account: Accounts<'a>,
}

/// What a consolidation states about itself.
#[derive(Default)]
struct Account {
    effort: Effort,
    notes: Vec<String>,
}

/// The account of a consolidation, or that of the round.
enum Accounts<'a> {
    Own(Account),
    OfRound(&'a mut Account),
}

impl Accounts<'_> {
    fn get(&mut self) -> &mut Account {
        match self {
            Accounts::Own(account) => account,
            Accounts::OfRound(account) => account,
        }
    }

    fn read(&self) -> &Account {
        match self {
            Accounts::Own(account) => account,
            Accounts::OfRound(account) => account,
        }
    }
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("device", &self.device())
            .field("tasks", &self.tasks.len())
            .finish_non_exhaustive()
    }
}

impl<'a> Context<'a> {
    /// A context that grants no data. `seed` is the cell's seed. `device` is the number of experts consolidated before this
    /// consolidation or round.
    pub fn new(compute: &Device, seed: Seed, device: usize) -> Self {
        Context {
            compute: compute.clone(),
            cell: seed,
            before: device,
            surrogate: None,
            surrogate_seed: seed.of("surrogate"),
            tasks: vec![],
            beside: None,
            progress: &Silent,
            account: Accounts::Own(Account::default()),
        }
    }

    /// Grants surrogate data.
    pub fn with_surrogate(mut self, surrogate: &'a mut dyn Surrogate) -> Self {
        self.surrogate = Some(surrogate);
        self
    }

    /// Grants the training samples of some tasks, the current task last. For a round, the tasks of its experts come last, in
    /// the order of the experts.
    pub fn with_tasks(mut self, tasks: Vec<TaskDataset<'a>>) -> Self {
        self.tasks = tasks;
        self
    }

    /// States what the strategy handed out to every device beside the model.
    pub fn with_beside(mut self, beside: &'a Beside) -> Self {
        self.beside = Some(beside);
        self
    }

    /// Reports the steps to an observer.
    pub fn with_progress(mut self, progress: &'a dyn Progress) -> Self {
        self.progress = progress;
        self
    }

    /// The tensors of this name that the strategy handed out to every device beside the model; see
    /// [`StrategyConfig::handed_beside`](crate::StrategyConfig::handed_beside).
    pub fn beside(&self, name: &str) -> Option<&'a Weights> {
        self.beside?.get(name)
    }

    /// The compute device, without autodiff.
    pub fn compute(&self) -> &Device {
        &self.compute
    }

    /// A context for the expert at `index` (from 0) in a round of `experts` experts, when this is the context of the round. A
    /// strategy takes one for each expert, to consolidate the experts of a round one after another. [`device`](Self::device),
    /// [`seed`](Self::seed) and the tasks are those of a consolidation of this expert alone, after the experts before it. The work
    /// of all experts is counted together.
    ///
    /// An index beyond the round means its last expert.
    pub fn of_expert(&mut self, index: usize, experts: usize) -> Context<'_> {
        let last = experts.max(1) - 1;
        let index = index.min(last);
        let tasks = &self.tasks[..self.tasks.len().saturating_sub(last - index)];
        Context {
            compute: self.compute.clone(),
            cell: self.cell,
            before: self.before + index,
            surrogate: self.surrogate.as_mut().map(|surrogate| &mut **surrogate as &mut dyn Surrogate),
            surrogate_seed: self.surrogate_seed,
            tasks: tasks.to_vec(),
            beside: self.beside,
            progress: self.progress,
            account: Accounts::OfRound(self.account.get()),
        }
    }

    /// The seed of this consolidation. Derive a generator from it by name.
    pub fn seed(&self) -> Seed {
        self.cell.at("consolidation", self.device())
    }

    /// The number of devices consolidated before this one; for a whole round, before its first device.
    pub fn device(&self) -> usize {
        self.before
    }

    /// The number of samples in the fixed set of surrogate data.
    ///
    /// # Errors
    /// [`StrategyError::NotGranted`] without access to surrogate data.
    pub fn surrogate_samples(&self) -> Result<usize, StrategyError> {
        let missing = StrategyError::NotGranted { wanted: DataAccess::Surrogate };
        self.surrogate.as_ref().map(|surrogate| surrogate.samples()).ok_or(missing)
    }

    /// The fixed set of surrogate data. All consolidations of a cell, and all strategies
    /// with the same seed, see the same inputs.
    ///
    /// # Errors
    /// [`StrategyError::NotGranted`] without access to surrogate data; [`StrategyError::Surrogate`] when they cannot be made.
    pub fn surrogate(&mut self, previous: &ModelState, expert: &Expert) -> Result<Inputs, StrategyError> {
        let count = self.surrogate_samples()?;
        self.draw(count, self.surrogate_seed, previous, expert)
    }

    /// `count` fresh inputs of surrogate data; `step` numbers the draw within this consolidation.
    ///
    /// # Errors
    /// As [`surrogate`](Self::surrogate).
    pub fn fresh_surrogate(
        &mut self,
        count: usize,
        step: usize,
        previous: &ModelState,
        expert: &Expert,
    ) -> Result<Inputs, StrategyError> {
        self.draw(count, self.seed().at("fresh surrogate", step), previous, expert)
    }

    fn draw(
        &mut self,
        count: usize,
        seed: Seed,
        previous: &ModelState,
        expert: &Expert,
    ) -> Result<Inputs, StrategyError> {
        let request =
            SurrogateRequest { input: previous.input, compute: &self.compute, seed, previous, expert: Some(expert) };
        let missing = StrategyError::NotGranted { wanted: DataAccess::Surrogate };
        Ok(self.surrogate.as_mut().ok_or(missing)?.draw(count, &request)?)
    }

    /// The training samples of the device whose expert is being consolidated.
    ///
    /// # Errors
    /// [`StrategyError::NotGranted`] without access to them.
    pub fn current_task(&self) -> Result<TaskDataset<'a>, StrategyError> {
        let missing = StrategyError::NotGranted { wanted: DataAccess::CurrentTask };
        self.tasks.last().copied().ok_or(missing)
    }

    /// The training samples of all devices so far, the current one last.
    ///
    /// # Errors
    /// [`StrategyError::NotGranted`] without access to them.
    pub fn all_tasks(&self) -> Result<&[TaskDataset<'a>], StrategyError> {
        let tasks = &self.tasks;
        if tasks.len() <= self.device() {
            return Err(StrategyError::NotGranted { wanted: DataAccess::AllTasks });
        }
        Ok(tasks)
    }

    /// Counts a step on `samples` samples, and reports that `done` of `steps` steps are done.
    pub fn step_taken(&mut self, samples: usize, done: usize, steps: usize) {
        let effort = &mut self.account.get().effort;
        effort.steps += 1;
        effort.samples += samples as u64;
        self.progress.step(done, steps);
    }

    /// The work so far; for an expert of a round, that of the whole round.
    pub fn effort(&self) -> Effort {
        self.account.read().effort
    }

    /// Notes something that people should know about this consolidation, such as what was left out. It is stated below the table.
    pub fn note(&mut self, note: String) {
        self.account.get().notes.push(note);
    }

    /// The notes so far; for an expert of a round, those of the whole round.
    pub fn notes(&self) -> &[String] {
        &self.account.read().notes
    }
}

#[cfg(all(test, feature = "conformance"))]
mod tests {
    use super::*;
    use crate::conformance::{expert, samples};

    #[test]
    fn in_a_round_every_expert_has_the_context_of_a_consolidation_of_its_own() {
        let seed = Seed::new(3);
        let samples = samples("a");
        let heads = ["a", "b", "c", "d"].map(|name| expert(name, 1).head().clone());
        let tasks: Vec<_> = heads.iter().map(|head| TaskDataset { head, samples: &samples }).collect();
        // One consolidation came before the round of the other three.
        let mut round = Context::new(&Device::flex(), seed, 1).with_tasks(tasks.clone());
        for index in 0..3 {
            let mut own = round.of_expert(index, 3);
            let alone = Context::new(&Device::flex(), seed, 1 + index).with_tasks(tasks[..index + 2].to_vec());
            assert_eq!((own.device(), own.seed()), (alone.device(), alone.seed()));
            assert_eq!(own.current_task().unwrap().head, &heads[index + 1]);
            assert_eq!(own.all_tasks().unwrap().len(), index + 2);
            own.step_taken(10, 1, 1);
            assert_eq!(own.effort().steps, index as u64 + 1);
        }
        assert_eq!((round.device(), round.all_tasks().unwrap().len()), (1, 4));
        assert_eq!(round.effort(), Effort { steps: 3, samples: 30 });
        // Only the round's own tasks, as access to the current task grants.
        let mut round = Context::new(&Device::flex(), seed, 7).with_tasks(tasks[1..].to_vec());
        let own = round.of_expert(0, 3);
        assert_eq!(own.current_task().unwrap().head, &heads[1]);
        assert!(own.all_tasks().is_err());
    }
}
