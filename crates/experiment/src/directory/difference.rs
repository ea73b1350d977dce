//! The differences between two configurations.

use std::collections::BTreeMap;

use serde_json::Value;

/// One line for each key whose value differs: `device.epochs: 5 → 6`.
pub(crate) fn differences(before: &Value, after: &Value) -> Vec<String> {
    let (before, after) = (flat(before), flat(after));
    let keys: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let show = |value: Option<&Value>| value.map_or("absent".to_owned(), Value::to_string);
    let differ = |key: &&String| before.get(*key) != after.get(*key);
    keys.into_iter()
        .filter(differ)
        .map(|key| format!("{key}: {} → {}", show(before.get(key)), show(after.get(key))))
        .collect()
}

/// Every value that is not a table, by its path of keys. Lists of tables are counted from 1, as in messages.
fn flat(value: &Value) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    collect(String::new(), value, &mut all);
    all
}

fn collect(path: String, value: &Value, all: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(table) => {
            for (key, inner) in table {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                collect(path, inner, all);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (number, inner) in items.iter().enumerate() {
                collect(format!("{path}[{}]", number + 1), inner, all);
            }
        }
        // TOML has no null, so a key that is null counts as absent.
        Value::Null => {}
        scalar => {
            all.insert(path, scalar.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_named_in_full() {
        let before =
            json!({"seeds": [0], "device": {"epochs": 5}, "strategies": [{"kind": "pld", "steps": 1}], "old": null});
        let after =
            json!({"seeds": [0, 1], "device": {"epochs": 5}, "strategies": [{"kind": "pld", "steps": 2}], "new": "x"});
        assert_eq!(
            differences(&before, &after),
            ["new: absent → \"x\"", "seeds: [0] → [0,1]", "strategies[1].steps: 1 → 2"]
        );
        assert_eq!(differences(&before, &before), Vec::<String>::new());
    }
}
