//! The expansion of a file: its variants, the rows of each, and the place in the file of each value.

use serde_json::{Map, Value};

use crate::finding::Finding;
use crate::sweep::shape::Schemas;
use crate::sweep::tree::{Choice, Pick, Sweeps, Tree, join};

/// The most variants that sweeps may give, and the most rows of a variant.
const MOST: usize = 1_000;

/// The most rows that sweeps may give in all variants together.
const MOST_IN_ALL: usize = 10_000;

/// A file with all its sweeps expanded.
#[derive(Debug)]
pub(crate) struct Expansion {
    /// The choices of values outside the strategies' tables; a single one if nothing is swept there.
    pub(crate) variants: Vec<Choice>,
    /// The strategies' tables, one for each choice of values in them.
    pub(crate) rows: Vec<Row>,
}

/// A strategy's table in which every value is chosen.
#[derive(Debug)]
pub(crate) struct Row {
    /// The number of its table in the file, from 0.
    pub(crate) table: usize,
    pub(crate) value: Value,
    pub(crate) picks: Vec<Pick>,
}

impl Expansion {
    /// Expands all sweeps of a file.
    ///
    /// # Errors
    /// When a list is wrong, or when there are too many combinations.
    pub(crate) fn of(root: &Map<String, Value>, schemas: &Schemas) -> Result<Self, Vec<Finding>> {
        let mut sweeps = Sweeps::default();
        let tables = root.get("strategies").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let strategies = tables.iter().enumerate().map(|(number, table)| {
            let path = table_path(number);
            let tree = sweeps.read(table, &schemas.strategy(), &path);
            (path, tree)
        });
        let strategies: Vec<_> = strategies.collect();
        let is_outside = |key: &str, value: &Value| key != "strategies" || value.as_array().is_none_or(Vec::is_empty);
        let outside = root.iter().filter(|(key, value)| is_outside(key, value));
        let mut read = |(key, value): (&String, &Value)| {
            let tree = sweeps.read(value, &schemas.top(key), std::slice::from_ref(key));
            (key.clone(), tree)
        };
        let outside = Tree::Table(outside.map(&mut read).collect());
        sweeps.findings.extend(too_many(&outside, &strategies));
        if !sweeps.findings.is_empty() {
            return Err(sweeps.findings);
        }
        let rows = strategies
            .iter()
            .enumerate()
            .flat_map(|(table, (path, tree))| tree.choices(path).into_iter().map(move |choice| row(table, choice)));
        Ok(Expansion { rows: rows.collect(), variants: outside.choices(&[]) })
    }

    /// The configuration of a variant, without sweeps.
    pub(crate) fn root(&self, variant: usize) -> Value {
        let mut root = self.variants[variant].value.clone();
        if !self.rows.is_empty() {
            root["strategies"] = self.rows.iter().map(|row| row.value.clone()).collect();
        }
        root
    }

    /// The row that a path in a variant's configuration leads to, if it leads to one.
    pub(crate) fn row(&self, path: &[String]) -> Option<usize> {
        let [table, number, ..] = path else { return None };
        number.parse().ok().filter(|number| table == "strategies" && *number < self.rows.len())
    }

    /// Turns a path in a variant's configuration into a path in the file. Also returns the picks on the way.
    pub(crate) fn in_file(&self, variant: usize, path: &[String]) -> (Vec<String>, Vec<&Pick>) {
        let (start, rest, picks) = match self.row(path) {
            Some(row) => (table_path(self.rows[row].table), &path[2..], &self.rows[row].picks),
            None => (vec![], path, &self.variants[variant].picks),
        };
        let (mut chosen, mut written, mut on_the_way) = (start.clone(), start, vec![]);
        for key in rest {
            chosen = join(&chosen, key);
            written = join(&written, key);
            let picked = picks.iter().filter(|pick| pick.path == chosen);
            for pick in picked {
                written = join(&written, &pick.index.to_string());
                on_the_way.push(pick);
            }
        }
        (written, on_the_way)
    }
}

fn table_path(number: usize) -> Vec<String> {
    vec!["strategies".to_owned(), number.to_string()]
}

/// A row, named after its table and the values picked in it.
fn row(table: usize, choice: Choice) -> Row {
    let Choice { mut value, picks } = choice;
    let own = value.get("name").cloned();
    // Without a name, the row is named after its kind, which need not be repeated.
    let says = |pick: &&Pick| own.is_some() || pick.path[2..] != ["kind"];
    let said = picks.iter().filter(says).map(|pick| format!("{} = {}", pick.path[2..].join("."), pick.shown));
    let said: Vec<_> = said.collect();
    let base = own.as_ref().or(value.get("kind")).and_then(Value::as_str);
    // A name that is not a string stays as it is, so that the check of the table finds it.
    if let (Some(base), false) = (base.filter(|base| !base.is_empty()), said.is_empty()) {
        value["name"] = format!("{base} ({})", said.join(", ")).into();
    }
    Row { table, value, picks }
}

/// Reports too many combinations before they are made.
fn too_many(outside: &Tree, strategies: &[(Vec<String>, Tree)]) -> Option<Finding> {
    let sum = |counts: &mut dyn Iterator<Item = usize>| counts.fold(0, usize::saturating_add);
    let variants = outside.count();
    let rows = sum(&mut strategies.iter().map(|(_, tree)| tree.count()));
    let in_all = variants.saturating_mul(rows);
    let swept_rows = rows > strategies.len();
    let (given, accepted) = if variants > MOST {
        (format!("{} variants", number(variants)), format!("{} at most", number(MOST)))
    } else if swept_rows && rows > MOST {
        (format!("{} rows", number(rows)), format!("{} at most", number(MOST)))
    } else if (swept_rows || variants > 1) && in_all > MOST_IN_ALL {
        let given = format!("{} variants of {} rows, {} rows in all", number(variants), number(rows), number(in_all));
        (given, format!("{} rows in all at most", number(MOST_IN_ALL)))
    } else {
        return None;
    };
    let of_rows =
        || strategies.iter().max_by_key(|(_, tree)| tree.count()).and_then(|(path, tree)| tree.first_sweep(path));
    let place = if variants > MOST { outside.first_sweep(&[]) } else { of_rows().or_else(|| outside.first_sweep(&[])) };
    let message = format!("the lists of values give {given}; accepted: {accepted}");
    Some(Finding::of_table(&place.unwrap_or_default(), message))
}

/// A number with spaces between its thousands.
fn number(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sweep::shape::tests::schemas;

    fn expand(root: Value) -> Result<Expansion, Vec<Finding>> {
        Expansion::of(root.as_object().unwrap(), &schemas())
    }

    fn path(keys: &str) -> Vec<String> {
        keys.split('.').map(str::to_owned).collect()
    }

    fn names(expansion: &Expansion) -> Vec<String> {
        expansion.rows.iter().map(|row| row.value["name"].as_str().unwrap_or("–").to_owned()).collect()
    }

    #[test]
    fn without_sweeps_the_file_stands_for_itself() {
        let root = json!({"seeds": [1, 2], "device": {"epochs": 1}, "strategies": [{"kind": "naive"}]});
        let expansion = expand(root.clone()).unwrap();
        assert_eq!(expansion.variants.len(), 1);
        assert!(expansion.variants[0].picks.is_empty());
        assert_eq!(expansion.root(0), root);
    }

    #[test]
    fn lists_in_a_strategy_give_rows_and_all_others_variants() {
        let strategies = json!([{"kind": "naive"}, {"kind": "pld", "steps": [1, 2], "start": ["expert", "previous"]}]);
        let root = json!({"device": {"epochs": [1, 5]}, "surrogate": {"kind": "noise"}, "strategies": strategies});
        let expansion = expand(root).unwrap();
        assert_eq!(expansion.variants.len(), 2);
        let pld = |steps, start| format!("pld (steps = {steps}, start = {start})");
        let rows = [pld(1, "expert"), pld(1, "previous"), pld(2, "expert"), pld(2, "previous")];
        assert_eq!(names(&expansion)[0], "–", "nothing was swept, and the kind is the name");
        assert_eq!(names(&expansion)[1..], rows);
        let expected = json!({"kind": "pld", "steps": 2, "start": "expert", "name": pld(2, "expert")});
        assert_eq!(expansion.root(1)["strategies"][3], expected);
        assert_eq!(expansion.root(1)["device"], json!({"epochs": 5}));
    }

    #[test]
    fn a_swept_kind_is_the_name_unless_there_is_one() {
        let strategies = json!([{"kind": ["naive", "pld"]}, {"kind": ["naive", "pld"], "name": "mine"}]);
        let expansion = expand(json!({ "strategies": strategies })).unwrap();
        assert_eq!(names(&expansion), ["–", "–", "mine (kind = naive)", "mine (kind = pld)"]);
    }

    #[test]
    fn a_row_may_sweep_over_surrogate_data() {
        let surrogate = json!([{"kind": "noise"}, {"kind": "patches", "samples": [10, 100]}]);
        let root = json!({"strategies": [{"kind": "pld", "surrogate": surrogate}]});
        let expansion = expand(root).unwrap();
        let many = |samples| format!("pld (surrogate = patches, surrogate.samples = {samples})");
        assert_eq!(names(&expansion), ["pld (surrogate = noise)".to_owned(), many(10), many(100)]);
        assert_eq!(expansion.rows[2].value["surrogate"], json!({"kind": "patches", "samples": 100}));
        let (written, _) = expansion.in_file(0, &path("strategies.1.surrogate.samples"));
        assert_eq!(written.join("."), "strategies.0.surrogate.1.samples.0");
    }

    #[test]
    fn values_are_found_in_the_file() {
        let strategies = json!([{"kind": "naive"}, {"kind": "pld", "steps": [1, 2]}]);
        let surrogate = json!([{"kind": "noise", "samples": [8, 16]}, {"kind": "patches"}]);
        let expansion = expand(json!({"surrogate": surrogate, "strategies": strategies})).unwrap();
        let find = |variant, at: &str| {
            let (written, picks) = expansion.in_file(variant, &path(at));
            (written.join("."), picks.len())
        };
        assert_eq!(find(0, "strategies.2.steps"), ("strategies.1.steps.1".to_owned(), 1));
        assert_eq!(find(0, "strategies.2.other"), ("strategies.1.other".to_owned(), 0));
        assert_eq!(find(1, "surrogate.samples"), ("surrogate.0.samples.1".to_owned(), 2));
        assert_eq!(find(2, "surrogate.samples"), ("surrogate.1.samples".to_owned(), 1));
        assert_eq!(find(2, "surrogate"), ("surrogate.1".to_owned(), 1));
    }

    #[test]
    fn too_many_combinations_are_refused_with_their_number() {
        let list = |length: u32| (1..=length).collect::<Vec<_>>();
        let message = |root: Value| {
            let findings = expand(root).unwrap_err();
            assert_eq!(findings.len(), 1);
            format!("{}: {}", findings[0].at.join("."), findings[0].message)
        };
        let variants = json!({"device": {"epochs": list(40), "batch_size": list(26)}});
        let expected = "device.epochs: the lists of values give 1 040 variants; accepted: 1 000 at most";
        assert_eq!(message(variants), expected);
        let rows = json!({"strategies": [{"kind": "naive"}, {"kind": "pld", "steps": list(1000)}]});
        let expected = "strategies.1.steps: the lists of values give 1 001 rows; accepted: 1 000 at most";
        assert_eq!(message(rows), expected);
        let both = json!({"device": {"epochs": list(101)}, "strategies": [{"kind": "pld", "steps": list(100)}]});
        assert!(message(both).contains("101 variants of 100 rows, 10 100 rows in all; accepted: 10 000 rows in all"));
    }
}
