//! Class shift: each device has its own classes, and may share some with others.

use alluvium_model::{HeadSpec, Seed};
use rand::seq::SliceRandom;

use super::sharing::Sharing;
use super::{Share, Split, deal, indices_of};
use crate::{DataSet, SplitTasks, StreamError};

impl Split {
    /// Class shift: each task has its own classes and its own head.
    ///
    /// # Errors
    /// When there are not enough classes, an option is out of range or does not apply, or a task has no samples.
    pub fn by_class(&self, data: &DataSet, seed: Seed) -> Result<SplitTasks, StreamError> {
        self.settings.check(true, false)?;
        let classes = self.classes(&data.class_names, self.tasks, seed)?;
        let train = self.train_of_classes(data, &classes, seed)?;
        let shares = classes.iter().zip(train).enumerate().map(|(index, (classes, train))| Share {
            name: task_name(data, classes),
            head: own_head(index, classes),
            train,
            test: indices_of(data.test.labels(), classes),
            seed: samples_seed(seed, index),
        });
        self.finish(data, shares.collect(), self.train_samples_per_class, seed)
    }

    /// The classes of each task: its own, then those that it shares with the task before it. A sharing task has other
    /// tasks' classes instead of its own.
    pub(super) fn classes(&self, names: &[String], tasks: usize, seed: Seed) -> Result<Vec<Vec<usize>>, StreamError> {
        let order = self.order(names, tasks, seed)?;
        let own = self.own_classes(&order, tasks);
        let least = own.iter().map(|classes| classes.len()).min().unwrap_or_default();
        let shared = self.settings.shared_classes;
        if shared > least {
            return Err(StreamError::Option {
                option: "shared_classes",
                problem: format!("= {shared}, but a device has {least} classes of its own"),
                accepted: format!("0 to {least}"),
            });
        }
        let before = |index: usize| match index {
            0 => &[],
            _ => &own[index - 1][own[index - 1].len() - shared..],
        };
        let classes: Vec<_> = own.iter().enumerate().map(|(index, own)| [own, before(index)].concat()).collect();
        match Sharing::of(&self.settings, tasks)? {
            Some(sharing) => sharing.classes(&classes),
            None => Ok(classes),
        }
    }

    /// The training samples of each task. Tasks that learn the same class divide its samples. A task that learns other
    /// tasks' classes gets the samples that they leave.
    fn train_of_classes(
        &self,
        data: &DataSet,
        tasks: &[Vec<usize>],
        seed: Seed,
    ) -> Result<Vec<Vec<usize>>, StreamError> {
        let labels = data.train.labels();
        if let Some(sharing) = Sharing::of(&self.settings, tasks.len())? {
            let kept_by = |task| samples_seed(seed, task);
            return sharing.train(labels, &data.class_names, tasks, self.train_samples_per_class, kept_by, seed);
        }
        if self.settings.shared_classes == 0 {
            return Ok(tasks.iter().map(|classes| indices_of(labels, classes)).collect());
        }
        let mut train = vec![vec![]; tasks.len()];
        for class in 0..data.class_names.len() {
            let learners: Vec<_> = (0..tasks.len()).filter(|task| tasks[*task].contains(&class)).collect();
            let own = indices_of(labels, &[class]);
            let parts = deal::in_turn(labels, own, learners.len().max(1), seed.at("shared class", class));
            learners.into_iter().zip(parts).for_each(|(task, part)| train[task].extend(part));
        }
        train.iter_mut().for_each(|indices| indices.sort_unstable());
        Ok(train)
    }

    /// The number of classes of the first task.
    fn first_classes(&self) -> usize {
        self.settings.first_classes.unwrap_or(self.classes_per_task)
    }

    /// The own classes of each task, taken from the order, which is long enough.
    fn own_classes<'a>(&self, order: &'a [usize], tasks: usize) -> Vec<&'a [usize]> {
        let (first, others) = order.split_at(self.first_classes());
        [first].into_iter().chain(others.chunks(self.classes_per_task)).take(tasks).collect()
    }

    /// The order in which tasks receive classes; it has at least as many as `tasks` tasks need.
    fn order(&self, names: &[String], tasks: usize, seed: Seed) -> Result<Vec<usize>, StreamError> {
        let others = tasks.saturating_sub(1).saturating_mul(self.classes_per_task);
        let needed = others.saturating_add(if tasks == 0 { 0 } else { self.first_classes() });
        if tasks == 0 || self.classes_per_task == 0 || self.first_classes() == 0 || needed > names.len() {
            let (option, sum) = match self.settings.first_classes {
                None => ("classes_per_task", format!("× `tasks` = {needed}")),
                Some(first) => ("first_classes", format!("= {first} and {others} of the other tasks are {needed}")),
            };
            return Err(StreamError::Option {
                option,
                problem: format!("{sum} classes, but the data have {}", names.len()),
                accepted: format!("1 to {} classes in all", names.len()),
            });
        }
        let Some(given) = &self.class_order else {
            let mut order: Vec<_> = (0..names.len()).collect();
            order.shuffle(&mut seed.of("class order").random());
            return Ok(order);
        };
        let wrong = |problem| StreamError::Option {
            option: "class_order",
            problem,
            accepted: format!("at least {needed} of the classes {}, each once", names.join(", ")),
        };
        let mut order = vec![];
        for name in given {
            let class = names.iter().position(|other| other == name);
            let class = class.ok_or_else(|| wrong(format!("names the unknown class \"{name}\"")))?;
            if order.contains(&class) {
                return Err(wrong(format!("names the class \"{name}\" twice")));
            }
            order.push(class);
        }
        if order.len() < needed {
            return Err(wrong(format!("names {} classes, but {needed} are needed", order.len())));
        }
        Ok(order)
    }
}

/// The seed of every random choice among a task's samples.
fn samples_seed(seed: Seed, index: usize) -> Seed {
    seed.at("samples of task", index)
}

/// A name for people: the names of the classes.
pub(super) fn task_name(data: &DataSet, classes: &[usize]) -> String {
    classes.iter().map(|class| data.class_names[*class].as_str()).collect::<Vec<_>>().join(" ")
}

/// The head of a task that does not share it.
pub(super) fn own_head(index: usize, classes: &[usize]) -> HeadSpec {
    HeadSpec { name: format!("task-{}", index + 1), classes: classes.to_vec() }
}
