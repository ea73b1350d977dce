//! The JSON Schema of a whole configuration file, for editors: the tables that no plugin owns, the table of every linked
//! plugin, and a list of values wherever a sweep is possible.
//!
//! The schema is shaped for editors. They should mark a wrong value and not the table around it, so keywords and conditions are
//! preferred to choices between schemas. Completion looks into `anyOf`, but not into conditions.

use alluvium_registry::{Description, Family, SchemaNode, default_kind, described, schemars};
use serde_json::{Map, Value, json};

use crate::protocol::{KEYS_OF_ONE_KIND, ProtocolKind};
use crate::root_table::RootTable;
use crate::sweep::{
    NOT_SWEPT, OWN_BACKBONE, OWN_NETWORKS, PLUGIN_TABLES, ROW_DEVICE, ROW_PROTOCOL, ROW_SURROGATE, ROW_UNKNOWN_TASK,
};

/// The name of the definition of a `[[strategies]]` table.
const STRATEGY: &str = "strategy";

/// Keywords for people. They do not change which values are accepted.
const ANNOTATIONS: [&str; 5] = ["title", "description", "default", "examples", "deprecated"];

/// The JSON Schema of a configuration file, made from the types that it is read into. Editors use it to complete and check a
/// file. It knows the plugins that are linked into the running binary, and is the same at every call.
///
/// The schema is of draft 2020-12. It uses only keywords that validators of draft 7, which some editors have, read in the same
/// way.
pub fn config_schema() -> Value {
    let mut root = schemars::schema_for!(RootTable).to_value();
    forget_rust(&mut root);
    let tables: Vec<_> = PLUGIN_TABLES
        .into_iter()
        .map(|(table, _)| table)
        .chain(["protocol", "initial", OWN_NETWORKS, "evaluation"])
        .collect();
    allow_sweeps(&mut root, &[&NOT_SWEPT[..], &tables].concat());
    let mut definitions = Map::new();
    move_definitions(&mut root, "", &mut definitions);
    definitions["Protocol"]["allOf"] = ProtocolKind::ALL.into_iter().map(refuse_foreign_keys).collect();
    for (table, family) in PLUGIN_TABLES {
        define_family(table, family, &mut definitions);
        let description = root["properties"][table]["description"].take();
        root["properties"][table] = reference(table);
        root["properties"][table]["description"] = description;
    }
    own_backbone(&mut definitions);
    for table in tables {
        sweep_table(&mut root["properties"][table], &definitions);
    }
    let mut row_surrogate = reference("surrogate");
    row_surrogate["description"] = "The surrogate data of this row; default: those of the experiment.".into();
    sweep_table(&mut row_surrogate, &definitions);
    definitions.insert(format!("{STRATEGY}.{ROW_SURROGATE}"), row_surrogate);
    let descriptions = [
        (ROW_PROTOCOL, "The protocol of this row; default: that of the experiment."),
        (ROW_DEVICE, "The settings of this row's devices that differ from those of the experiment."),
    ];
    for (key, description) in descriptions {
        let mut table = root["properties"][key].clone();
        table["description"] = description.into();
        definitions.insert(format!("{STRATEGY}.{key}"), table);
    }
    let mut unknown_task = reference(STRATEGY);
    unknown_task["description"] =
        "The strategy that answers for samples of an unknown task, from statistics of the devices; default: the heads do.".into();
    definitions.insert(format!("{STRATEGY}.{ROW_UNKNOWN_TASK}"), unknown_task);
    define_family(STRATEGY, Family::Strategy, &mut definitions);
    root["properties"]["strategies"]["items"] = reference(STRATEGY);
    // `RootTable` does not have this rule: a check by the schema would not say which seed is the repeated one.
    root["properties"]["seeds"]["uniqueItems"] = true.into();

    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:alluvium:configuration",
        "title": "Alluvium configuration",
    });
    extend(&mut schema, root);
    schema["$defs"] = Value::Object(definitions);
    schema
}

/// Lets the backbone of devices with networks of their own be any backbone, or a list of some.
fn own_backbone(definitions: &mut Map<String, Value>) {
    let key = format!("/OwnNetworksTable/properties/{OWN_BACKBONE}/description");
    let mut backbone = reference("backbone");
    backbone["description"] = Value::Object(definitions.clone()).pointer(&key).cloned().unwrap_or_default();
    sweep_table(&mut backbone, definitions);
    definitions["OwnNetworksTable"]["properties"][OWN_BACKBONE] = backbone;
}

/// Refuses keys that only another kind of protocol knows.
fn refuse_foreign_keys(kind: ProtocolKind) -> Value {
    let foreign = KEYS_OF_ONE_KIND.iter().filter(|(_, of)| *of != kind);
    let nothing = foreign.map(|(key, _)| ((*key).to_owned(), json!({ "not": {} }))).collect::<Map<_, _>>();
    json!({
        "if": { "type": "object", "required": ["kind"], "properties": { "kind": { "const": kind.name() } } },
        "then": { "properties": nothing },
    })
}

fn reference(definition: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{definition}") })
}

/// Adds the keys of another table that this table lacks.
fn extend(table: &mut Value, other: Value) {
    if let (Value::Object(table), Value::Object(other)) = (table, other) {
        other.into_iter().for_each(|(key, value)| _ = table.entry(key).or_insert(value));
    }
}

/// Moves the definitions of a schema to those of the whole file, under names that begin with `prefix`.
fn move_definitions(schema: &mut Value, prefix: &str, definitions: &mut Map<String, Value>) {
    visit(schema, &mut |table| {
        let name = table.get("$ref").and_then(Value::as_str).and_then(|pointer| pointer.strip_prefix("#/$defs/"));
        if let Some(renamed) = name.map(|name| format!("#/$defs/{prefix}{name}")) {
            table.insert("$ref".to_owned(), renamed.into());
        }
    });
    if let Some(Value::Object(own)) = schema.as_object_mut().and_then(|schema| schema.remove("$defs")) {
        definitions.extend(own.into_iter().map(|(name, definition)| (format!("{prefix}{name}"), definition)));
    }
}

/// Calls a function with every table in a schema, the outer ones first.
fn visit(schema: &mut Value, change: &mut impl FnMut(&mut Map<String, Value>)) {
    match schema {
        Value::Object(table) => {
            change(table);
            table.values_mut().for_each(|inner| visit(inner, change));
        }
        Value::Array(items) => items.iter_mut().for_each(|inner| visit(inner, change)),
        _ => {}
    }
}

/// Defines a family's table, and those of its kinds.
fn define_family(name: &str, family: Family, definitions: &mut Map<String, Value>) {
    let kinds: Vec<_> = described(family).iter().map(|one| json!(one.kind)).collect();
    let table_of = |kind: &Value| reference(&format!("{name}.{}", kind.as_str().unwrap_or_default()));
    let is = |kind: &Value| {
        let kind = format!("{}/properties/kind", table_of(kind)["$ref"].as_str().unwrap_or_default());
        json!({ "type": "object", "required": ["kind"], "properties": { "kind": { "$ref": kind } } })
    };
    // Every value fulfils this. It is here for completion.
    let completed: Vec<_> = kinds.iter().map(table_of).chain([json!({})]).collect();
    let mut checked: Vec<_> = kinds.iter().map(|kind| json!({ "if": is(kind), "then": table_of(kind) })).collect();
    let default = default_kind(family);
    if let Some(default) = default {
        let unnamed = json!({ "type": "object", "not": { "required": ["kind"] } });
        checked.push(json!({ "if": unnamed, "then": table_of(&default.into()) }));
    }
    let required = if default.is_some() { json!([]) } else { json!(["kind"]) };
    let kind = json!({ "enum": &kinds });
    let table = json!({
        "type": "object",
        "properties": { "kind": { "description": format!("One of `alluvium list {}`.", family.plural()), "anyOf": [
            kind,
            list_of(&kind),
        ] } },
        "required": required,
        "anyOf": completed,
        "allOf": checked,
    });
    definitions.insert(name.to_owned(), table);
    for description in described(family) {
        let name = format!("{name}.{}", description.kind);
        let mut table = kind_table(description, &kind);
        move_definitions(&mut table, &format!("{name}."), definitions);
        if family == Family::Strategy {
            for key in [ROW_SURROGATE, ROW_PROTOCOL, ROW_DEVICE, ROW_UNKNOWN_TASK] {
                table["properties"][key] = reference(&format!("{STRATEGY}.{key}"));
            }
        }
        definitions.insert(name, table);
    }
}

/// The table of one kind: the kind, alone or in a sweep over `kinds`; the name, for a strategy; and the plugin's options.
fn kind_table(description: &Description, kinds: &Value) -> Value {
    let mut options = description.options_schema();
    forget_rust(&mut options);
    let mut text = description.text();
    if !description.paper.is_empty() {
        text.push_str(&format!("\n\nPaper: {}", description.paper));
    }
    let mut among_others = list_of(kinds);
    among_others["contains"] = json!({ "const": description.kind });
    among_others["description"] = json!("A sweep over kinds; the other keys must fit each of them.");
    let this = json!({ "description": description.summary(), "type": "string", "const": description.kind });
    let mut keys = json!({ "kind": { "description": description.summary(), "anyOf": [this, among_others] } });
    if description.family == Family::Strategy {
        keys["name"] = json!({
            "description": "The name of the row, which no other row has; default: the kind.",
            "type": "string",
            "minLength": 1,
        });
    }
    let mut required = if description.default { vec![] } else { vec![json!("kind")] };
    allow_sweeps(&mut options, &[]);
    extend(&mut keys, options["properties"].take());
    required.extend(options["required"].as_array().cloned().unwrap_or_default());
    let mut table = json!({
        "title": description.kind,
        "description": in_paragraphs(&text),
        "type": "object",
        "properties": keys,
        "required": required,
    });
    options.as_object_mut().into_iter().for_each(|options| _ = options.remove("$schema"));
    extend(&mut table, options);
    table
}

/// Lets every key of a table also be a list of values, in inner tables and definitions, too. The keys `except` stay as they are.
fn allow_sweeps(schema: &mut Value, except: &[&str]) {
    let whole = schema.clone();
    let whole = SchemaNode::root(&whole);
    for definition in schema.get_mut("$defs").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        sweep_keys(definition, whole, &[]);
    }
    sweep_keys(schema, whole, except);
}

fn sweep_keys(table: &mut Value, whole: SchemaNode<'_>, except: &[&str]) {
    let keys = table.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten();
    for (_, property) in keys.filter(|(key, _)| !except.contains(&key.as_str())) {
        let before = property.clone();
        let node = whole.at(&before);
        sweep_keys(property, whole, &[]);
        if let Some(items) = property.get_mut("items") {
            sweep_keys(items, whole, &[]);
        }
        // A key that takes a list is swept by a list of lists, unless a list of lists could be a single value.
        if !node.takes_list() || node.items().is_some_and(|items| !items.takes_list()) {
            sweep(property);
        }
    }
}

/// A list of different values of a schema.
fn list_of(value: &Value) -> Value {
    json!({
        "description": "A sweep: each of these values.",
        "type": "array",
        "items": value,
        "minItems": 1,
        "uniqueItems": true,
    })
}

/// Lets a value also be a list of values.
fn sweep(property: &mut Value) {
    let Some(keywords) = property.as_object() else { return };
    let (annotations, value): (Map<_, _>, Map<_, _>) =
        keywords.clone().into_iter().partition(|(key, _)| ANNOTATIONS.contains(&key.as_str()));
    let (annotations, mut value) = (Value::Object(annotations), Value::Object(value));
    let list = list_of(&value);
    // The other keywords of a schema with one type apply to values of this type only.
    let is_plain = ["enum", "const", "anyOf", "oneOf", "allOf"].iter().all(|keyword| value.get(keyword).is_none());
    match value.get("type").and_then(Value::as_str).filter(|name| is_plain && *name != "array") {
        Some(name) => property["type"] = json!([name, "array"]),
        None => {
            // Some editors read annotations only inside a choice, others only outside.
            extend(&mut value, annotations.clone());
            *property = annotations;
            property["anyOf"] = json!([value, list]);
            return;
        }
    }
    ["items", "minItems", "uniqueItems"].iter().for_each(|keyword| property[keyword] = list[keyword].clone());
}

/// Lets a table that is defined elsewhere also be a list of such tables. The definition is repeated here, so that an error in
/// the table is marked where it is, and not at the choice between table and list.
fn sweep_table(property: &mut Value, definitions: &Map<String, Value>) {
    let reference = json!({ "$ref": property["$ref"].take() });
    let name = reference["$ref"].as_str().and_then(|pointer| pointer.strip_prefix("#/$defs/"));
    let mut table = name.and_then(|name| definitions.get(name)).cloned().unwrap_or_default();
    let list = list_of(&reference);
    table["type"] = json!(["object", "array"]);
    ["items", "minItems", "uniqueItems"].iter().for_each(|keyword| table[keyword] = list[keyword].clone());
    property.as_object_mut().into_iter().for_each(|property| _ = property.remove("$ref"));
    extend(property, table);
}

/// Removes `null`, which TOML does not have, and what only Rust programmers need: the sizes of numbers, and the line breaks of
/// doc comments.
fn forget_rust(schema: &mut Value) {
    let is_null = |schema: &Value| schema.is_null() || schema.get("type").is_some_and(|one| one == "null");
    visit(schema, &mut |table| {
        table.retain(|_, value| !value.is_null());
        for list in ["type", "enum", "anyOf", "oneOf"] {
            if let Some(Value::Array(items)) = table.get_mut(list) {
                items.retain(|item| !is_null(item) && item != "null");
            }
        }
        if let Some([only]) = table.get("type").and_then(Value::as_array).map(Vec::as_slice) {
            table.insert("type".to_owned(), only.clone());
        }
        if let Some([Value::Object(only)]) = table.get("anyOf").and_then(Value::as_array).map(Vec::as_slice) {
            let only = only.clone();
            table.remove("anyOf");
            only.into_iter().for_each(|(key, value)| _ = table.entry(key).or_insert(value));
        }
        let is_size = |format: &str| ["int", "uint", "float", "double"].iter().any(|size| format.starts_with(size));
        if table.get("format").and_then(Value::as_str).is_some_and(is_size) {
            table.remove("format");
        }
        if let Some(Value::String(text)) = table.get_mut("description") {
            *text = in_paragraphs(text);
        }
    });
}

/// The text without line breaks inside its paragraphs.
fn in_paragraphs(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "));
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A property as `allow_sweeps` leaves it.
    fn swept(property: Value) -> Value {
        let mut schema = json!({ "properties": { "key": property } });
        allow_sweeps(&mut schema, &[]);
        schema["properties"]["key"].take()
    }

    fn accepts(schema: &Value, value: Value) -> bool {
        alluvium_registry::check_table(schema, &value).is_empty()
    }

    #[test]
    fn a_key_is_a_value_or_a_list_of_values() {
        let found = swept(json!({"description": "Steps.", "default": 4, "type": "integer", "minimum": 1}));
        let expected = json!({
            "description": "Steps.", "default": 4, "type": ["integer", "array"], "minimum": 1,
            "items": {"type": "integer", "minimum": 1}, "minItems": 1, "uniqueItems": true,
        });
        assert_eq!(found, expected);
        for (value, right) in [(json!(1), true), (json!([1, 2]), true), (json!(0), false), (json!([1, 0]), false)] {
            assert_eq!(accepts(&found, value.clone()), right, "{value}");
        }
    }

    #[test]
    fn a_choice_keeps_its_description_within_and_without() {
        let choice = json!({"description": "Where to start.", "oneOf": [{"const": "a"}, {"const": "b"}]});
        let found = swept(choice.clone());
        assert_eq!(found["description"], "Where to start.");
        assert_eq!(found["anyOf"][0], json!({"oneOf": choice["oneOf"], "description": "Where to start."}));
        assert_eq!(found["anyOf"][1]["items"], json!({"oneOf": choice["oneOf"]}));
    }

    #[test]
    fn a_list_is_swept_by_lists_and_anything_is_left_alone() {
        let found = swept(json!({"type": "array", "items": {"type": "string"}}));
        for (value, right) in [(json!(["a"]), true), (json!([["a"], ["a", "b"]]), true), (json!(["a", ["b"]]), false)] {
            assert_eq!(accepts(&found, value.clone()), right, "{value}");
        }
        assert_eq!(swept(json!(true)), json!(true));
        let lists = json!({"type": "array", "items": {"type": "array"}});
        assert_eq!(swept(lists.clone()), lists);
    }

    #[test]
    fn nested_keys_are_swept_too() {
        let found = swept(json!({"type": "object", "properties": {"norm": {"type": "number"}}}));
        for value in [json!({"norm": [1, 2]}), json!([{"norm": 1}, {"norm": 2}])] {
            assert!(accepts(&found, value.clone()), "{value}");
        }
        assert!(!accepts(&found, json!({"norm": "a"})));
    }

    #[test]
    fn definitions_are_moved_under_their_own_names() {
        let mut schema = json!({
            "properties": {"a": {"$ref": "#/$defs/Inner"}},
            "$defs": {"Inner": {"$ref": "#/$defs/Other"}, "Other": {"type": "string"}},
        });
        let mut definitions = Map::new();
        move_definitions(&mut schema, "stream.x.", &mut definitions);
        assert_eq!(schema, json!({"properties": {"a": {"$ref": "#/$defs/stream.x.Inner"}}}));
        assert_eq!(definitions["stream.x.Inner"], json!({"$ref": "#/$defs/stream.x.Other"}));
        assert_eq!(definitions.len(), 2);
    }

    #[test]
    fn what_is_rusts_own_is_forgotten() {
        let mut schema = json!({"type": ["integer", "null"], "format": "uint64", "default": null, "minimum": 0});
        forget_rust(&mut schema);
        assert_eq!(schema, json!({"type": "integer", "minimum": 0}));
        let mut schema = json!({"anyOf": [{"type": "string"}, {"type": "null"}], "description": "One\nline.\n\nTwo."});
        forget_rust(&mut schema);
        assert_eq!(schema, json!({"type": "string", "description": "One line.\n\nTwo."}));
    }
}
