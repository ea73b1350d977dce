//! Sweeps as a tree: lists where one value is expected, and the choices that they give.

use serde_json::{Map, Value};

use crate::finding::Finding;
use crate::sweep::shape::Shape;

/// A value of the file, with the choices in it.
#[derive(Debug)]
pub(crate) enum Tree {
    /// A value without choices.
    Value(Value),
    /// A table with its keys in the order of the file.
    Table(Vec<(String, Tree)>),
    /// A list where a list is expected.
    List(Vec<Tree>),
    /// A sweep: one item of the list is chosen. Each item has a short name.
    Sweep(Vec<(String, Tree)>),
}

/// One item of one sweep.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Pick {
    /// The path of keys to the value once it is chosen.
    pub(crate) path: Vec<String>,
    /// The index of the item in the list.
    pub(crate) index: usize,
    /// The short name of the item.
    pub(crate) shown: String,
}

/// One way to choose everything.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Choice {
    pub(crate) value: Value,
    pub(crate) picks: Vec<Pick>,
}

impl Tree {
    /// The number of choices.
    pub(crate) fn count(&self) -> usize {
        let product = |counts: &mut dyn Iterator<Item = usize>| counts.fold(1, usize::saturating_mul);
        match self {
            Tree::Value(_) => 1,
            Tree::Table(entries) => product(&mut entries.iter().map(|(_, tree)| tree.count())),
            Tree::List(items) => product(&mut items.iter().map(Tree::count)),
            Tree::Sweep(items) => items.iter().map(|(_, tree)| tree.count()).fold(0, usize::saturating_add),
        }
    }

    /// All choices. The last list of the file changes fastest. `path` is the path of keys to this value.
    pub(crate) fn choices(&self, path: &[String]) -> Vec<Choice> {
        match self {
            Tree::Value(value) => vec![Choice { value: value.clone(), picks: vec![] }],
            Tree::Table(entries) => {
                let empty = Choice { value: Value::Object(Map::new()), picks: vec![] };
                entries.iter().fold(vec![empty], |sofar, (key, tree)| {
                    let inner = tree.choices(&join(path, key));
                    combined(&sofar, &inner, |table, value| table[key.as_str()] = value)
                })
            }
            Tree::List(items) => {
                let empty = Choice { value: Value::Array(vec![]), picks: vec![] };
                items.iter().enumerate().fold(vec![empty], |sofar, (number, tree)| {
                    let inner = tree.choices(&join(path, &number.to_string()));
                    combined(&sofar, &inner, |list, value| list.as_array_mut().expect("a list").push(value))
                })
            }
            Tree::Sweep(items) => {
                let items = items.iter().enumerate();
                let choices = items.flat_map(|(index, (shown, tree))| {
                    let pick = Pick { path: path.to_owned(), index, shown: shown.clone() };
                    let with_pick = move |mut choice: Choice| {
                        choice.picks.insert(0, pick.clone());
                        choice
                    };
                    tree.choices(path).into_iter().map(with_pick)
                });
                choices.collect()
            }
        }
    }

    /// The path of keys to the first sweep.
    pub(crate) fn first_sweep(&self, path: &[String]) -> Option<Vec<String>> {
        match self {
            Tree::Value(_) => None,
            Tree::Table(entries) => entries.iter().find_map(|(key, tree)| tree.first_sweep(&join(path, key))),
            Tree::List(items) => {
                let mut items = items.iter().enumerate();
                items.find_map(|(number, tree)| tree.first_sweep(&join(path, &number.to_string())))
            }
            Tree::Sweep(_) => Some(path.to_owned()),
        }
    }
}

/// Every choice of `outer` with every choice of `inner` put into it.
fn combined(outer: &[Choice], inner: &[Choice], put: impl Fn(&mut Value, Value)) -> Vec<Choice> {
    let pairs = outer.iter().flat_map(|outer| inner.iter().map(move |inner| (outer, inner)));
    let choices = pairs.map(|(outer, inner)| {
        let mut value = outer.value.clone();
        put(&mut value, inner.value.clone());
        Choice { value, picks: [outer.picks.as_slice(), &inner.picks].concat() }
    });
    choices.collect()
}

pub(crate) fn join(path: &[String], key: &str) -> Vec<String> {
    [path, &[key.to_owned()]].concat()
}

/// Finds the sweeps of a value, and the problems of their lists.
#[derive(Debug, Default)]
pub(crate) struct Sweeps {
    pub(crate) findings: Vec<Finding>,
}

impl Sweeps {
    /// Reads a value. `path` is its path in the file.
    pub(crate) fn read(&mut self, value: &Value, shape: &Shape<'_>, path: &[String]) -> Tree {
        match value {
            Value::Array(items) if shape.is_swept_by(items) => self.sweep(items, shape, path),
            Value::Array(items) if items.iter().any(Value::is_object) => {
                let shape = shape.item();
                let items = items.iter().enumerate();
                let read = items.map(|(number, item)| self.tables_in(item, &shape, &join(path, &number.to_string())));
                Tree::List(read.collect())
            }
            Value::Object(table) => {
                let shape = shape.of_table(table);
                let read = |(key, value): (&String, &Value)| {
                    (key.clone(), self.read(value, &shape.key(key), &join(path, key)))
                };
                Tree::Table(table.iter().map(read).collect())
            }
            other => Tree::Value(other.clone()),
        }
    }

    /// Reads an item of a list. A list inside a list is not a sweep, but a table may hold sweeps.
    fn tables_in(&mut self, item: &Value, shape: &Shape<'_>, path: &[String]) -> Tree {
        if item.is_object() { self.read(item, shape, path) } else { Tree::Value(item.clone()) }
    }

    fn sweep(&mut self, items: &[Value], shape: &Shape<'_>, path: &[String]) -> Tree {
        if items.is_empty() {
            let message = format!("is an empty list; accepted: {}, or a list of such values", shape.accepts());
            self.findings.push(Finding::of_key(path, path, message));
        }
        let mut read = vec![];
        for (number, item) in items.iter().enumerate() {
            let place = join(path, &number.to_string());
            if items[..number].iter().any(|before| equal(before, item)) {
                let message = format!("lists {} twice; accepted: different values", shown(item));
                self.findings.push(Finding::of_key(&place, path, message));
            }
            read.push((short(items, number), self.tables_in(item, shape, &place)));
        }
        Tree::Sweep(read)
    }
}

/// Whether two values mean the same: 1 equals 1.0.
fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) => a == b || (a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        _ => one == other,
    }
}

/// The longest name, in characters, of a table that is named after its distinguishing keys.
const LONGEST_NAME: usize = 60;

/// The short name of an item of a sweep. A value is its own name. A table is named after its kind or, where several have the
/// same kind, after the keys in which it differs: `key=value key=value`. Otherwise the name is the number of the item.
fn short(items: &[Value], number: usize) -> String {
    let kind = |item: &Value| item.get("kind").and_then(Value::as_str).map(str::to_owned);
    let Some(table) = items[number].as_object() else { return shown(&items[number]) };
    let Some(own) = kind(&items[number]) else { return (number + 1).to_string() };
    let same: Vec<_> = items.iter().filter(|item| kind(item).as_ref() == Some(&own)).collect();
    if same.len() == 1 {
        return own;
    }
    let in_all =
        |key: &str, value: &Value| same.iter().all(|item| item.get(key).is_some_and(|other| equal(other, value)));
    let apart = table.iter().filter(|(key, value)| !in_all(key, value));
    let apart = apart.map(|(key, value)| format!("{key}={}", shown(value))).collect::<Vec<_>>().join(" ");
    if apart.is_empty() || apart.chars().count() > LONGEST_NAME { (number + 1).to_string() } else { apart }
}

/// A value as part of a name. A string is quoted where it could be mistaken for something else.
fn shown(value: &Value) -> String {
    let is_plain = |text: &str| {
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '+');
        !text.is_empty() && text.chars().all(plain)
    };
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Value::Object(table) => {
            let entries = table.iter().map(|(key, value)| format!("{key} = {}", shown(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sweep::shape::tests::schemas;

    fn read(table: Value) -> (Tree, Vec<Finding>) {
        let schemas = schemas();
        let mut sweeps = Sweeps::default();
        let tree = sweeps.read(&table, &schemas.strategy(), &[]);
        (tree, sweeps.findings)
    }

    /// The choices of a strategy's table: its values, and the picks as `path=value`.
    fn choices(table: Value) -> Vec<(Value, String)> {
        let (tree, findings) = read(table);
        assert!(findings.is_empty(), "{findings:?}");
        let choices = tree.choices(&[]);
        assert_eq!(choices.len(), tree.count());
        let picks = |picks: &[Pick]| {
            let picks = picks.iter().map(|pick| format!("{}={}", pick.path.join("."), pick.shown));
            picks.collect::<Vec<_>>().join(" ")
        };
        choices.into_iter().map(|choice| (choice.value, picks(&choice.picks))).collect()
    }

    #[test]
    fn lists_are_combined_in_the_order_of_the_file_the_last_fastest() {
        let found = choices(json!({"kind": "pld", "start": ["previous", "expert"], "steps": [1, 2]}));
        let expected = [("previous", 1), ("previous", 2), ("expert", 1), ("expert", 2)];
        assert_eq!(found.len(), 4);
        for ((value, picks), (start, steps)) in found.iter().zip(expected) {
            assert_eq!(*value, json!({"kind": "pld", "start": start, "steps": steps}));
            assert_eq!(*picks, format!("start={start} steps={steps}"));
        }
    }

    #[test]
    fn nested_keys_whole_lists_and_kinds_are_swept() {
        let found = choices(json!({"kind": "pld", "clip": {"norm": [1, 2]}, "layers": [["a"], ["a", "b"]]}));
        let picks: Vec<_> = found.iter().map(|(_, picks)| picks.as_str()).collect();
        let expected = ["[a]", "[a, b]"].map(|layers| [1, 2].map(|norm| format!("clip.norm={norm} layers={layers}")));
        assert_eq!(picks, [&expected[0][0], &expected[1][0], &expected[0][1], &expected[1][1]]);
        let kinds = choices(json!({"kind": ["naive", "pld"]}));
        assert_eq!(kinds[1], (json!({"kind": "pld"}), "kind=pld".to_owned()));
    }

    #[test]
    fn a_list_of_tables_is_a_sweep_and_each_may_hold_others() {
        let found = choices(json!({"kind": "pld", "clip": [{"norm": 5}, {"norm": [1, 2]}]}));
        let norms: Vec<_> = found.iter().map(|(value, _)| value["clip"]["norm"].clone()).collect();
        assert_eq!(norms, [5, 1, 2]);
        let picks: Vec<_> = found.iter().map(|(_, picks)| picks.as_str()).collect();
        assert_eq!(picks, ["clip=1", "clip=2 clip.norm=1", "clip=2 clip.norm=2"]);
    }

    #[test]
    fn a_table_is_named_by_its_kind_or_by_what_sets_it_apart() {
        let noise = json!({"kind": "noise", "samples": 8});
        let plain = json!({"kind": "glyphs", "tasks": 8});
        let noisy = json!({"kind": "glyphs", "tasks": 8, "label_noise": 0.1, "noisy_devices": [5]});
        let clean = json!({"kind": "glyphs", "tasks": 8, "label_noise": 0.0});
        let long = json!({"kind": "glyphs", "tasks": 8, "class_order": vec!["class"; 20]});
        let items = [noise, plain, noisy, clean, long, json!({"tasks": 8}), json!(8)];
        let names: Vec<_> = (0..items.len()).map(|number| short(&items, number)).collect();
        assert_eq!(names, ["noise", "2", "label_noise=0.1 noisy_devices=[5]", "label_noise=0.0", "5", "6", "8"]);
    }

    #[test]
    fn an_empty_list_and_a_repeated_value_are_found_at_their_place() {
        let (_, findings) = read(json!({"kind": "pld", "steps": []}));
        assert_eq!(findings[0].at.join("."), "steps");
        assert!(findings[0].message.contains("is an empty list; accepted: an integer"), "{}", findings[0].message);
        let (_, findings) = read(json!({"kind": "pld", "steps": [1, 2, 1.0]}));
        assert_eq!(findings[0].at.join("."), "steps.2");
        assert!(findings[0].message.contains("lists 1.0 twice"), "{}", findings[0].message);
    }

    #[test]
    fn huge_sweeps_are_counted_without_being_made() {
        let list = || Tree::Sweep((0..1000).map(|number| (number.to_string(), Tree::Value(number.into()))).collect());
        let table = |keys: usize| Tree::Table((0..keys).map(|key| (key.to_string(), list())).collect());
        assert_eq!(table(2).count(), 1_000_000);
        assert_eq!(table(30).count(), usize::MAX, "larger than any usize");
    }

    #[test]
    fn values_are_shown_so_that_they_cannot_be_confused() {
        let cases = [
            (json!("expert"), "expert"),
            (json!("a, b=1"), "\"a, b=1\""),
            (json!(""), "\"\""),
            (json!(0.002), "0.002"),
            (json!([1, "x"]), "[1, x]"),
        ];
        for (value, expected) in cases {
            assert_eq!(shown(&value), expected);
        }
    }
}
