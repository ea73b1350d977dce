//! The options that split a user's own samples over devices, by every split that there is.

use std::collections::BTreeMap;
use std::sync::Arc;

use alluvium_model::{InputShape, Seed};
use rand::seq::SliceRandom;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{DataPart, DataSet, Domains, Samples, Scenario, Split, SplitSettings, SplitTasks, StreamError, ValueType};

/// How the tasks of a user's own samples differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum TaskShift {
    /// Each device has its own classes.
    Class,
    /// All devices have the same classes, each in its own domains.
    Domain,
    /// Each device has its own classes, in its own domains.
    ClassAndDomain,
    /// All devices have the same classes, but differ in how often each occurs.
    LabelSkew,
}

/// How a user's own samples are split over devices. A stream flattens these options into its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct DataSplit {
    /// The fraction of each class's samples that is held out for testing if there are no test samples of their own. The seed
    /// draws them. The number is rounded; at least one sample is held out, and at least one is left. If devices have domains, it is
    /// the fraction of each class within each domain.
    #[schemars(range(min = 0.001, max = 0.999))]
    pub held_out: f64,
    /// The number of tasks. Each task is one device.
    #[schemars(range(min = 1, max = 1000))]
    pub tasks: usize,
    /// The number of classes of each task. If tasks have their own classes, `tasks` × `classes_per_task` may be the number of
    /// classes at most.
    #[schemars(range(min = 1, max = 100_000))]
    pub classes_per_task: usize,
    /// How the tasks differ. `class`: each task has its own classes and its own head. `domain`: all tasks have the same classes
    /// and one head, and each has its own domains. `class-and-domain`: both, with a head for each task. `label-skew`: all tasks
    /// have the same classes and one head, and differ in how often each class occurs.
    pub shift: TaskShift,
    /// The names of the classes, in the order in which tasks receive them. If tasks share their classes, these are the first
    /// `classes_per_task` of them. Absent: the seed shuffles the classes.
    #[schemars(length(min = 1, max = 100_000))]
    pub class_order: Option<Vec<String>>,
    /// The largest number of training samples of each class that a task gets; the seed draws them. Under label skew, the limit is
    /// for each class over all tasks. Absent: all.
    #[schemars(range(min = 1))]
    pub train_samples_per_class: Option<usize>,
    /// The options that all splits share.
    #[serde(flatten)]
    pub split: SplitSettings,
}

impl Default for DataSplit {
    fn default() -> Self {
        DataSplit {
            held_out: 0.2,
            tasks: 5,
            classes_per_task: 2,
            shift: TaskShift::Class,
            class_order: None,
            train_samples_per_class: None,
            split: SplitSettings::default(),
        }
    }
}

/// A part of a data set, and the domain of each of its samples, if they have some.
#[derive(Debug, Clone)]
pub struct SourcePart {
    /// The samples.
    pub samples: Arc<dyn DataPart>,
    /// The domain of each.
    pub domains: Option<Vec<usize>>,
}

impl DataSplit {
    /// The scenario of this shift.
    pub fn scenario(&self) -> Scenario {
        match self.shift {
            TaskShift::Class | TaskShift::ClassAndDomain => Scenario::ClassShift,
            TaskShift::Domain => Scenario::DomainShift,
            TaskShift::LabelSkew => Scenario::LabelSkew,
        }
    }

    /// The tasks of these samples. Without test samples of their own, some training samples are held out.
    ///
    /// # Errors
    /// When an option is out of range or does not fit the data, or samples lack the domains that the shift needs.
    pub fn tasks(
        &self,
        class_names: Vec<String>,
        train: SourcePart,
        test: Option<SourcePart>,
        seed: Seed,
    ) -> Result<SplitTasks, StreamError> {
        let (train, test) = match test {
            Some(test) => (train, test),
            None => {
                let (own, held_out) = self.hold_out(train.samples.labels(), train.domains.as_deref(), seed)?;
                (train.selected(own), train.selected(held_out))
            }
        };
        let data = DataSet::of_parts(class_names, train.samples, test.samples);
        let split = Split {
            tasks: self.tasks,
            classes_per_task: self.classes_per_task,
            class_order: self.class_order.clone(),
            train_samples_per_class: self.train_samples_per_class,
            settings: self.split.clone(),
        };
        let domains = match (self.shift, &train.domains, &test.domains) {
            (TaskShift::Class, ..) => return split.by_class(&data, seed),
            (TaskShift::LabelSkew, ..) => return split.by_label(&data, seed),
            (TaskShift::Domain, Some(train), None) => return split.by_training_domain(&data, train, None, seed),
            (_, Some(train), Some(test)) => Domains { train, test },
            (_, train, _) => {
                let part = if train.is_none() { "the samples have no domains" } else { "test samples have no domains" };
                let name = if self.shift == TaskShift::Domain { "domain" } else { "class-and-domain" };
                return Err(StreamError::Option {
                    option: "shift",
                    problem: format!("= \"{name}\", but {part}"),
                    accepted: "class or label-skew; or name the samples' domains".to_owned(),
                });
            }
        };
        match self.shift {
            TaskShift::ClassAndDomain => split.by_class_and_domain(&data, domains, seed),
            _ => split.by_domain(&data, domains, seed),
        }
    }
}

impl DataSplit {
    /// Divides samples with these labels into training and test samples, as ascending indices. `held_out` of each class, rounded,
    /// is for testing: at least one sample, and at least one is left. A class of one sample has no test samples. If devices have
    /// domains, this holds for each class within each domain.
    ///
    /// # Errors
    /// When `held_out` is out of range.
    pub fn hold_out(
        &self,
        labels: &[usize],
        domains: Option<&[usize]>,
        seed: Seed,
    ) -> Result<(Vec<usize>, Vec<usize>), StreamError> {
        if !(self.held_out > 0.0 && self.held_out < 1.0) {
            let (problem, accepted) = (format!("= {}", self.held_out), "a number above 0 and below 1".to_owned());
            return Err(StreamError::Option { option: "held_out", problem, accepted });
        }
        let seed = seed.of("held out");
        let domains = domains.filter(|_| matches!(self.shift, TaskShift::Domain | TaskShift::ClassAndDomain));
        let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (index, class) in labels.iter().enumerate() {
            groups.entry((*class, domains.map(|domains| domains[index]))).or_default().push(index);
        }
        let (mut train, mut test) = (vec![], vec![]);
        for ((class, domain), mut indices) in groups {
            let of_class = seed.at("class", class);
            indices.shuffle(&mut domain.map_or(of_class, |domain| of_class.at("domain", domain)).random());
            let count = (self.held_out * indices.len() as f64).round() as usize;
            let count = count.max(1).min(indices.len().saturating_sub(1));
            train.extend(indices.split_off(count));
            test.extend(indices);
        }
        train.sort_unstable();
        test.sort_unstable();
        Ok((train, test))
    }
}

impl SourcePart {
    /// The samples with these indices.
    fn selected(&self, indices: Vec<usize>) -> SourcePart {
        let domains = self.domains.as_ref().map(|own| indices.iter().map(|index| own[*index]).collect());
        SourcePart { samples: Arc::new(SelectedPart::new(Arc::clone(&self.samples), indices)), domains }
    }
}

/// Some samples of a part.
#[derive(Debug)]
struct SelectedPart {
    part: Arc<dyn DataPart>,
    indices: Vec<usize>,
    labels: Vec<usize>,
}

impl SelectedPart {
    fn new(part: Arc<dyn DataPart>, indices: Vec<usize>) -> Self {
        let labels = indices.iter().map(|index| part.labels()[*index]).collect();
        SelectedPart { part, indices, labels }
    }
}

impl DataPart for SelectedPart {
    fn input(&self) -> InputShape {
        self.part.input()
    }

    fn value_type(&self) -> ValueType {
        self.part.value_type()
    }

    fn labels(&self) -> &[usize] {
        &self.labels
    }

    fn read(&self, indices: &[usize]) -> Result<Samples, StreamError> {
        self.part.read(&indices.iter().map(|index| self.indices[*index]).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TaskStream;

    /// 20 samples of one number, their index; two classes and four domains.
    fn source(domains: bool) -> SourcePart {
        let numbers = (0..20).map(|index| index as f32).collect();
        let samples = Samples::of_numbers([1].into(), numbers, (0..20).map(|index| index % 2).collect());
        let domains = domains.then(|| (0..20).map(|index| index / 5).collect());
        SourcePart { samples: Arc::new(samples), domains }
    }

    fn split(shift: TaskShift, classes_per_task: usize) -> DataSplit {
        DataSplit { shift, tasks: 2, classes_per_task, ..DataSplit::default() }
    }

    fn names() -> Vec<String> {
        vec!["even".to_owned(), "odd".to_owned()]
    }

    #[test]
    fn held_out_samples_are_a_fraction_of_each_class_and_no_training_samples() {
        let source = source(true);
        let split = DataSplit { held_out: 0.3, ..DataSplit::default() };
        let (train, test) = split.hold_out(source.samples.labels(), None, Seed::new(1)).unwrap();
        let (train, test) = (source.selected(train), source.selected(test));
        let numbers = |part: &SourcePart| {
            let samples = part.samples.read(&(0..part.samples.labels().len()).collect::<Vec<_>>()).unwrap();
            (0..samples.len()).map(|index| samples.numbers(index)[0] as usize).collect::<Vec<_>>()
        };
        // Three of ten of each class.
        assert_eq!(test.samples.labels().iter().filter(|label| **label == 0).count(), 3);
        assert_eq!((train.samples.labels().len(), test.samples.labels().len()), (14, 6));
        for part in [&train, &test] {
            let domains = numbers(part).iter().map(|number| number / 5).collect::<Vec<_>>();
            assert_eq!(part.domains.as_ref(), Some(&domains));
        }
        let mut all = [numbers(&train), numbers(&test)].concat();
        all.sort_unstable();
        assert_eq!(all, (0..20).collect::<Vec<_>>());
    }

    #[test]
    fn every_shift_makes_tasks_of_numbers() {
        for (shift, classes) in
            [(TaskShift::Class, 1), (TaskShift::Domain, 2), (TaskShift::ClassAndDomain, 1), (TaskShift::LabelSkew, 2)]
        {
            let split = split(shift, classes);
            let tasks = split.tasks(names(), source(true), None, Seed::new(0)).unwrap();
            assert_eq!((tasks.tasks(), tasks.value_type()), (2, ValueType::Numbers));
            let task = tasks.task(1).unwrap();
            assert!(!task.train.is_empty() && !task.test.is_empty());
        }
        // Test samples without domains are divided over the devices.
        let (train, test) = (source(true), source(false));
        assert!(split(TaskShift::Domain, 2).tasks(names(), train, Some(test), Seed::new(0)).is_ok());
    }

    #[test]
    fn missing_domains_and_a_wrong_fraction_say_what_is_accepted() {
        let error = |split: DataSplit| split.tasks(names(), source(false), None, Seed::new(0)).unwrap_err().to_string();
        let missing = error(split(TaskShift::Domain, 2));
        assert!(
            missing.contains("`shift` = \"domain\", but the samples have no domains; accepted: class"),
            "{missing}"
        );
        let wrong = error(DataSplit { held_out: 1.0, ..split(TaskShift::Class, 1) });
        assert!(wrong.contains("`held_out` = 1"), "{wrong}");
    }
}
