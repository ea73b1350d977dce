//! Domain shift: each device has its own domains. Class shift can be added.

use alluvium_model::{HeadSpec, Seed};
use rand::seq::SliceRandom;

use super::class::{own_head, task_name};
use super::{Share, Split, deal, indices_of};
use crate::{DataSet, SplitTasks, StreamError};

/// The domain of each sample of a data set. Domains are arbitrary numbers.
#[derive(Debug, Clone, Copy)]
pub struct Domains<'a> {
    /// The domains of the training samples.
    pub train: &'a [usize],
    /// The domains of the test samples.
    pub test: &'a [usize],
}

impl Split {
    /// Domain shift: all devices learn the same classes through one head, each in its own domains. All samples of a
    /// domain go to one device.
    ///
    /// The seed shuffles the domains, and devices receive them in turn, so their numbers of domains differ by at most
    /// one.
    ///
    /// # Errors
    /// When there are fewer domains than tasks, an option is out of range or does not apply, or a task has no samples.
    pub fn by_domain(&self, data: &DataSet, domains: Domains<'_>, seed: Seed) -> Result<SplitTasks, StreamError> {
        self.of_domains(data, domains, &self.dealt(domains, seed)?, seed)
    }

    /// The same with domains in a given order: devices receive them in turn. Samples of a domain that is not in `order` go to no
    /// device.
    ///
    /// # Errors
    /// As [`by_domain`](Self::by_domain).
    pub fn by_domain_in_order(
        &self,
        data: &DataSet,
        domains: Domains<'_>,
        order: Vec<usize>,
        seed: Seed,
    ) -> Result<SplitTasks, StreamError> {
        self.of_domains(data, domains, &self.deal_in_order("domains", order)?, seed)
    }

    fn of_domains(
        &self,
        data: &DataSet,
        domains: Domains<'_>,
        dealt: &DomainAssignment,
        seed: Seed,
    ) -> Result<SplitTasks, StreamError> {
        self.settings.check(false, false)?;
        let classes = self.common_classes(&data.class_names, seed)?;
        let shares = (0..self.tasks).map(|index| Share {
            name: format!("domain {}", index + 1),
            head: shared_head(&classes),
            train: dealt.indices_of(data.train.labels(), domains.train, &classes, index),
            test: dealt.indices_of(data.test.labels(), domains.test, &classes, index),
            seed: seed.at("samples of domain", index).at("samples of task", 0),
        });
        self.finish(data, shares.collect(), self.train_samples_per_class, seed)
    }

    /// Class shift and domain shift at once: each device has its own classes and its own head, and sees the classes in
    /// its own domains. Two devices that share a class see it in different domains.
    ///
    /// # Errors
    /// When there are not enough classes or domains, an option is out of range or does not apply, or a task has no
    /// samples.
    pub fn by_class_and_domain(
        &self,
        data: &DataSet,
        domains: Domains<'_>,
        seed: Seed,
    ) -> Result<SplitTasks, StreamError> {
        self.of_classes_and_domains(data, domains, &self.dealt(domains, seed)?, seed)
    }

    /// The same with domains in a given order: devices receive them in turn. Samples of a domain that is not in `order` go to no
    /// device.
    ///
    /// # Errors
    /// As [`by_class_and_domain`](Self::by_class_and_domain).
    pub fn by_class_and_domain_in_order(
        &self,
        data: &DataSet,
        domains: Domains<'_>,
        order: Vec<usize>,
        seed: Seed,
    ) -> Result<SplitTasks, StreamError> {
        self.of_classes_and_domains(data, domains, &self.deal_in_order("domains", order)?, seed)
    }

    fn of_classes_and_domains(
        &self,
        data: &DataSet,
        domains: Domains<'_>,
        dealt: &DomainAssignment,
        seed: Seed,
    ) -> Result<SplitTasks, StreamError> {
        self.settings.check(true, false)?;
        let classes = self.classes(&data.class_names, self.tasks, seed)?;
        let shares = classes.iter().enumerate().map(|(index, classes)| Share {
            name: task_name(data, classes),
            head: own_head(index, classes),
            train: dealt.indices_of(data.train.labels(), domains.train, classes, index),
            test: dealt.indices_of(data.test.labels(), domains.test, classes, index),
            seed: seed.at("samples of task", index),
        });
        self.finish(data, shares.collect(), self.train_samples_per_class, seed)
    }

    /// Domain shift with test samples from other domains than the training samples. All devices learn the same classes
    /// through one head, each in its own domains. The test samples of every class are divided equally. So the mean over
    /// devices is the accuracy on all test samples, except that numbers of samples may differ by one.
    ///
    /// `domains` are those of the training samples. Devices receive them in turn, in the given order or shuffled by the
    /// seed.
    ///
    /// # Errors
    /// When there are fewer domains or test samples than tasks, an option is out of range or does not apply, or a task
    /// has no samples.
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
        let test = indices_of(data.test.labels(), &classes);
        let test = deal::in_turn(data.test.labels(), test, self.tasks, seed.of("test shares"));
        let shares = test.into_iter().enumerate().map(|(index, test)| Share {
            name: format!("domain {}", index + 1),
            head: shared_head(&classes),
            train: dealt.indices_of(data.train.labels(), domains, &classes, index),
            test,
            seed: seed.at("samples of domain", index).at("samples of task", 0),
        });
        self.finish(data, shares.collect(), self.train_samples_per_class, seed)
    }

    /// The classes that all devices have: the first ones of the order.
    pub(super) fn common_classes(&self, names: &[String], seed: Seed) -> Result<Vec<usize>, StreamError> {
        Ok(self.classes(names, 1, seed)?.remove(0))
    }

    /// Deals the domains that have test samples to tasks.
    fn dealt(&self, domains: Domains<'_>, seed: Seed) -> Result<DomainAssignment, StreamError> {
        let tested = domains.train.iter().copied().filter(|domain| domains.test.contains(domain));
        self.deal("domains with test samples", tested.collect(), seed)
    }

    /// Deals domains to tasks in an order that the seed decides. `domains` may repeat a domain.
    fn deal(&self, what: &str, mut domains: Vec<usize>, seed: Seed) -> Result<DomainAssignment, StreamError> {
        domains.sort_unstable();
        domains.dedup();
        domains.shuffle(&mut seed.of("domain order").random());
        self.deal_in_order(what, domains)
    }

    fn deal_in_order(&self, what: &str, order: Vec<usize>) -> Result<DomainAssignment, StreamError> {
        if self.tasks == 0 || self.tasks > order.len() {
            return Err(StreamError::Option {
                option: "tasks",
                problem: format!("= {}, but the data have {} {what}", self.tasks, order.len()),
                accepted: format!("1 to {}", order.len()),
            });
        }
        Ok(DomainAssignment { order, tasks: self.tasks })
    }
}

/// The head that all tasks share.
pub(super) fn shared_head(classes: &[usize]) -> HeadSpec {
    HeadSpec { name: "shared".to_owned(), classes: classes.to_vec() }
}

/// Domains in the order in which tasks receive them, in turn.
struct DomainAssignment {
    order: Vec<usize>,
    tasks: usize,
}

impl DomainAssignment {
    /// The indices of a task's samples of some classes; `of` is the domain of each sample.
    fn indices_of(&self, labels: &[usize], of: &[usize], classes: &[usize], task: usize) -> Vec<usize> {
        let own = |domain: usize| {
            self.order.iter().position(|other| *other == domain).is_some_and(|turn| turn % self.tasks == task)
        };
        indices_of(labels, classes).into_iter().filter(|index| own(of[*index])).collect()
    }
}
