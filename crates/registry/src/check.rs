//! The check of a table of options against a plugin's schema.
//!
//! serde stops at the first mismatch, and does not know its place behind a tagged trait object. The schema knows every key, type,
//! range and list of values. So this check reports all problems at once, with their keys and what is accepted.

use std::fmt;

use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use crate::SchemaNode;
use crate::closest::did_you_mean;
use crate::words::{shown, typed};

/// What a key accepts, in words.
pub type Accepted = String;

/// A problem of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The path of keys to the wrong value, outermost first; empty if the table itself is wrong.
    pub path: Vec<String>,
    /// What is wrong with it.
    pub message: String,
    /// What is accepted.
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

/// Checks tables against one schema. The schema is compiled once.
#[derive(Debug)]
pub struct Checker {
    schema: Value,
    /// The compiled schema, or the error in it.
    validator: Result<jsonschema::Validator, String>,
}

impl Checker {
    /// A checker for tables of this schema.
    pub fn new(schema: Value) -> Self {
        let validator = jsonschema::validator_for(&schema).map_err(|error| error.to_string());
        Checker { schema, validator }
    }

    /// Every problem of a table (a JSON object), in the order of the schema's keywords; empty if the table is right.
    pub fn check(&self, table: &Value) -> Vec<Problem> {
        match &self.validator {
            Ok(validator) => {
                let mut problems: Vec<_> =
                    validator.iter_errors(table).flat_map(|error| self.problems(&error, table)).collect();
                self.find_floats(SchemaNode::root(&self.schema), table, &[], &mut problems);
                problems
            }
            Err(error) => vec![Problem {
                path: vec![],
                message: format!("cannot be checked, because the plugin's own schema is wrong ({error})"),
                accepted: "nothing until the plugin is fixed".to_owned(),
            }],
        }
    }

    /// Turns one of the validator's errors into problems that name key and accepted values.
    fn problems(&self, error: &jsonschema::ValidationError<'_>, table: &Value) -> Vec<Problem> {
        let path: Vec<String> = segments(error.instance_path().as_str());
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected }
            | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                unexpected.iter().map(|key| self.unknown(&path, key)).collect()
            }
            // If the schema allows no keys at all, the validator does not name the wrong ones.
            ValidationErrorKind::FalseSchema => {
                let found = table.pointer(error.instance_path().as_str()).and_then(Value::as_object);
                found.into_iter().flat_map(|found| found.keys()).map(|key| self.unknown(&path, key)).collect()
            }
            ValidationErrorKind::Required { property } => {
                let key = property.as_str().unwrap_or_default().to_owned();
                vec![self.at([path, vec![key]].concat(), "is missing".to_owned())]
            }
            ValidationErrorKind::Type { .. } => vec![self.at(path, format!("is {}", typed(error.instance())))],
            ValidationErrorKind::AnyOf { .. } | ValidationErrorKind::OneOfNotValid { .. } => {
                let of_kinds = self.of_kinds(&path, error.instance());
                of_kinds.unwrap_or_else(|| vec![self.out_of_range(path, error.instance())])
            }
            _ => vec![self.out_of_range(path, error.instance())],
        }
    }

    /// The problems of a table whose `kind` says which of several tables it is; `None` if the schema is not such a choice, or the value
    /// not a table.
    fn of_kinds(&self, path: &[String], value: &Value) -> Option<Vec<Problem>> {
        let kinds = SchemaNode::root(&self.schema).descend(path)?.kinds();
        let given = value.as_object().filter(|_| !kinds.is_empty())?.get("kind");
        let Some((_, table)) = kinds.iter().find(|(kind, _)| given.is_some_and(|given| given == kind)) else {
            let named = given.and_then(Value::as_str).unwrap_or_default();
            let meant = did_you_mean(named, kinds.iter().map(|(kind, _)| *kind), '"');
            let unknown = |given| format!("= {} is none of the kinds{meant}", shown(given));
            let message = given.map_or_else(|| "is missing".to_owned(), unknown);
            let accepted = kinds.iter().map(|(kind, _)| format!("{kind:?}")).collect::<Vec<_>>().join(" or ");
            return Some(vec![Problem { path: [path, &["kind".to_owned()]].concat(), message, accepted }]);
        };
        let problems = Checker::new(table.alone()).check(value).into_iter();
        Some(problems.map(|problem| Problem { path: [path, &problem.path].concat(), ..problem }).collect())
    }

    /// Finds whole numbers that are written as floats where only an integer is accepted.
    fn find_floats(&self, node: SchemaNode<'_>, value: &Value, path: &[String], problems: &mut Vec<Problem>) {
        let inside: Vec<_> = match value {
            Value::Object(table) => table.iter().map(|(key, value)| (key.clone(), node.property(key), value)).collect(),
            Value::Array(items) => {
                let items = items.iter().enumerate();
                items.map(|(number, item)| (number.to_string(), node.items(), item)).collect()
            }
            Value::Number(number) if node.takes_only_integers() => {
                // The validator finds floats with a fraction.
                if number.is_f64() && number.as_f64().is_some_and(|number| number.fract() == 0.0) {
                    problems.push(self.at(path.to_owned(), format!("is {}", typed(value))));
                }
                return;
            }
            _ => return,
        };
        for (key, node, value) in inside {
            if let Some(node) = node {
                self.find_floats(node, value, &[path, &[key]].concat(), problems);
            }
        }
    }

    fn out_of_range(&self, path: Vec<String>, value: &Value) -> Problem {
        self.at(path, format!("= {} is out of range", shown(value)))
    }

    fn unknown(&self, table: &[String], key: &str) -> Problem {
        let root = SchemaNode::root(&self.schema);
        let node = root.descend(table).unwrap_or(root);
        let meant = did_you_mean(key, node.properties().map(|(name, _)| name.as_str()), '`');
        let path = [table, &[key.to_owned()]].concat();
        Problem { path, message: format!("is not a key of this table{meant}"), accepted: node.keys_in_words() }
    }

    fn at(&self, path: Vec<String>, message: String) -> Problem {
        let root = SchemaNode::root(&self.schema);
        let accepted = root.descend(&path).map_or_else(|| root.keys_in_words(), SchemaNode::accepts);
        Problem { path, message, accepted }
    }
}

/// Checks one table against a schema. For many tables, use a [`Checker`].
///
/// Returns every problem, in the order of the schema's keywords; empty if the table is right.
pub fn check_table(schema: &Value, table: &Value) -> Vec<Problem> {
    Checker::new(schema.clone()).check(table)
}

fn segments(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")).collect()
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

    #[test]
    fn a_table_without_keys_names_those_that_it_is_given() {
        #[derive(JsonSchema)]
        #[serde(deny_unknown_fields)]
        #[allow(dead_code)]
        struct NoOptions {}

        let schema = schemars::schema_for!(NoOptions).to_value();
        let found = |table| check_table(&schema, &table).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert!(found(json!({})).is_empty());
        let accepted = "is not a key of this table; accepted: no keys";
        assert_eq!(found(json!({"threads": 3, "x": {}})), [format!("`threads` {accepted}"), format!("`x` {accepted}")]);
    }

    fn check(table: Value) -> Vec<String> {
        let schema = schemars::schema_for!(Options).to_value();
        check_table(&schema, &table).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_table_of_several_kinds_is_checked_against_its_own() {
        #[derive(JsonSchema, serde::Serialize)]
        #[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
        #[schemars(inline)]
        #[allow(dead_code)]
        enum Pace {
            Slow,
            Fast {
                /// How fast.
                #[schemars(range(max = 9))]
                speed: u32,
            },
        }

        #[derive(JsonSchema)]
        #[allow(dead_code)]
        struct Walk {
            #[schemars(default = "slow")]
            pace: Pace,
            rest: Option<Pace>,
        }

        fn slow() -> Pace {
            Pace::Slow
        }

        let schema = schemars::schema_for!(Walk).to_value();
        let found = |table| check_table(&schema, &table).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert!(found(json!({"pace": {"kind": "slow"}, "rest": {"kind": "fast", "speed": 3}})).is_empty());
        for key in ["pace", "rest"] {
            let says = |value: Value| found(json!({ key: value }));
            let kinds = "accepted: \"slow\" or \"fast\"";
            assert_eq!(
                says(json!({"kind": "lazy"})),
                [format!("`{key}.kind` = \"lazy\" is none of the kinds; {kinds}")]
            );
            assert_eq!(says(json!({"speed": 3})), [format!("`{key}.kind` is missing; {kinds}")]);
            let accepted = "accepted: an integer at least 0 and at most 9";
            let found = says(json!({"kind": "fast", "speed": 10}));
            assert_eq!(found, [format!("`{key}.speed` = 10 is out of range; {accepted}")]);
            let found = says(json!({"kind": "fast", "speed": 3, "step": 1}));
            assert_eq!(found, [format!("`{key}.step` is not a key of this table; accepted: the keys kind, speed")]);
            let tables = "a table with kind = \"slow\", or kind = \"fast\" and speed";
            assert_eq!(says(json!("fast")), [format!("`{key}` = \"fast\" is out of range; accepted: {tables}")]);
        }
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
            (
                json!({"steps": 3.0, "start": "expert"}),
                "`steps` is a float: 3.0; accepted: an integer at least 1 and at most 10",
            ),
            (json!({"start": "expert"}), "`steps` is missing; accepted: an integer at least 1 and at most 10"),
            (
                json!({"steps": 3, "start": "expert", "stepz": 1}),
                "`stepz` is not a key of this table (did you mean `steps`?); accepted: the keys",
            ),
        ];
        for (table, expected) in cases {
            let found = check(table.clone());
            assert_eq!(found.len(), 1, "{table}: {found:?}");
            assert!(found[0].starts_with(expected), "{table}: {}", found[0]);
        }
    }
}
