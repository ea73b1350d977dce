//! Splitting one data set over the devices of a stream: by class or by domain.

use alluvium_model::{HeadSpec, Seed};
use rand::seq::SliceRandom;

use crate::{DataSet, Samples, StreamError, Task, Tasks};

/// Class shift: each device gets classes of its own.
#[derive(Debug, Clone)]
pub struct ClassSplit {
    /// How many tasks.
    pub tasks: usize,
    /// How many classes each of them has.
    pub classes_per_task: usize,
    /// The order in which classes are dealt to tasks, by name; `None`: shuffled by the seed.
    pub class_order: Option<Vec<String>>,
    /// At most so many training samples of each class, drawn by the seed; `None`: all.
    pub train_samples_per_class: Option<usize>,
}

impl ClassSplit {
    /// Splits a data set.
    ///
    /// # Errors
    /// When there are not enough classes, the order names an unknown class or one twice, or a task is left empty.
    pub fn split(&self, data: &DataSet, seed: Seed) -> Result<Tasks, StreamError> {
        let order = self.order(&data.class_names, seed)?;
        let tasks = order.chunks(self.classes_per_task).take(self.tasks).enumerate().map(|(index, classes)| {
            let names: Vec<_> = classes.iter().map(|class| data.class_names[*class].as_str()).collect();
            let train = places(&data.train, classes);
            Task {
                index,
                name: names.join(" "),
                head: HeadSpec { name: format!("task-{}", index + 1), classes: classes.to_vec() },
                train: data.train.select(self.limited(&data.train, train, seed.at("samples of task", index))),
                test: data.test.select(places(&data.test, classes)),
            }
        });
        let tasks = tasks.collect();
        Tasks::new(data.input(), data.class_names.clone(), tasks)
    }

    fn order(&self, names: &[String], seed: Seed) -> Result<Vec<usize>, StreamError> {
        let needed = self.tasks * self.classes_per_task;
        if self.tasks == 0 || self.classes_per_task == 0 || needed > names.len() {
            return Err(StreamError::Option {
                option: "classes_per_task",
                problem: format!("× `tasks` = {needed} classes, but the data have {}", names.len()),
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

    fn limited(&self, samples: &Samples, mut places: Vec<usize>, seed: Seed) -> Vec<usize> {
        let Some(most) = self.train_samples_per_class else { return places };
        places.shuffle(&mut seed.random());
        let mut taken = std::collections::BTreeMap::<usize, usize>::new();
        places.retain(|place| {
            let count = taken.entry(samples.labels()[*place]).or_default();
            *count += 1;
            *count <= most
        });
        places.sort_unstable();
        places
    }
}

/// The places of all samples of some classes.
fn places(samples: &Samples, classes: &[usize]) -> Vec<usize> {
    (0..samples.len()).filter(|place| classes.contains(&samples.labels()[*place])).collect()
}

/// Domain shift: all devices learn the same classes, each in domains of its own.
#[derive(Debug, Clone)]
pub struct DomainSplit {
    /// How many tasks.
    pub tasks: usize,
    /// The classes that all of them learn.
    pub classes: Vec<usize>,
}

impl DomainSplit {
    /// Splits samples whose domain is known: each domain goes to one device, whole.
    ///
    /// `train_domains` and `test_domains` say the domain of each sample. Domains are shuffled by the seed and dealt in
    /// turn, so that devices have about as many.
    ///
    /// # Errors
    /// When there are fewer domains than tasks, or a device would be left without samples.
    pub fn split(
        &self,
        data: &DataSet,
        train_domains: &[usize],
        test_domains: &[usize],
        seed: Seed,
    ) -> Result<Tasks, StreamError> {
        let mut domains: Vec<_> =
            train_domains.iter().copied().filter(|domain| test_domains.contains(domain)).collect();
        domains.sort_unstable();
        domains.dedup();
        if self.tasks == 0 || self.tasks > domains.len() {
            return Err(StreamError::Option {
                option: "tasks",
                problem: format!("= {}, but the data have {} domains with test samples", self.tasks, domains.len()),
                accepted: format!("1 to {}", domains.len()),
            });
        }
        domains.shuffle(&mut seed.of("domain order").random());
        let own = |index: usize, domain: usize| {
            domains.iter().position(|other| *other == domain).is_some_and(|place| place % self.tasks == index)
        };
        let of_task = |samples: &Samples, of: &[usize], index: usize| {
            let places = places(samples, &self.classes);
            samples.select(places.into_iter().filter(|place| own(index, of[*place])))
        };
        let tasks = (0..self.tasks).map(|index| Task {
            index,
            name: format!("domain {}", index + 1),
            head: HeadSpec { name: "shared".to_owned(), classes: self.classes.clone() },
            train: of_task(&data.train, train_domains, index),
            test: of_task(&data.test, test_domains, index),
        });
        Tasks::new(data.input(), data.class_names.clone(), tasks.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TaskStream;

    /// Four classes, five training samples and one test sample of each.
    fn data() -> DataSet {
        let mut train = Samples::new([1, 1, 1].into());
        let mut test = train.clone();
        for class in 0..4 {
            (0..5).for_each(|place| train.push(&[10 * class as u8 + place], class));
            test.push(&[10 * class as u8], class);
        }
        DataSet { class_names: ["a", "b", "c", "d"].map(str::to_owned).to_vec(), train, test }
    }

    fn split(tasks: usize, classes_per_task: usize) -> ClassSplit {
        ClassSplit { tasks, classes_per_task, class_order: None, train_samples_per_class: None }
    }

    #[test]
    fn every_class_goes_to_one_task() {
        let stream = split(2, 2).split(&data(), Seed::new(3)).unwrap();
        let mut classes: Vec<_> = stream.tasks.iter().flat_map(|task| task.head.classes.clone()).collect();
        classes.sort_unstable();
        assert_eq!(classes, [0, 1, 2, 3]);
        for task in &stream.tasks {
            assert_eq!((task.train.len(), task.test.len()), (10, 2));
            assert!(task.train.labels().iter().all(|label| task.head.classes.contains(label)));
        }
    }

    #[test]
    fn the_order_is_the_seeds_or_the_given_one() {
        let order = |seed| {
            split(4, 1)
                .split(&data(), Seed::new(seed))
                .unwrap()
                .tasks
                .iter()
                .map(|t| t.name.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(order(1), order(1));
        assert!((2..20).any(|seed| order(seed) != order(1)));
        let given = ClassSplit { class_order: Some(["d", "b"].map(str::to_owned).to_vec()), ..split(2, 1) };
        let stream = given.split(&data(), Seed::new(0)).unwrap();
        assert_eq!(stream.tasks.iter().map(|task| task.name.as_str()).collect::<Vec<_>>(), ["d", "b"]);
    }

    #[test]
    fn training_samples_are_limited_by_class() {
        let limited = ClassSplit { train_samples_per_class: Some(2), ..split(2, 2) };
        let stream = limited.split(&data(), Seed::new(0)).unwrap();
        assert!(stream.tasks.iter().all(|task| task.train.len() == 4));
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        let error = split(3, 2).split(&data(), Seed::new(0)).unwrap_err().to_string();
        assert!(error.contains("6 classes, but the data have 4"), "{error}");
        let twice = ClassSplit { class_order: Some(["d", "d"].map(str::to_owned).to_vec()), ..split(2, 1) };
        assert!(twice.split(&data(), Seed::new(0)).unwrap_err().to_string().contains("\"d\" twice"));
        let mut without_test = data();
        without_test.test = Samples::new([1, 1, 1].into());
        let error = split(2, 2).split(&without_test, Seed::new(0)).unwrap_err().to_string();
        assert!(error.contains("no test samples"), "{error}");
    }

    #[test]
    fn domains_stay_whole() {
        let data = data();
        let train_domains: Vec<_> = (0..data.train.len()).map(|place| place % 5).collect();
        let test_domains = vec![0, 1, 2, 3];
        let split = DomainSplit { tasks: 2, classes: vec![0, 1, 2, 3] };
        let stream = split.split(&data, &train_domains, &test_domains, Seed::new(0)).unwrap();
        assert_eq!(stream.tasks(), 2);
        // Four domains have test samples, two go to each device: 2 domains × 4 classes.
        assert!(stream.tasks.iter().all(|task| task.train.len() == 8 && task.head.name == "shared"));
    }
}
