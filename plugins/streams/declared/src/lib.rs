//! The `declared` stream: tasks by their names and classes. It has no samples: those are with devices elsewhere.

use std::collections::BTreeMap;

use alluvium_model::HeadSpec;
use alluvium_stream::{
    InputShape, Samples, Scenario, Seed, StreamConfig, StreamError, Task, TaskOutline, TaskStream, options, plugin,
};
use serde_json::Value;

/// Tasks of which only the names and classes are known, for a centre whose operator has no samples at all.
///
/// The devices have the samples, each its own. Nobody but them can judge: the accuracy of an expert is what its device reports, or
/// blank, and that of the central model is blank. Only for a centre that is driven from outside (Python's `Centre`, and devices on
/// Flower): devices in this process would have nothing to learn.
#[options]
#[derive(PartialEq)]
pub struct DeclaredConfig {
    /// The sizes of one input, such as `[1, 28, 28]` for a picture (channels, height, width).
    #[schemars(length(min = 1, max = 4), inner(range(min = 1)))]
    #[default(vec![1, 28, 28])]
    pub input: Vec<usize>,
    /// The names of each task's classes, by the name of the task: `tasks = { "ward 1" = ["well", "ill"] }`. A class that two tasks name
    /// is one class. At least one task must be given.
    pub tasks: BTreeMap<String, Vec<String>>,
    /// The order of the tasks in tables: their names. Those that are left out follow in alphabetical order.
    pub order: Vec<String>,
    /// Whether all tasks share one head. Their classes must be the same then.
    pub shared_head: bool,
}

#[plugin(kind = "declared")]
impl StreamConfig for DeclaredConfig {
    fn scenario(&self) -> Scenario {
        if self.shared_head { Scenario::DomainShift } else { Scenario::ClassShift }
    }

    fn holds_samples(&self) -> bool {
        false
    }

    fn build(&self, _seed: Seed) -> Result<Box<dyn TaskStream>, StreamError> {
        let sizes = Value::from(self.input.clone());
        let input: InputShape = serde_json::from_value(sizes)
            .map_err(|error| wrong("input", format!("= {:?}: {error}", self.input), "the sizes of one input"))?;
        if self.tasks.is_empty() {
            return Err(wrong("tasks", "is empty".to_owned(), "at least one name with its classes"));
        }
        let mut class_names: Vec<String> = vec![];
        let mut tasks = vec![];
        for (index, name) in self.ordered()?.into_iter().enumerate() {
            let names = &self.tasks[name];
            let twice = names.iter().enumerate().find(|(place, class)| names[..*place].contains(class));
            if names.len() < 2 || twice.is_some() {
                let problem = format!("gives \"{name}\" the classes {names:?}");
                return Err(wrong("tasks", problem, "two classes or more, each once"));
            }
            let number = |class: &String| {
                class_names.iter().position(|known| known == class).unwrap_or_else(|| {
                    class_names.push(class.clone());
                    class_names.len() - 1
                })
            };
            let classes: Vec<_> = names.iter().map(number).collect();
            let head = if self.shared_head { "shared".to_owned() } else { format!("task-{}", index + 1) };
            tasks.push((name.clone(), HeadSpec { name: head, classes }));
        }
        if let Some((name, head)) = tasks.iter().find(|(_, head)| self.shared_head && *head != tasks[0].1) {
            let (first, other) = (&tasks[0].0, head.classes.len());
            let problem =
                format!("is true, but \"{name}\" has other classes ({other}) or another order than \"{first}\"");
            return Err(wrong("shared_head", problem, "the same classes in the same order for all tasks"));
        }
        Ok(Box::new(Declared { input, class_names, tasks }))
    }
}

impl DeclaredConfig {
    /// The names of the tasks in their order.
    fn ordered(&self) -> Result<Vec<&String>, StreamError> {
        for (place, name) in self.order.iter().enumerate() {
            if !self.tasks.contains_key(name) || self.order[..place].contains(name) {
                let names: Vec<_> = self.tasks.keys().map(|name| format!("\"{name}\"")).collect();
                let problem = format!("names \"{name}\", which is no task or stands there twice");
                return Err(wrong("order", problem, &names.join(", ")));
            }
        }
        let others = self.tasks.keys().filter(|name| !self.order.contains(name));
        Ok(self.order.iter().chain(others).collect())
    }
}

fn wrong(option: &'static str, problem: String, accepted: &str) -> StreamError {
    StreamError::Option { option, problem, accepted: accepted.to_owned() }
}

/// The tasks.
#[derive(Debug)]
struct Declared {
    input: InputShape,
    class_names: Vec<String>,
    tasks: Vec<(String, HeadSpec)>,
}

impl TaskStream for Declared {
    fn input(&self) -> InputShape {
        self.input
    }

    fn class_names(&self) -> &[String] {
        &self.class_names
    }

    fn tasks(&self) -> usize {
        self.tasks.len()
    }

    fn task(&self, index: usize) -> Result<Task, StreamError> {
        let TaskOutline { name, .. } = self.outline(index)?;
        let problem = format!(
            "the stream \"declared\" has no samples of the task \"{name}\"; accepted: a centre that is driven from outside, whose \
             devices have them"
        );
        Err(StreamError::Own(problem.into()))
    }

    fn outline(&self, index: usize) -> Result<TaskOutline, StreamError> {
        let missing = StreamError::NoSuchTask { index, tasks: self.tasks.len() };
        let (name, head) = self.tasks.get(index).cloned().ok_or(missing)?;
        Ok(TaskOutline { index, name, head, test: Samples::new(self.input) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wards(tasks: &[(&str, &[&str])]) -> DeclaredConfig {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let tasks = tasks.iter().map(|(name, classes)| ((*name).to_owned(), owned(classes))).collect();
        DeclaredConfig { input: vec![3], tasks, ..DeclaredConfig::default() }
    }

    fn error(config: &DeclaredConfig) -> String {
        config.build(Seed::new(0)).expect_err("a wrong option").to_string()
    }

    #[test]
    fn tasks_have_names_and_classes_and_no_samples() {
        let order = vec!["b".to_owned()];
        let config = DeclaredConfig { order, ..wards(&[("a", &["well", "ill"]), ("b", &["ill", "dead"])]) };
        let stream = config.build(Seed::new(0)).unwrap();
        assert_eq!(stream.class_names(), ["ill", "dead", "well"]);
        let outlines: Vec<_> = (0..2).map(|index| stream.outline(index).unwrap()).collect();
        assert_eq!((outlines[0].name.as_str(), &outlines[0].head.classes), ("b", &vec![0, 1]));
        assert_eq!((outlines[1].head.name.as_str(), &outlines[1].head.classes), ("task-2", &vec![2, 0]));
        assert!(outlines.iter().all(|outline| outline.test.is_empty()));
        let message = stream.task(0).unwrap_err().to_string();
        assert!(message.contains("no samples of the task \"b\""), "{message}");
        assert!(!config.holds_samples() && config.scenario() == Scenario::ClassShift);
    }

    #[test]
    fn what_cannot_be_is_said() {
        assert!(error(&wards(&[])).contains("`tasks` is empty"));
        assert!(error(&wards(&[("a", &["one"])])).contains("two classes or more"));
        assert!(error(&wards(&[("a", &["one", "one"])])).contains("each once"));
        let order = vec!["c".to_owned()];
        assert!(error(&DeclaredConfig { order, ..wards(&[("a", &["x", "y"])]) }).contains("names \"c\""));
        let shared = wards(&[("a", &["x", "y"]), ("b", &["y", "x"])]);
        assert!(error(&DeclaredConfig { shared_head: true, ..shared }).contains("the same classes"));
        assert!(error(&DeclaredConfig { input: vec![], ..wards(&[("a", &["x", "y"])]) }).contains("`input`"));
    }
}
