//! The check of a table of options against a plugin's schema.
//!
//! serde stops at the first mismatch and, behind a tagged trait object, cannot say where it was. The schema knows every
//! key, type, range and list of values, so the check here names the key and what is accepted, for all problems at once.

use std::fmt;

use jsonschema::error::ValidationErrorKind;
use serde_json::{Map, Value};

/// What a key accepts, in words.
pub type Accepted = String;

/// One thing that is wrong with a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The keys that lead to the wrong value, outermost first; empty when the table itself is wrong.
    pub path: Vec<String>,
    /// What is wrong with it.
    pub message: String,
    /// What would be accepted instead.
    pub accepted: Accepted,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "`{}` ", self.path.join("."))?;
        }
        write!(f, "{}; accepted: {}", self.message, self.accepted)
    }
}

/// Checks a table (a JSON object) against the schema of the options it should hold.
///
/// Returns every problem, in the order of the schema's keywords; none when the table is right.
pub fn check_table(schema: &Value, table: &Value) -> Vec<Problem> {
    let validator = match jsonschema::validator_for(schema) {
        Ok(validator) => validator,
        Err(error) => {
            return vec![Problem {
                path: vec![],
                message: format!("cannot be checked, because the plugin's own schema is wrong ({error})"),
                accepted: "nothing until the plugin is mended".to_owned(),
            }];
        }
    };
    validator.iter_errors(table).flat_map(|error| problems(schema, &error)).collect()
}

/// Turns one of the validator's errors into problems that name key and accepted values.
fn problems(schema: &Value, error: &jsonschema::ValidationError<'_>) -> Vec<Problem> {
    let path: Vec<String> = segments(error.instance_path().as_str());
    let at = |path: Vec<String>, message: String| {
        let accepted = match property_at(schema, &path) {
            Some(property) => accepts(schema, property),
            None => keys_in_words(schema),
        };
        Problem { path, message, accepted }
    };
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => unexpected
            .iter()
            .map(|key| {
                let mut path = path.clone();
                let table = property_at(schema, &path).unwrap_or(schema);
                let accepted = keys_in_words(resolve(schema, table));
                path.push(key.clone());
                Problem { path, message: "is not a key of this table".to_owned(), accepted }
            })
            .collect(),
        ValidationErrorKind::Required { property } => {
            let mut path = path;
            path.push(property.as_str().unwrap_or_default().to_owned());
            vec![at(path, "is missing".to_owned())]
        }
        ValidationErrorKind::Type { .. } => {
            vec![at(path, format!("is {} {}", article(error.instance()), shown(error.instance())))]
        }
        _ => vec![at(path, format!("= {} is out of range", shown(error.instance())))],
    }
}

fn segments(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")).collect()
}

fn article(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing:",
        Value::Bool(_) => "a boolean:",
        Value::Number(number) if number.is_f64() => "a float:",
        Value::Number(_) => "an integer:",
        Value::String(_) => "a string:",
        Value::Array(_) => "a list:",
        Value::Object(_) => "a table:",
    }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Follows a `$ref` into the schema's definitions.
pub(crate) fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).unwrap_or(schema),
        None => schema,
    }
}

/// The schema of the value at `path`, if the schema knows that key.
fn property_at<'a>(root: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(root, |schema, key| {
        let schema = resolve(root, schema);
        let inner = match key.parse::<usize>() {
            Ok(_) => schema.get("items"),
            Err(_) => schema.get("properties").and_then(|properties| properties.get(key)),
        };
        inner.or_else(|| {
            alternatives(schema)
                .find_map(|one| property_at(root, std::slice::from_ref(key)).filter(|_| one.is_object()))
        })
    })
}

fn alternatives(schema: &Value) -> impl Iterator<Item = &Value> {
    ["anyOf", "oneOf"].into_iter().filter_map(|key| schema.get(key)).filter_map(Value::as_array).flatten()
}

/// The properties of a table's schema in the order of their declaration.
pub(crate) fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

pub(crate) fn is_required(schema: &Value, name: &str) -> bool {
    let required = schema.get("required").and_then(Value::as_array);
    required.is_some_and(|names| names.iter().any(|other| other.as_str() == Some(name)))
}

/// A property's doc comment, or that of the type it refers to.
pub(crate) fn meaning(root: &Value, property: &Value) -> String {
    let own = property.get("description").or_else(|| resolve(root, property).get("description"));
    own.and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn keys_in_words(table: &Value) -> String {
    let names: Vec<_> = properties(table).map(|(name, _)| name.as_str()).collect();
    if names.is_empty() { "no keys".to_owned() } else { format!("the keys {}", names.join(", ")) }
}

/// What a property accepts, in words: its values, or its type and range.
pub(crate) fn accepts(root: &Value, property: &Value) -> Accepted {
    let schema = resolve(root, property);
    if let Some(value) = schema.get("const") {
        return value.to_string();
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return values.iter().filter(|value| !value.is_null()).map(Value::to_string).collect::<Vec<_>>().join(" or ");
    }
    let choices: Vec<_> = alternatives(schema)
        .filter(|choice| choice.get("type").and_then(Value::as_str) != Some("null"))
        .map(|choice| accepts(root, choice))
        .collect();
    if !choices.is_empty() {
        return choices.join(" or ");
    }
    format!("{}{}", type_in_words(root, schema), range_in_words(schema))
}

fn type_in_words(root: &Value, schema: &Value) -> String {
    let types: Vec<&str> = match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).filter(|one| *one != "null").collect(),
        _ => vec![],
    };
    let words = types.into_iter().map(|one| match one {
        "integer" => "an integer".to_owned(),
        "number" => "a number".to_owned(),
        "string" => "a string".to_owned(),
        "boolean" => "true or false".to_owned(),
        "object" => match properties(schema).next() {
            Some(_) => format!("a table with {}", keys_in_words(schema)),
            None => "a table".to_owned(),
        },
        "array" => match schema.get("items") {
            Some(items) => format!("a list{}, each {}", length_in_words(schema), accepts(root, items)),
            None => format!("a list{}", length_in_words(schema)),
        },
        other => other.to_owned(),
    });
    let words: Vec<_> = words.collect();
    if words.is_empty() { "any value".to_owned() } else { words.join(" or ") }
}

/// How many items a list may have, where it matters to a person.
fn length_in_words(schema: &Value) -> String {
    let bound = |key: &str| schema.get(key).and_then(Value::as_u64);
    match (bound("minItems"), bound("maxItems")) {
        (Some(least), Some(most)) if least == most => format!(" of {least}"),
        (Some(least), _) if least > 0 => format!(" of at least {least}"),
        _ => String::new(),
    }
}

fn range_in_words(schema: &Value) -> String {
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let lower = match (bound("minimum"), bound("exclusiveMinimum")) {
        (_, Some(low)) => Some(format!("greater than {low}")),
        (Some(low), None) => Some(format!("at least {low}")),
        (None, None) => None,
    };
    let upper = match (bound("maximum"), bound("exclusiveMaximum")) {
        (_, Some(high)) => Some(format!("less than {high}")),
        (Some(high), None) => Some(format!("at most {high}")),
        (None, None) => None,
    };
    let parts: Vec<_> = [lower, upper].into_iter().flatten().collect();
    if parts.is_empty() { String::new() } else { format!(" {}", parts.join(" and ")) }
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde_json::json;

    use super::*;

    #[derive(JsonSchema)]
    #[serde(rename_all = "kebab-case")]
    #[allow(dead_code)]
    enum Start {
        Previous,
        Expert,
    }

    #[derive(JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Options {
        /// Steps to take.
        #[schemars(range(min = 1, max = 10))]
        steps: u32,
        /// Where to start.
        start: Start,
        /// A width, if any.
        width: Option<f64>,
    }

    fn check(table: Value) -> Vec<String> {
        let schema = schemars::schema_for!(Options).to_value();
        check_table(&schema, &table).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_right_table_has_no_problem() {
        assert_eq!(check(json!({"steps": 3, "start": "expert"})), Vec::<String>::new());
    }

    #[test]
    fn each_problem_names_the_key_and_what_is_accepted() {
        let cases = [
            (
                json!({"steps": 0, "start": "expert"}),
                "`steps` = 0 is out of range; accepted: an integer at least 1 and at most 10",
            ),
            (
                json!({"steps": "3", "start": "expert"}),
                "`steps` is a string: \"3\"; accepted: an integer at least 1 and at most 10",
            ),
            (
                json!({"steps": 3, "start": "middle"}),
                "`start` = \"middle\" is out of range; accepted: \"previous\" or \"expert\"",
            ),
            (json!({"start": "expert"}), "`steps` is missing; accepted: an integer at least 1 and at most 10"),
            (
                json!({"steps": 3, "start": "expert", "stepz": 1}),
                "`stepz` is not a key of this table; accepted: the keys",
            ),
        ];
        for (table, expected) in cases {
            let found = check(table.clone());
            assert_eq!(found.len(), 1, "{table}: {found:?}");
            assert!(found[0].starts_with(expected), "{table}: {}", found[0]);
        }
    }
}
