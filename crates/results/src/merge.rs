//! Parts of one comparison that were computed in several places, as one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use thiserror::Error;

use crate::cell::Cell;
use crate::invalid::InvalidResults;
use crate::results::{Results, Row, TaskLabel};

/// The keys of the configuration in which parts may differ: what is computed, not how.
const MAY_DIFFER: [&str; 3] = ["strategies", "seeds", "baseline"];

/// Why results are not parts of one comparison. Parts are counted from 1.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum MergeError {
    /// There is no part.
    #[error("there are no results to merge")]
    Nothing,
    /// A part is of another comparison.
    #[error("part {part} is of another comparison than part 1: its `{key}` is {found}, not {expected}")]
    Differs {
        /// The part.
        part: usize,
        /// What differs, such as `config.stream`.
        key: String,
        /// What the part has.
        found: String,
        /// What the first part has.
        expected: String,
    },
    /// A row has other settings than the row of this name in an earlier part.
    #[error("part {part} has a row `{row}` with another {what} than the row of this name in an earlier part")]
    Row {
        /// The part.
        part: usize,
        /// The row's name.
        row: String,
        /// What differs.
        what: &'static str,
    },
    /// A row was measured twice under one seed, with different accuracies.
    #[error("part {part} measured row `{row}` under seed {seed}, as an earlier part did, and its accuracies differ")]
    Cell {
        /// The part.
        part: usize,
        /// The row's name.
        row: String,
        /// The seed.
        seed: u64,
    },
    /// A part is compared with a control run, whose cells are not those of the whole.
    #[error(
        "part {0} is compared with a control run; accepted: results without one. Compare the merged results with it"
    )]
    Control(usize),
    /// The parts name different baselines.
    #[error("the parts have different baselines: {0}; choose one")]
    Baselines(String),
    /// The whole contradicts itself.
    #[error("the merged results are invalid: {0}")]
    Invalid(#[from] InvalidResults),
}

impl Results {
    /// The parts as one comparison: the rows, seeds and cells of all. They must be of one experiment, which may differ in its
    /// strategies, seeds and baseline only. A row may be in several parts, under different seeds or the same ones; of two cells
    /// with equal accuracies, the first is kept. Rows and seeds stand in the order in which they first appear.
    ///
    /// `baseline` is the row that the others are compared with; `None` takes the one that the parts name. Where the parts were
    /// computed with different versions, with other code of plugins or on different machines, a note says so. Pictures are those of the first part.
    ///
    /// # Errors
    /// When the parts disagree, or no row is called `baseline`.
    pub fn merged(parts: &[Results], baseline: Option<&str>) -> Result<Results, MergeError> {
        let [first, others @ ..] = parts else { return Err(MergeError::Nothing) };
        if let Some(index) = parts.iter().position(|part| part.control.is_some()) {
            return Err(MergeError::Control(index + 1));
        }
        let mut whole = Results { rows: vec![], seeds: vec![], ..first.clone() };
        for (part, other) in (2..).zip(others) {
            agree(part, other, first)?;
            whole.tasks_vary |=
                other.tasks_vary || other.seeds.first() != first.seeds.first() && !same_tasks(other, first);
            for (label, known) in whole.tasks.iter_mut().zip(&other.tasks) {
                label.train_samples = label.train_samples.or(known.train_samples);
            }
        }
        for (part, results) in (1..).zip(parts) {
            let new = results.seeds.iter().filter(|seed| !whole.seeds.contains(seed)).copied().collect::<Vec<_>>();
            whole.seeds.extend(new);
            for row in &results.rows {
                add(&mut whole.rows, part, row)?;
            }
        }
        for row in &mut whole.rows {
            row.cells.sort_by_key(|cell| whole.seeds.iter().position(|seed| *seed == cell.seed));
        }
        whole.baseline = match baseline {
            Some(baseline) => Some(baseline.to_owned()),
            None => common_baseline(parts)?,
        };
        whole.notes = distinct(parts.iter().flat_map(|part| part.notes.iter().cloned()));
        whole.notes.extend(places(parts));
        whole.config = config(parts, &whole);
        whole.check()?;
        Ok(whole)
    }
}

/// Checks that a part is of the same comparison as the first one.
fn agree(part: usize, other: &Results, first: &Results) -> Result<(), MergeError> {
    let differs = |key: String, found: &Value, expected: &Value| {
        Err(MergeError::Differs { part, key, found: found.to_string(), expected: expected.to_string() })
    };
    let same = |key: &str, found: Value, expected: Value| {
        if found == expected { Ok(()) } else { differs(key.to_owned(), &found, &expected) }
    };
    same("format", other.format.into(), first.format.into())?;
    same("protocol", other.protocol.as_str().into(), first.protocol.as_str().into())?;
    let numbers = |results: &Results| results.left_out.iter().map(|device| device + 1).collect::<Vec<_>>().into();
    same("left_out", numbers(other), numbers(first))?;
    let nothing = serde_json::Map::new();
    let (found, expected) = (other.config.as_object(), first.config.as_object());
    let (found, expected) = (found.unwrap_or(&nothing), expected.unwrap_or(&nothing));
    for key in found.keys().chain(expected.keys()).filter(|key| !MAY_DIFFER.contains(&key.as_str())) {
        let (found, expected) = (found.get(key).unwrap_or(&Value::Null), expected.get(key).unwrap_or(&Value::Null));
        if found != expected {
            return differs(format!("config.{key}"), found, expected);
        }
    }
    same("number of tasks", other.tasks.len().into(), first.tasks.len().into())?;
    if other.seeds.first() == first.seeds.first() && !same_tasks(other, first) {
        let names = |results: &Results| results.tasks.iter().map(|task| task.name.clone()).collect::<Vec<_>>().into();
        return differs("tasks".to_owned(), &names(other), &names(first));
    }
    Ok(())
}

/// Whether both have the same tasks under their first seed. How many samples a device has may not be known yet.
fn same_tasks(one: &Results, other: &Results) -> bool {
    let same = |(one, other): (&TaskLabel, &TaskLabel)| one.name == other.name && one.classes == other.classes;
    one.tasks.len() == other.tasks.len() && one.tasks.iter().zip(&other.tasks).all(same)
}

/// Adds the cells of a part's row to the row of its name.
fn add(rows: &mut Vec<Row>, part: usize, row: &Row) -> Result<(), MergeError> {
    let Some(known) = rows.iter_mut().find(|known| known.name == row.name) else {
        rows.push(row.clone());
        return Ok(());
    };
    let differences = [
        ("kind", known.kind != row.kind),
        ("role", known.role != row.role),
        ("protocol", known.protocol != row.protocol || known.clauses != row.clauses),
        ("data access", known.data_access != row.data_access),
        ("settings", known.settings != row.settings),
    ];
    if let Some((what, _)) = differences.into_iter().find(|(_, differs)| *differs) {
        return Err(MergeError::Row { part, row: row.name.clone(), what });
    }
    for cell in &row.cells {
        let twin = known.cells.iter().find(|twin| twin.seed == cell.seed);
        match twin {
            None => known.cells.push(cell.clone()),
            Some(twin) if is_the_same_measurement(twin, cell) => {}
            Some(_) => return Err(MergeError::Cell { part, row: row.name.clone(), seed: cell.seed }),
        }
    }
    Ok(())
}

/// Whether two cells have the same accuracies. Times differ from machine to machine.
fn is_the_same_measurement(one: &Cell, other: &Cell) -> bool {
    one.accuracy == other.accuracy && one.expert_accuracy == other.expert_accuracy && one.arrivals == other.arrivals
}

/// The baseline that the parts name. A part without the row that the others are compared with names none.
fn common_baseline(parts: &[Results]) -> Result<Option<String>, MergeError> {
    let named = distinct(parts.iter().filter_map(|part| part.baseline.clone()));
    match named.as_slice() {
        [] | [_] => Ok(named.into_iter().next()),
        _ => Err(MergeError::Baselines(named.join(", "))),
    }
}

/// Where versions or machines differ, a sentence about it.
fn places(parts: &[Results]) -> Option<String> {
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for part in parts {
        for (name, value) in part.versions.iter().chain(&part.environment) {
            values.entry(name).or_default().insert(value);
        }
    }
    let differing = values.into_iter().filter(|(_, values)| values.len() > 1);
    let said: Vec<_> = differing
        .map(|(name, values)| format!("`{name}` is {}", values.into_iter().collect::<Vec<_>>().join(" or ")))
        .collect();
    (!said.is_empty()).then(|| {
        format!(
            "The parts of this comparison were not computed with the same program and machine: {}.",
            said.join(", ")
        )
    })
}

/// The configuration of the whole: that of the first part, with the strategies of all.
fn config(parts: &[Results], whole: &Results) -> Value {
    let mut config = parts[0].config.clone();
    if let Some(table) = config.as_object_mut() {
        let lists = parts.iter().filter_map(|part| part.config.get("strategies")?.as_array());
        let strategies = distinct(lists.flatten().cloned());
        for (key, value) in [
            ("strategies", Value::from(strategies)),
            ("seeds", whole.seeds.clone().into()),
            ("baseline", whole.baseline.clone().into()),
        ] {
            if table.contains_key(key) {
                table.insert(key.to_owned(), value);
            }
        }
    }
    config
}

/// The values in the order in which they first appear, each once.
fn distinct<T: PartialEq>(values: impl Iterator<Item = T>) -> Vec<T> {
    values.fold(vec![], |mut all, value| {
        if !all.contains(&value) {
            all.push(value);
        }
        all
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::results::tests::{cell, small};

    /// Two parts of [`small`]: row `a` under both seeds; and the others, where the first cell is there as well.
    fn parts() -> [Results; 2] {
        let mut whole = small();
        whole.config = json!({ "lambda": 0.1, "strategies": ["a", "b"], "seeds": [1, 2], "baseline": "a" });
        let (mut one, mut other) = (whole.clone(), whole);
        one.rows.truncate(1);
        one.config["strategies"] = json!(["a"]);
        other.rows.remove(0);
        other.config["strategies"] = json!(["b"]);
        (other.baseline, other.config["baseline"]) = (None, Value::Null);
        [one, other]
    }

    #[test]
    fn rows_of_two_parts_are_one_comparison() {
        let mut expected = small();
        expected.config = json!({ "lambda": 0.1, "strategies": ["a", "b"], "seeds": [1, 2], "baseline": "a" });
        assert_eq!(Results::merged(&parts(), None), Ok(expected));
    }

    #[test]
    fn seeds_of_two_parts_are_one_comparison() {
        let (mut one, mut other) = (small(), small());
        for (part, seed) in [(&mut one, 2), (&mut other, 1)] {
            part.seeds = vec![seed];
            part.rows.iter_mut().for_each(|row| row.cells.retain(|cell| cell.seed == seed));
        }
        other.tasks[0].name = "digits 1-0".into();
        let merged = Results::merged(&[one, other], None).expect("parts of one comparison");
        assert_eq!(merged.seeds, [2, 1]);
        let seeds = |row: usize| merged.rows[row].cells.iter().map(|cell| cell.seed).collect::<Vec<_>>();
        assert_eq!((seeds(0), seeds(1)), (vec![2, 1], vec![1]));
        assert!(merged.tasks_vary, "the second seed has other tasks");
    }

    #[test]
    fn cells_stand_in_the_order_of_the_seeds() {
        let [mut one, mut other] = [small(), small()];
        one.rows[0].cells.remove(0);
        other.rows[0].cells.remove(1);
        assert_eq!(Results::merged(&[one, other], None), Ok(small()));
    }

    #[test]
    fn equal_cells_are_one_though_their_times_differ() {
        let (one, mut other) = (small(), small());
        other.rows[0].cells[0].seconds = 7.0;
        assert_eq!(Results::merged(&[one, other], None), Ok(small()));
    }

    #[test]
    fn a_cell_that_was_measured_twice_must_have_one_accuracy() {
        let (one, mut other) = (small(), small());
        other.rows[0].cells[1] = cell(2, 0.5);
        let error = Results::merged(&[one, other], None).expect_err("two accuracies");
        assert_eq!(error, MergeError::Cell { part: 2, row: "a".into(), seed: 2 });
    }

    #[test]
    fn another_comparison_is_refused_with_what_differs() {
        let refused = |change: fn(&mut Results)| {
            let mut other = small();
            change(&mut other);
            Results::merged(&[small(), other], None).expect_err("another comparison").to_string()
        };
        let other_value = refused(|other| other.config["lambda"] = json!(0.2));
        assert!(
            other_value.contains("part 2") && other_value.contains("`config.lambda` is 0.2, not 0.1"),
            "{other_value}"
        );
        let missing = refused(|other| other.config = json!({ "protocol": "dcl" }));
        assert!(missing.contains("`config.lambda` is null, not 0.1"), "{missing}");
        let tasks = refused(|other| other.tasks[0].classes.reverse());
        assert!(tasks.contains("`tasks`"), "{tasks}");
        let row = refused(|other| other.rows[1].settings = json!({ "density": 0.5 }));
        assert!(row.contains("`b`") && row.contains("settings"), "{row}");
        assert_eq!(Results::merged(&[], None), Err(MergeError::Nothing));
        let compared = small().against("clean", &small()).expect("the same rows");
        assert_eq!(Results::merged(&[small(), compared], None), Err(MergeError::Control(2)));
    }

    #[test]
    fn the_baseline_is_what_the_parts_name_unless_one_is_chosen() {
        let (one, mut other) = (small(), small());
        other.baseline = Some("b".into());
        let both = [one, other];
        assert_eq!(Results::merged(&both, None), Err(MergeError::Baselines("a, b".into())));
        let chosen = Results::merged(&both, Some("joint")).expect("is a row");
        assert_eq!(chosen.baseline.as_deref(), Some("joint"));
        let absent = Results::merged(&both, Some("c"));
        assert_eq!(absent, Err(InvalidResults::UnknownBaseline("c".into()).into()));
    }

    #[test]
    fn a_note_says_where_versions_or_machines_differ() {
        let (mut one, mut other) = (small(), small());
        one.environment.insert("cores".into(), "2".into());
        other.environment.insert("cores".into(), "16".into());
        one.notes.push("A sentence.".into());
        other.notes.push("A sentence.".into());
        let merged = Results::merged(&[one, other], None).expect("parts of one comparison");
        let note =
            "The parts of this comparison were not computed with the same program and machine: `cores` is 16 or 2.";
        assert_eq!(merged.notes, ["A sentence.", note]);
    }

    #[test]
    fn the_number_of_samples_comes_from_the_part_that_knows_it() {
        let (mut one, other) = (small(), small());
        one.tasks[0].train_samples = None;
        let merged = Results::merged(&[one, other], None).expect("parts of one comparison");
        assert_eq!(merged.tasks[0].train_samples, Some(10));
    }
}
