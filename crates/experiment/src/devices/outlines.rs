//! The tasks of one seed as the centre knows them: the stream's, or those that the devices define.

use std::collections::BTreeMap;

use alluvium_device::{DeviceError, DeviceTask};
use alluvium_model::{Digest, HeadSpec, Seed};
use alluvium_stream::{Samples, StreamError, TaskOutline, TaskStream};
use rand::seq::SliceRandom;

use crate::ExperimentError;

/// Gives the outline of each task.
pub(crate) enum Outlines {
    /// The stream's tasks, in its order.
    Stream,
    /// Tasks that the devices define, in the order in which the seed lets them come: each with its entry.
    Devices(Vec<(usize, TaskOutline)>),
}

impl Outlines {
    /// The tasks under a seed. `defined` are those that the devices define, if they do. The test samples of such a task are
    /// all samples of its classes in the stream.
    pub(crate) fn of(
        stream: &dyn TaskStream,
        defined: Option<Vec<DeviceTask>>,
        seed: Seed,
    ) -> Result<Self, ExperimentError> {
        let Some(defined) = defined else { return Ok(Outlines::Stream) };
        let by_class = test_samples(stream)?;
        let mut tasks = vec![];
        for (entry, task) in defined.into_iter().enumerate() {
            tasks.push((entry, outline(stream, &by_class, task)?));
        }
        tasks.shuffle(&mut seed.of("order of the devices").random());
        for (index, (_, task)) in tasks.iter_mut().enumerate() {
            task.index = index;
        }
        Ok(Outlines::Devices(tasks))
    }

    /// The number of tasks.
    pub(crate) fn len(&self, stream: &dyn TaskStream) -> usize {
        match self {
            Outlines::Stream => stream.tasks(),
            Outlines::Devices(tasks) => tasks.len(),
        }
    }

    /// The outline of a task, and the entry of its device.
    pub(crate) fn get(&self, stream: &dyn TaskStream, index: usize) -> Result<(usize, TaskOutline), StreamError> {
        match self {
            Outlines::Stream => Ok((index, stream.outline(index)?)),
            Outlines::Devices(tasks) => {
                tasks.get(index).cloned().ok_or(StreamError::NoSuchTask { index, tasks: tasks.len() })
            }
        }
    }
}

/// All test samples of the stream, by their class. A class of several tasks has the samples of each of them, once.
fn test_samples(stream: &dyn TaskStream) -> Result<BTreeMap<usize, Samples>, StreamError> {
    let mut by_class: BTreeMap<usize, BTreeMap<Digest, (usize, Samples)>> = BTreeMap::new();
    for index in 0..stream.tasks() {
        let test = stream.outline(index)?.test;
        let mut of_class: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        test.labels().iter().enumerate().for_each(|(sample, label)| of_class.entry(*label).or_default().push(sample));
        for (class, samples) in of_class {
            let samples = test.select(samples);
            let known = by_class.entry(class).or_default();
            // Under a domain shift every task has its own samples of a class; in rounds a device has the same ones again.
            let head = HeadSpec { name: String::new(), classes: vec![class] };
            let digest = TaskOutline { index: 0, name: String::new(), head, test: samples.clone() }.digest()?;
            known.entry(digest).or_insert((index, samples));
        }
    }
    let joined = by_class.into_iter().filter_map(|(class, parts)| {
        let mut parts: Vec<_> = parts.into_values().collect();
        parts.sort_by_key(|(task, _)| *task);
        let joined = parts.into_iter().map(|(_, part)| part).reduce(|mut all, part| {
            all.extend(&part);
            all
        });
        joined.map(|joined| (class, joined))
    });
    Ok(joined.collect())
}

fn outline(
    stream: &dyn TaskStream,
    by_class: &BTreeMap<usize, Samples>,
    task: DeviceTask,
) -> Result<TaskOutline, ExperimentError> {
    let names = stream.class_names();
    let mut test = Samples::of_type(stream.input(), stream.value_type());
    let mut classes = vec![];
    for name in &task.classes {
        let class = names.iter().position(|other| other == name);
        let found = class.and_then(|class| Some((class, by_class.get(&class)?)));
        let Some((class, samples)) = found else {
            return Err(DeviceError::Option {
                option: "classes",
                problem: format!(
                    "of the task \"{}\" name \"{name}\", of which the stream has no test samples",
                    task.name
                ),
                accepted: format!("classes of the stream: {}", names.join(", ")),
            }
            .into());
        };
        classes.push(class);
        test.extend(samples);
    }
    let outline = TaskOutline { index: 0, name: task.name.clone(), head: HeadSpec { name: task.name, classes }, test };
    outline.check()?;
    Ok(outline)
}
