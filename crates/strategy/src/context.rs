//! What a strategy is given while it consolidates: nothing but what it declared and was granted.

use alluvium_model::{Expert, ModelState, Progress, Seed, Silent};
use alluvium_stream::Lesson;
use burn::tensor::{Device, Tensor};

use crate::{DataAccess, StrategyError, Surrogate, SurrogateRequest};

/// How much work a consolidation was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Effort {
    /// Gradient steps.
    pub steps: u64,
    /// Samples that went through the new central model in those steps.
    pub samples: u64,
}

/// What a strategy is given beside the two models.
///
/// The fields are private and start empty: the runner adds what the strategy declared *and* the protocol grants.
/// Everything else does not exist here.
pub struct Context<'a> {
    compute: Device,
    seed: Seed,
    device: usize,
    surrogate: Option<&'a mut dyn Surrogate>,
    surrogate_seed: Seed,
    tasks: Vec<Lesson<'a>>,
    progress: &'a dyn Progress,
    effort: Effort,
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("device", &self.device)
            .field("tasks", &self.tasks.len())
            .finish_non_exhaustive()
    }
}

impl<'a> Context<'a> {
    /// A context that grants no data. `seed` is the cell's, `device` the number of consolidations before this one.
    pub fn new(compute: &Device, seed: Seed, device: usize) -> Self {
        Context {
            compute: compute.clone(),
            seed: seed.at("consolidation", device),
            device,
            surrogate: None,
            surrogate_seed: seed.of("surrogate"),
            tasks: vec![],
            progress: &Silent,
            effort: Effort::default(),
        }
    }

    /// Grants surrogate data.
    pub fn with_surrogate(mut self, surrogate: &'a mut dyn Surrogate) -> Self {
        self.surrogate = Some(surrogate);
        self
    }

    /// Grants the training samples of some tasks, the current one last.
    pub fn with_tasks(mut self, tasks: Vec<Lesson<'a>>) -> Self {
        self.tasks = tasks;
        self
    }

    /// Tells someone about the steps.
    pub fn with_progress(mut self, progress: &'a dyn Progress) -> Self {
        self.progress = progress;
        self
    }

    /// The compute device, without autodiff.
    pub fn compute(&self) -> &Device {
        &self.compute
    }

    /// The seed of this consolidation: draw from its parts.
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// How many devices were consolidated before this one.
    pub fn device(&self) -> usize {
        self.device
    }

    /// How many samples the fixed set of surrogate data has.
    ///
    /// # Errors
    /// [`StrategyError::NotGranted`] without access to surrogate data.
    pub fn surrogate_samples(&self) -> Result<usize, StrategyError> {
        let missing = StrategyError::NotGranted { wanted: DataAccess::Surrogate };
        self.surrogate.as_ref().map(|surrogate| surrogate.samples()).ok_or(missing)
    }

    /// The fixed set of surrogate data, `[samples, channels, height, width]`. Each cell has one: all its
    /// consolidations, and all strategies of the same seed, see the same inputs.
    ///
    /// # Errors
    /// [`StrategyError::NotGranted`] without access to surrogate data; [`StrategyError::Surrogate`] when they cannot be made.
    pub fn surrogate(&mut self, previous: &ModelState, expert: &Expert) -> Result<Tensor<4>, StrategyError> {
        let count = self.surrogate_samples()?;
        self.draw(count, self.surrogate_seed, previous, expert)
    }

    /// Fresh surrogate data, `[count, channels, height, width]`; `step` numbers the draw within this consolidation.
    ///
    /// # Errors
    /// As [`surrogate`](Self::surrogate).
    pub fn fresh_surrogate(
        &mut self,
        count: usize,
        step: usize,
        previous: &ModelState,
        expert: &Expert,
    ) -> Result<Tensor<4>, StrategyError> {
        self.draw(count, self.seed.at("fresh surrogate", step), previous, expert)
    }

    fn draw(
        &mut self,
        count: usize,
        seed: Seed,
        previous: &ModelState,
        expert: &Expert,
    ) -> Result<Tensor<4>, StrategyError> {
        let request = SurrogateRequest { input: previous.input, compute: &self.compute, seed, previous, expert };
        let missing = StrategyError::NotGranted { wanted: DataAccess::Surrogate };
        Ok(self.surrogate.as_mut().ok_or(missing)?.draw(count, &request)?)
    }

    /// The training samples of the device whose expert is being consolidated.
    ///
    /// # Errors
    /// [`StrategyError::NotGranted`] without access to them.
    pub fn current_task(&self) -> Result<Lesson<'a>, StrategyError> {
        let missing = StrategyError::NotGranted { wanted: DataAccess::CurrentTask };
        self.tasks.last().copied().ok_or(missing)
    }

    /// The training samples of all devices so far, the current one last.
    ///
    /// # Errors
    /// [`StrategyError::NotGranted`] without access to them.
    pub fn all_tasks(&self) -> Result<&[Lesson<'a>], StrategyError> {
        if self.tasks.len() <= self.device {
            return Err(StrategyError::NotGranted { wanted: DataAccess::AllTasks });
        }
        Ok(&self.tasks)
    }

    /// Says that a step was taken on so many samples, `done` of `steps`.
    pub fn step_taken(&mut self, samples: usize, done: usize, steps: usize) {
        self.effort.steps += 1;
        self.effort.samples += samples as u64;
        self.progress.step(done, steps);
    }

    /// The work so far.
    pub fn effort(&self) -> Effort {
        self.effort
    }
}
