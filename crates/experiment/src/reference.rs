//! The reference rows: each device alone, and joint training on all data.

use std::time::Instant;

use alluvium_device::{Lesson, train};
use alluvium_evaluate::evaluate;
use alluvium_model::Model;
use alluvium_results::{Accuracy, Cell};

use crate::measure::peak_memory_bytes;
use crate::observe::Steps;
use crate::shared::{Adapted, Shared};
use crate::{Experiment, ExperimentError, Observer, Reference, Stage, Work};

/// Each device alone: adapted from the initial weights, judged on its own task.
pub(crate) fn devices_alone(seed: u64, alone: &[Adapted]) -> Cell {
    let accuracy: Vec<_> = alone.iter().map(|device| device.accuracy).collect();
    let mut cell = Cell::new(seed, Accuracy::Final { task_aware: accuracy.clone(), task_agnostic: None });
    cell.expert_accuracy = accuracy;
    cell.seconds = alone.iter().map(|device| device.seconds).sum();
    cell.peak_memory_bytes = peak_memory_bytes();
    cell
}

/// Joint training: one model learns all tasks at once, each through its own head, with the devices' settings.
///
/// It sees every device's data as often as the device itself does: the upper bound that no protocol grants.
pub(crate) fn joint(
    experiment: &Experiment,
    shared: &Shared,
    observer: &dyn Observer,
) -> Result<Cell, ExperimentError> {
    let devices = shared.tasks.len();
    let row = Reference::Joint.name();
    let work = Work { row, seed: shared.seed, device: devices, devices, stage: Stage::Adapting };
    observer.begins(work);
    let started = Instant::now();
    let learning = shared.compute.clone().autodiff();
    let latent_size = shared.initial.backbone.build(shared.initial.input, &shared.compute)?.latent_size();
    let mut state = shared.initial.clone();
    for task in &shared.tasks {
        state.grow_head(&task.head, latent_size, shared.root);
    }
    let mut model = Model::load(&state, &learning)?;
    let lessons: Vec<_> = shared.tasks.iter().map(|task| Lesson { head: &task.head, samples: &task.train }).collect();
    let seed = shared.root.of("joint training");
    train(&mut model, &lessons, &experiment.device, &learning, seed, &Steps { observer, work });
    let seconds = started.elapsed().as_secs_f64();

    let trained = Model::load(&model.state(), &shared.compute)?;
    let scores: Vec<_> = shared.tests.iter().map(|test| evaluate(&trained, test)).collect();
    let task_agnostic = Some(scores.iter().map(|score| score.task_agnostic).collect());
    let task_aware = scores.iter().map(|score| score.task_aware).collect();
    let mut cell = Cell::new(shared.seed, Accuracy::Final { task_aware, task_agnostic });
    cell.seconds = seconds;
    cell.peak_memory_bytes = peak_memory_bytes();
    (0..devices).for_each(|_| observer.device_done(work));
    Ok(cell)
}
