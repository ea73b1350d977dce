//! Tests of the stream on parts whose images are their labels.

use std::collections::BTreeSet;

use alluvium_model::HeadSpec;
use alluvium_stream::{InputShape, Samples, Scenario, Task, Tasks, options, plugin};
use serde_json::json;

use super::*;

/// A test double: tasks of two classes. An image is its class, plus an offset by the seed.
#[options]
struct PlainConfig {
    /// The number of tasks.
    #[schemars(range(min = 1, max = 9))]
    #[default(2)]
    tasks: usize,
    /// The width of an image.
    #[default(1)]
    width: usize,
    /// The first letter of the classes' names.
    #[default("x".to_owned())]
    letter: String,
    /// The file that the stream reports.
    #[default("plain.gz".into())]
    file: PathBuf,
}

#[plugin(kind = "conformance-plain")]
impl StreamConfig for PlainConfig {
    fn scenario(&self) -> Scenario {
        Scenario::DomainShift
    }

    fn build(&self, seed: Seed) -> Result<Box<dyn TaskStream>, StreamError> {
        if self.letter.is_empty() {
            let (problem, accepted) = ("is empty".to_owned(), "a letter".to_owned());
            return Err(StreamError::Option { option: "letter", problem, accepted });
        }
        let input = InputShape::from([1, 1, self.width]);
        let shade = if seed == Seed::new(0).at("stream", 1) { 100 } else { 0 };
        let task = |index: usize| {
            let mut train = Samples::new(input);
            for class in [2 * index, 2 * index + 1] {
                train.push(&vec![shade + class as u8; self.width], class);
            }
            let head = HeadSpec { name: "own".to_owned(), classes: vec![2 * index, 2 * index + 1] };
            Task { index, name: format!("{} {index}", self.letter), head, test: train.clone(), train }
        };
        let names = (0..2 * self.tasks).map(|class| format!("{}{class}", self.letter));
        Ok(Box::new(Tasks::new(input, names.collect(), (0..self.tasks).map(task).collect())?))
    }

    fn files(&self) -> Vec<PathBuf> {
        vec![self.file.clone()]
    }
}

fn config(tables: &[Value]) -> MixedConfig {
    let streams = tables.iter().filter_map(Value::as_object).cloned().collect();
    MixedConfig { streams, ..Default::default() }
}

fn tasks(config: &MixedConfig) -> Vec<Task> {
    let stream = config.build(Seed::new(0)).unwrap();
    (0..stream.tasks()).map(|index| stream.task(index).unwrap()).collect()
}

#[test]
fn tasks_come_in_turn_with_classes_and_heads_of_their_own() {
    let config = config(&[
        json!({"kind": "conformance-plain", "tasks": 1, "letter": "a"}),
        json!({"kind": "conformance-plain", "letter": "b"}),
    ]);
    let tasks = tasks(&config);
    assert_eq!(tasks.iter().map(|task| task.name.as_str()).collect::<Vec<_>>(), ["a 0", "b 0", "b 1"]);
    assert_eq!(tasks.iter().map(|task| task.index).collect::<Vec<_>>(), [0, 1, 2]);
    let heads: Vec<_> = tasks.iter().map(|task| (task.head.name.as_str(), task.head.classes.clone())).collect();
    let expected = [("stream-1-own", vec![0, 1]), ("stream-2-own", vec![2, 3]), ("stream-2-own", vec![4, 5])];
    assert_eq!(heads, expected);
    // The second stream has its own seed, which adds 100 to its shades. Its class 0 is the class 2 here.
    assert_eq!((tasks[2].train.labels(), tasks[2].train.image(1)), (&[4, 5][..], &[103][..]));
    assert_eq!(tasks[1].test.labels(), [2, 3]);
    let stream = config.build(Seed::new(0)).unwrap();
    assert_eq!(stream.class_names(), ["a0", "a1", "b0", "b1", "b2", "b3"]);
    assert_eq!((stream.tasks(), stream.input(), config.scenario()), (3, [1, 1, 1].into(), Scenario::ClassShift));
    assert!(stream.task(3).unwrap_err().to_string().contains("3 tasks; there is no task number 3"));
}

#[test]
fn the_order_is_the_given_one() {
    let tables = [json!({"kind": "conformance-plain", "tasks": 3}), json!({"kind": "conformance-plain", "tasks": 2})];
    let heads = |order| {
        let tasks = tasks(&MixedConfig { order, ..config(&tables) });
        tasks.into_iter().map(|task| (task.head.name, task.head.classes)).collect::<Vec<_>>()
    };
    let after = heads(Order::OneAfterAnother);
    assert_eq!(after.iter().map(|(_, classes)| classes[0]).collect::<Vec<_>>(), [0, 2, 4, 6, 8]);
    let shuffled = heads(Order::Shuffled);
    assert_eq!(shuffled.iter().collect::<BTreeSet<_>>(), after.iter().collect());
}

#[test]
fn names_in_common_have_a_prefix() {
    let stream = config(&[json!({"kind": "conformance-plain", "tasks": 1}), json!({"kind": "conformance-plain"})]);
    let stream = stream.build(Seed::new(0)).unwrap();
    let first = "conformance-plain 1: x0";
    assert_eq!((stream.class_names()[0].as_str(), stream.class_names()[5].as_str()), (first, "x3"));
}

#[test]
fn a_mixed_stream_within_another_is_a_stream() {
    let inner = json!({"kind": "mixed", "streams": [{"kind": "conformance-plain"}]});
    let config = config(&[inner, json!({"kind": "conformance-plain", "letter": "b", "file": "b.gz"})]);
    assert_eq!(tasks(&config)[0].head.name, "stream-1-stream-1-own");
    assert_eq!(config.kinds(), ["conformance-plain"]);
    assert_eq!(config.files(), [PathBuf::from("b.gz"), PathBuf::from("plain.gz")]);
}

#[test]
fn errors_name_the_stream() {
    let right = json!({"kind": "conformance-plain"});
    let cases = [
        (vec![], "`streams` does not name a stream; accepted: at least one table [[stream.streams]]"),
        (vec![right.clone(), json!({"tasks": 2})], "`streams` number 2 names no `kind`; accepted: one of the kinds"),
        (vec![json!({"kind": "none"})], "number 1 names the unknown kind \"none\""),
        (
            vec![right.clone(), json!({"kind": "conformance-plain", "tasks": 0})],
            "number 2 (conformance-plain) is wrong: `tasks` = 0 is out of range; accepted: an integer at least 1 and",
        ),
        (
            vec![json!({"kind": "conformance-plain", "task": 1})],
            "number 1 (conformance-plain) is wrong: `task` is not a key",
        ),
        (
            vec![right.clone(), json!({"kind": "conformance-plain", "letter": ""})],
            "number 2 (conformance-plain) cannot be built: `letter` is empty; accepted: a letter",
        ),
        (
            vec![right, json!({"kind": "conformance-plain", "width": 3})],
            "have inputs of different shapes (conformance-plain 1×1×1, conformance-plain 1×1×3)",
        ),
    ];
    for (tables, expected) in cases {
        let error = config(&tables).build(Seed::new(0)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(MixedConfig::default().files(), Vec::<PathBuf>::new());
}

#[test]
fn a_configuration_is_read_and_written() {
    let table = json!({"kind": "mixed", "streams": [{"kind": "conformance-plain", "tasks": 1}], "order": "shuffled"});
    let read: Box<dyn StreamConfig> = serde_json::from_value(table.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), table);
}
