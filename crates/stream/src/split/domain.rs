//! Domain shift: each device has domains of its own; and class shift on top of it.

use alluvium_model::{HeadSpec, Seed};
use rand::seq::SliceRandom;

use super::class::{own_head, task_name};
use super::{Share, Split, deal, places};
use crate::{DataSet, SplitTasks, StreamError};

/// The domain of each sample of a data set, by any numbers.
#[derive(Debug, Clone, Copy)]
pub struct Domains<'a> {
    /// Those of the training samples.
    pub train: &'a [usize],
    /// Those of the test samples.
    pub test: &'a [usize],
}

impl Split {
    /// Domain shift: all devices learn the same classes through one head, each in domains of its own. Each domain goes to
    /// one device, whole.
    ///
    /// Domains are shuffled by the seed and dealt in turn, so that devices have about as many.
    ///
    /// # Errors
    /// When there are fewer domains than tasks, an option is out of range or has no meaning here, or a task is left empty.
    pub fn by_domain(&self, data: &DataSet, domains: Domains<'_>, seed: Seed) -> Result<SplitTasks, StreamError> {
        self.settings.check(false, false)?;
        let classes = self.common_classes(&data.class_names, seed)?;
        let dealt = self.dealt(domains, seed)?;
        let shares = (0..self.tasks).map(|index| Share {
            name: format!("domain {}", index + 1),
            head: shared_head(&classes),
            train: dealt.places(data.train.labels(), domains.train, &classes, index),
            test: dealt.places(data.test.labels(), domains.test, &classes, index),
            seed: seed.at("samples of domain", index).at("samples of task", 0),
        });
        self.finish(data, shares.collect(), self.train_samples_per_class, seed)
    }

    /// Class shift and domain shift at once: each device has classes and a head of its own, and sees them in domains of its
    /// own. A class that two devices share is in other domains for each.
    ///
    /// # Errors
    /// When there are not enough classes or domains, an option is out of range or has no meaning here, or a task is left
    /// empty.
    pub fn by_class_and_domain(
        &self,
        data: &DataSet,
        domains: Domains<'_>,
        seed: Seed,
    ) -> Result<SplitTasks, StreamError> {
        self.settings.check(true, false)?;
        let classes = self.classes(&data.class_names, self.tasks, seed)?;
        let dealt = self.dealt(domains, seed)?;
        let shares = classes.iter().enumerate().map(|(index, classes)| Share {
            name: task_name(data, classes),
            head: own_head(index, classes),
            train: dealt.places(data.train.labels(), domains.train, classes, index),
            test: dealt.places(data.test.labels(), domains.test, classes, index),
            seed: seed.at("samples of task", index),
        });
        self.finish(data, shares.collect(), self.train_samples_per_class, seed)
    }

    /// Domain shift with test samples of other domains than the devices': all devices learn the same classes through one
    /// head, each in domains of its own, and test samples are dealt in equal parts of every class, so that the mean over
    /// devices is the accuracy on all of them, up to parts that differ by one sample.
    ///
    /// `domains` are those of the training samples. They are dealt in turn, in the given order or shuffled by the seed.
    ///
    /// # Errors
    /// When there are fewer domains or test samples than tasks, an option is out of range or has no meaning here, or a task
    /// is left empty.
    pub fn by_training_domain(
        &self,
        data: &DataSet,
        domains: &[usize],
        order: Option<&[usize]>,
        seed: Seed,
    ) -> Result<SplitTasks, StreamError> {
        self.settings.check(false, false)?;
        let classes = self.common_classes(&data.class_names, seed)?;
        let dealt = match order {
            None => self.deal("domains", domains.to_vec(), seed)?,
            Some(order) => self.deal_in_order("domains", order.to_vec())?,
        };
        let test = places(data.test.labels(), &classes);
        let test = deal::in_turn(data.test.labels(), test, self.tasks, seed.of("test shares"));
        let shares = test.into_iter().enumerate().map(|(index, test)| Share {
            name: format!("domain {}", index + 1),
            head: shared_head(&classes),
            train: dealt.places(data.train.labels(), domains, &classes, index),
            test,
            seed: seed.at("samples of domain", index).at("samples of task", 0),
        });
        self.finish(data, shares.collect(), self.train_samples_per_class, seed)
    }

    /// The classes of a shift in which all devices have the same: the first ones of the order.
    pub(super) fn common_classes(&self, names: &[String], seed: Seed) -> Result<Vec<usize>, StreamError> {
        Ok(self.classes(names, 1, seed)?.remove(0))
    }

    /// The domains that have test samples, dealt to tasks.
    fn dealt(&self, domains: Domains<'_>, seed: Seed) -> Result<Dealt, StreamError> {
        let tested = domains.train.iter().copied().filter(|domain| domains.test.contains(domain));
        self.deal("domains with test samples", tested.collect(), seed)
    }

    /// Deals domains, each of which may be named more than once, in an order that the seed decides.
    fn deal(&self, what: &str, mut domains: Vec<usize>, seed: Seed) -> Result<Dealt, StreamError> {
        domains.sort_unstable();
        domains.dedup();
        domains.shuffle(&mut seed.of("domain order").random());
        self.deal_in_order(what, domains)
    }

    fn deal_in_order(&self, what: &str, order: Vec<usize>) -> Result<Dealt, StreamError> {
        if self.tasks == 0 || self.tasks > order.len() {
            return Err(StreamError::Option {
                option: "tasks",
                problem: format!("= {}, but the data have {} {what}", self.tasks, order.len()),
                accepted: format!("1 to {}", order.len()),
            });
        }
        Ok(Dealt { order, tasks: self.tasks })
    }
}

/// The head that all tasks of a shift share.
pub(super) fn shared_head(classes: &[usize]) -> HeadSpec {
    HeadSpec { name: "shared".to_owned(), classes: classes.to_vec() }
}

/// Domains in the order in which they are dealt to tasks, in turn.
struct Dealt {
    order: Vec<usize>,
    tasks: usize,
}

impl Dealt {
    /// The places of the samples of a task, of some classes; `of` is the domain of each sample.
    fn places(&self, labels: &[usize], of: &[usize], classes: &[usize], task: usize) -> Vec<usize> {
        let own = |domain: usize| {
            self.order.iter().position(|other| *other == domain).is_some_and(|place| place % self.tasks == task)
        };
        places(labels, classes).into_iter().filter(|place| own(of[*place])).collect()
    }
}
