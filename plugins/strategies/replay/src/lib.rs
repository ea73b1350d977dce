//! The `replay` strategy: experience replay with a reservoir of all devices' samples.
//!
//! This file is the strategy, `reservoir` decides which samples are kept, and `buffer` holds them during a consolidation.

mod buffer;
mod reservoir;

use std::ops::Range;

use alluvium_model::{Inputs, Seed};
use alluvium_strategy::{
    Context, DataAccess, Expert, ModelState, RunDescription, Strategy, StrategyConfig, StrategyError, StrategyState,
    TrainingSettings, options, plugin,
};
use rand::Rng;
use rand::seq::index::sample;

use buffer::Buffer;

/// Experience replay: the central model learns the current task's samples together with samples of earlier tasks, kept
/// in a buffer of bounded size.
///
/// Every step takes a batch of the current task and one from the buffer; its loss is the mean cross-entropy of both, each
/// sample through the head of its own task, or against the classes of all tasks so far (see `loss`). The buffer is a
/// reservoir (Vitter, "Random sampling with a reservoir", ACM TOMS 1985, algorithm R): at any time, each sample of the
/// earlier tasks is in it with the same probability.
///
/// A step needs only the current task and the buffer. But the buffer keeps devices' samples at the centre, which a protocol
/// that keeps them private does not grant, so the data access is `all-tasks`. The buffer is not stored. The draws of the
/// reservoir depend on a stored seed, so the buffer is filled again from the tasks' samples. The first expert becomes the
/// central model unchanged.
#[options]
pub struct Replay {
    /// The largest number of samples of earlier tasks in the buffer.
    #[default(500)]
    #[schemars(range(min = 1, max = 10_000_000))]
    pub buffer_samples: usize,
    /// Samples of the buffer per gradient step, in addition to those of the current task.
    #[default(32)]
    #[schemars(range(min = 1, max = 65_536))]
    pub replay_batch_size: usize,
    /// How the centre learns.
    #[serde(flatten)]
    pub training: TrainingSettings,
    /// The seed of the reservoir's draws, drawn at the first device. The seed of a consolidation is not suitable: it changes
    /// every time, and so would the buffer.
    #[state]
    reservoir: Option<u64>,
}

#[plugin(
    kind = "replay",
    paper = "Chaudhry et al., \"On tiny episodic memories in continual learning\", arXiv 1902.10486 (ER with a reservoir)"
)]
impl StrategyConfig for Replay {
    fn data_access(&self) -> DataAccess {
        DataAccess::AllTasks
    }

    fn validate(&self, run: &RunDescription) -> Result<(), StrategyError> {
        self.training.validate(run)?;
        let earlier = run.tasks.unwrap_or(0).saturating_sub(1);
        if self.buffer_samples >= earlier {
            return Ok(());
        }
        Err(StrategyError::Option {
            option: "buffer_samples",
            problem: format!("= {} holds no sample of some of the {earlier} earlier tasks", self.buffer_samples),
            accepted: format!("at least {earlier}"),
        })
    }

    fn build(&self, _run: &RunDescription) -> Result<Box<dyn Strategy>, StrategyError> {
        Ok(Box::new(self.clone()))
    }
}

const RESERVOIR: &str = "reservoir";

impl Strategy for Replay {
    fn consolidate(
        &mut self,
        previous: &ModelState,
        expert: &Expert,
        context: &mut Context<'_>,
    ) -> Result<ModelState, StrategyError> {
        let tasks = context.all_tasks()?.to_vec();
        let data = context.current_task()?;
        let drawn = || context.seed().of(RESERVOIR).random().next_u64();
        let seed = Seed::new(*self.reservoir.get_or_insert_with(drawn));
        if previous.heads.is_empty() {
            return Ok(expert.model.clone());
        }
        let Replay { buffer_samples, replay_batch_size, training, .. } = &*self;
        let earlier = &tasks[..tasks.len() - 1];
        let learning = context.compute().clone().autodiff();
        let buffer = Buffer::fill(earlier, *buffer_samples, &mut seed.random(), &learning);
        let mut random = context.seed().of("replayed").random();

        let start = training.start(previous, expert, context)?;
        training.learn_from(&start, data, context, |model, batch| {
            let own = batch.samples();
            let amount = buffer.len().min(*replay_batch_size);
            let replayed = buffer.batch(sample(&mut random, buffer.len(), amount).into_vec());
            let inputs = std::iter::once(batch.inputs.clone()).chain(replayed.inputs);
            let inputs = Inputs::cat(inputs.collect());
            let latents = model.latents(inputs.clone());
            let rows = |range: Range<usize>| (inputs.clone().slice(range.clone()), latents.clone().slice([range]));

            let current = training.loss.of(model, &data.head.name, rows(0..own), batch.class_indices.clone())?;
            let mut sum = current.mul_scalar(own as f64);
            let mut samples = own;
            for group in replayed.groups {
                let count = group.samples();
                let replayed =
                    training.loss.of(model, &group.head, rows(samples..samples + count), group.class_indices)?;
                sum = sum + replayed.mul_scalar(count as f64);
                samples += count;
            }
            Some((sum.div_scalar(samples as f64), samples))
        })
    }

    fn state(&self) -> StrategyState {
        let values = self.reservoir.map(|seed| (RESERVOIR.to_owned(), seed.into()));
        StrategyState { values: values.into_iter().collect(), ..Default::default() }
    }

    fn restore(&mut self, state: StrategyState) -> Result<(), StrategyError> {
        let broken = || StrategyError::State(format!("`{RESERVOIR}` is not a seed"));
        let seed = state.values.get(RESERVOIR).map(|value| value.as_u64().ok_or_else(broken));
        self.reservoir = seed.transpose()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
