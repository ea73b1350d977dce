//! The plan of a run: its cells, and the number of stages of each.

use alluvium_config::{Experiment, OwnStart, Reference, StrategyRow, same_devices};
use alluvium_device::ClassificationLoss;
use alluvium_model::Seed;

use crate::progress::PlannedCell;
use crate::protocol::{ScheduleEvent, schedule};

/// The rows of joint training, each with its loss.
pub(crate) fn joint_references(experiment: &Experiment) -> impl Iterator<Item = (Reference, ClassificationLoss)> {
    let trains = experiment.device.training().is_some();
    let wanted =
        Reference::ALL.into_iter().filter(move |reference| trains && experiment.references.contains(reference));
    wanted.filter_map(|reference| Some((reference, reference.joint_loss()?)))
}

/// The most adaptations that a run needs on a stream of `devices` devices. An adaptation that rows have in common may be done
/// only once. Adaptations for fractions of the budget do not count.
pub fn most_adaptations(experiment: &Experiment, devices: usize) -> usize {
    let alone = alone(experiment, devices);
    let of_row = |row: &StrategyRow, seed: u64| {
        let events = schedule(&row.protocol, devices, Seed::new(seed));
        let all = events.iter().filter(|event| matches!(event, ScheduleEvent::HandOut { returns: true, .. })).count();
        // The first device adapts the initial weights, as it does alone. It is the same adaptation unless something ties
        // it to them, or devices overlap: then the model may have shared heads, which are not known here.
        let begins_alike = matches!(events.first(), Some(ScheduleEvent::HandOut { device: 0, returns: true }))
            && !row.protocol.devices_overlap();
        // A network of its own may first learn from a centre whose weights come from a file.
        let learns = experiment.own_network_of(0).is_some_and(|own| own.start == OwnStart::Distilled);
        let begins_alike = begins_alike && !(learns && experiment.initial.is_some());
        let free = row.device.training().is_some() && row.device.alone().is_none();
        let is_alike = free && same_devices(&*row.device, &*experiment.device);
        let is_shared = begins_alike && is_alike && row.config.statistics().is_empty();
        all - usize::from(is_shared)
    };
    let of_seed = |seed: &u64| alone + experiment.strategies.iter().map(|row| of_row(row, *seed)).sum::<usize>();
    experiment.seeds.iter().map(of_seed).sum()
}

/// The number of devices that adapt alone. The first one always does, with or without the row `devices-alone`, if devices train
/// in this process.
fn alone(experiment: &Experiment, devices: usize) -> usize {
    match (experiment.device.training(), experiment.references.contains(&Reference::DevicesAlone)) {
        (None, _) => 0,
        (Some(_), true) => devices,
        (Some(_), false) => devices.min(1),
    }
}

/// All cells, seed by seed.
pub(crate) fn plan(experiment: &Experiment, devices: usize) -> Vec<PlannedCell> {
    let of_row = |row: &StrategyRow, seed: &u64| {
        let events = schedule(&row.protocol, devices, Seed::new(*seed));
        let adaptations =
            events.iter().filter(|event| matches!(event, ScheduleEvent::HandOut { returns: true, .. })).count();
        let consolidations = events.iter().filter(|event| matches!(event, ScheduleEvent::TakeIn(_))).count();
        (adaptations, consolidations)
    };
    let cell = |row: &str, seed: &u64, adaptations, consolidations| PlannedCell {
        row: row.to_owned(),
        seed: *seed,
        adaptations,
        consolidations,
        devices,
    };
    let mut plan = vec![];
    for seed in &experiment.seeds {
        plan.extend(experiment.strategies.iter().map(|row| {
            let (adaptations, consolidations) = of_row(row, seed);
            cell(&row.name, seed, adaptations, consolidations)
        }));
        if let alone @ 1.. = alone(experiment, devices) {
            plan.push(cell(Reference::DevicesAlone.name(), seed, alone, 0));
        }
        plan.extend(joint_references(experiment).map(|(reference, _)| cell(reference.name(), seed, 1, 0)));
    }
    plan
}
