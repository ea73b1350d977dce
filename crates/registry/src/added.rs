//! Kinds that are added while the program runs, such as those that a script of another language defines.
//!
//! A linked kind, the carrier, reads their tables. A file names an added kind like any other; its options are checked against
//! the schema that was stated for it, and are then given to the carrier.

use std::sync::{PoisonError, RwLock};

use serde_json::{Map, Value};

use crate::{Description, Family, OptionsSchema, SchemaNode};

static ADDED: RwLock<Vec<Added>> = RwLock::new(vec![]);

#[derive(Clone, Copy)]
struct Added {
    description: &'static Description,
    carrier: &'static str,
}

/// A kind that is added to the running program.
#[derive(Debug, Clone, PartialEq)]
pub struct AddedKind {
    /// The trait that the carrier implements.
    pub family: Family,
    /// The kind.
    pub kind: String,
    /// The publication of the method; empty if the method is common knowledge.
    pub paper: String,
    /// The JSON Schema of its options, with a description of what it does.
    pub schema: Value,
    /// The linked kind that reads tables of this kind. Its options are `class`, which gets the added kind, and `options`, which
    /// gets the options.
    pub carrier: &'static str,
}

/// A kind that cannot be added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {family} kind \"{kind}\" {problem}; accepted: {accepted}")]
pub struct NotAdded {
    /// The family.
    pub family: Family,
    /// The kind.
    pub kind: String,
    /// The problem.
    pub problem: &'static str,
    /// What is accepted.
    pub accepted: &'static str,
}

/// Adds a kind to the running program. A kind that was added before is replaced. What is added is kept until the program ends.
///
/// # Errors
/// [`NotAdded`] when the kind is linked into the program, is not lower case with hyphens between words, or has an option `kind` or
/// `name`.
pub fn add(kind: AddedKind) -> Result<(), NotAdded> {
    let refuse = |problem, accepted| Err(NotAdded { family: kind.family, kind: kind.kind.clone(), problem, accepted });
    if !is_kind(&kind.kind) {
        return refuse("is not a kind", "lower case, with hyphens between words, such as \"my-strategy\"");
    }
    let mut linked = inventory::iter::<Description>.into_iter();
    if linked.any(|linked| linked.family == kind.family && linked.kind == kind.kind) {
        return refuse("is linked into this program already", "another name");
    }
    let schema: &'static Value = Box::leak(Box::new(kind.schema));
    let node = SchemaNode::root(schema);
    if let Some((name, _)) = node.properties().find(|(name, _)| ["kind", "name"].contains(&name.as_str())) {
        let problem = if name == "kind" { "has an option `kind`" } else { "has an option `name`" };
        return Err(NotAdded { family: kind.family, kind: kind.kind, problem, accepted: "options with other names" });
    }
    let description = Description {
        family: kind.family,
        kind: Box::leak(kind.kind.into_boxed_str()),
        paper: Box::leak(kind.paper.into_boxed_str()),
        default: false,
        schema: OptionsSchema::Stated(schema),
    };
    let added = Added { description: Box::leak(Box::new(description)), carrier: kind.carrier };
    let mut all = ADDED.write().unwrap_or_else(PoisonError::into_inner);
    all.retain(|other| (other.description.family, other.description.kind) != (description.family, description.kind));
    all.push(added);
    Ok(())
}

/// The descriptions of the kinds that were added.
pub(crate) fn added() -> Vec<&'static Description> {
    let all = ADDED.read().unwrap_or_else(PoisonError::into_inner);
    all.iter().map(|added| added.description).collect()
}

/// The table as a linked kind reads it: the table itself or, if its kind was added, the table of the carrier. Keys that every kind
/// of the family takes stay where they are.
pub fn carried(family: Family, table: Map<String, Value>) -> Map<String, Value> {
    let all = ADDED.read().unwrap_or_else(PoisonError::into_inner);
    let named = table.get("kind").and_then(Value::as_str);
    let of_kind = |added: &&Added| added.description.family == family && Some(added.description.kind) == named;
    let Some(added) = all.iter().find(of_kind) else { return table };
    let own = added.description.schema.get();
    let own = SchemaNode::root(&own);
    let (options, mut carried): (Map<_, _>, Map<_, _>) =
        table.into_iter().partition(|(key, _)| own.property(key).is_some());
    carried.insert("kind".to_owned(), added.carrier.into());
    carried.insert("class".to_owned(), added.description.kind.into());
    carried.insert("options".to_owned(), Value::Object(options));
    carried
}

/// Whether a text can be a kind: lower case, words joined by hyphens.
pub fn is_kind(text: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.split('-').all(is_word)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{check_table, find};

    fn kind(kind: &str, share: f64) -> AddedKind {
        let schema = json!({
            "description": "Keeps a share.", "type": "object",
            "properties": {"share": {"type": "number", "maximum": 1, "default": share}},
        });
        AddedKind { family: Family::Strategy, kind: kind.to_owned(), paper: String::new(), schema, carrier: "carrier" }
    }

    fn table(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn an_added_kind_is_described_checked_and_carried() {
        add(kind("keeps-a-share", 0.5)).unwrap();
        let description = find(Family::Strategy, "keeps-a-share").unwrap();
        assert_eq!(
            (description.summary().as_str(), description.options()[0].name.as_str()),
            ("Keeps a share.", "share")
        );
        assert_eq!(check_table(&description.options_schema(), &json!({"share": 2.0, "part": 1})).len(), 2);
        let given = table(json!({"kind": "keeps-a-share", "share": 0.25}));
        let carrier = json!({"kind": "carrier", "class": "keeps-a-share", "options": {"share": 0.25}});
        assert_eq!(Value::Object(carried(Family::Strategy, given.clone())), carrier);
        assert_eq!(carried(Family::Device, given.clone()), given, "another family");
        assert!(find(Family::Device, "keeps-a-share").is_err());
    }

    #[test]
    fn a_kind_that_is_added_again_is_replaced() {
        add(kind("added-twice", 0.5)).unwrap();
        add(kind("added-twice", 0.75)).unwrap();
        let description = find(Family::Strategy, "added-twice").unwrap();
        assert_eq!(description.options()[0].default, Some(json!(0.75)));
        assert_eq!(added().iter().filter(|one| one.kind == "added-twice").count(), 1);
    }

    inventory::submit! {
        Description {
            family: Family::Strategy,
            kind: "linked-for-added",
            paper: "",
            default: false,
            schema: OptionsSchema::Made(|| schemars::schema_for!(u32)),
        }
    }

    #[test]
    fn wrong_kinds_are_refused() {
        let refused = |kind: AddedKind| add(kind).unwrap_err().to_string();
        assert!(refused(kind("My Kind", 0.5)).contains("lower case, with hyphens"));
        assert!(refused(kind("linked-for-added", 0.5)).contains("is linked into this program already"));
        let mut named = kind("with-a-name", 0.5);
        named.schema["properties"]["name"] = json!({"type": "string"});
        assert!(refused(named).contains("has an option `name`"));
    }
}
