//! Navigation in a JSON Schema: from a table to its keys, from a list to its items.

use serde_json::{Map, Value};

/// A part of a JSON Schema, together with the schema that holds its definitions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SchemaNode<'a> {
    root: &'a Value,
    schema: &'a Value,
}

impl<'a> SchemaNode<'a> {
    /// The schema as a whole.
    pub fn root(root: &'a Value) -> Self {
        SchemaNode { root, schema: root }.resolved()
    }

    /// The schema of one key of a table; `None` where the schema does not know the key.
    pub fn property(self, key: &str) -> Option<Self> {
        let own = self.schema.get("properties").and_then(|properties| properties.get(key));
        match own {
            Some(schema) => Some(self.at(schema)),
            None => self.alternatives().find_map(|alternative| alternative.property(key)),
        }
    }

    /// The keys of a table in the order of their declaration, each with its schema before a `$ref` is followed, where the doc
    /// comment of the field is.
    pub fn properties(self) -> impl Iterator<Item = (&'a String, &'a Value)> {
        self.schema.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::iter)
    }

    /// The schema of the items of a list.
    pub fn items(self) -> Option<Self> {
        match self.schema.get("items") {
            Some(schema) => Some(self.at(schema)),
            None => self.alternatives().find_map(SchemaNode::items),
        }
    }

    /// The schema of the value at a path of keys (and of numbers, in lists).
    pub fn descend(self, path: &[String]) -> Option<Self> {
        path.iter().try_fold(self, |node, key| match node.property(key) {
            None if key.parse::<usize>().is_ok() => node.items(),
            found => found,
        })
    }

    /// Whether this schema accepts a list, with any items.
    pub fn takes_list(self) -> bool {
        self.takes("array", Value::is_array)
    }

    /// Whether this schema accepts whole numbers, but not `2.0`. serde distinguishes them; JSON Schema does not.
    pub(crate) fn takes_only_integers(self) -> bool {
        self.takes("integer", Value::is_i64) && !self.takes("number", Value::is_number)
    }

    /// Whether this schema accepts values of a type, which is given by its name and by a test.
    fn takes(self, name: &str, is: fn(&Value) -> bool) -> bool {
        if let Some(types) = self.schema.get("type") {
            return types == name || types.as_array().is_some_and(|types| types.iter().any(|one| one == name));
        }
        if let Some(value) = self.schema.get("const") {
            return is(value);
        }
        if let Some(values) = self.schema.get("enum").and_then(Value::as_array) {
            return values.iter().any(is);
        }
        let mut alternatives = self.alternatives().peekable();
        // A schema without keywords accepts everything.
        alternatives.peek().is_none() || alternatives.any(|alternative| alternative.takes(name, is))
    }

    /// Whether a key of this table must be given.
    pub(crate) fn requires(self, key: &str) -> bool {
        let required = self.schema.get("required").and_then(Value::as_array);
        required.is_some_and(|keys| keys.iter().any(|other| other.as_str() == Some(key)))
    }

    /// The schemas in `anyOf`, `oneOf` and `allOf`.
    pub(crate) fn alternatives(self) -> impl Iterator<Item = Self> {
        let lists = ["anyOf", "oneOf", "allOf"].into_iter().filter_map(move |key| self.schema.get(key)?.as_array());
        lists.flatten().map(move |schema| self.at(schema))
    }

    /// The tables of which this schema takes one, by their `kind`; empty if it is not such a choice.
    pub(crate) fn kinds(self) -> Vec<(&'a str, Self)> {
        let kind = self.schema.get("properties").and_then(|properties| properties.get("kind")?.get("const")?.as_str());
        match kind {
            Some(kind) => vec![(kind, self)],
            None => self.alternatives().flat_map(SchemaNode::kinds).collect(),
        }
    }

    /// This part of the schema, with any `$ref` followed.
    pub fn schema(self) -> &'a Value {
        self.schema
    }

    /// This part of the schema with the definitions that it refers to, as a schema of its own.
    pub(crate) fn alone(self) -> Value {
        let mut schema = self.schema.clone();
        if let (Some(table), Some(definitions)) = (schema.as_object_mut(), self.root.get("$defs")) {
            table.insert("$defs".to_owned(), definitions.clone());
        }
        schema
    }

    /// A keyword of this schema.
    pub(crate) fn keyword(self, name: &str) -> Option<&'a Value> {
        self.schema.get(name)
    }

    /// Another schema under the same definitions, with any `$ref` followed.
    pub fn at(self, schema: &'a Value) -> Self {
        SchemaNode { schema, ..self }.resolved()
    }

    /// Follows a `$ref` into the definitions.
    fn resolved(self) -> Self {
        let reference = self.schema.get("$ref").and_then(Value::as_str);
        let found = reference.and_then(|reference| self.root.pointer(reference.trim_start_matches('#')));
        SchemaNode { schema: found.unwrap_or(self.schema), ..self }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({
            "properties": {
                "plain": {"type": "integer"},
                "maybe": {"anyOf": [{"$ref": "#/$defs/Inner"}, {"type": "null"}]},
                "list": {"type": ["array", "null"], "items": {"$ref": "#/$defs/Inner"}},
                "choice": {"oneOf": [{"const": "a"}, {"const": "b"}]},
                "anything": true,
            },
            "$defs": {"Inner": {"type": "object", "properties": {"depth": {"enum": [1, 2]}}}},
        })
    }

    #[test]
    fn references_and_alternatives_are_followed() {
        let schema = schema();
        let depth = |path: &[&str]| {
            let path: Vec<_> = path.iter().map(|key| (*key).to_owned()).collect();
            SchemaNode::root(&schema).descend(&path).and_then(|node| node.keyword("enum").cloned())
        };
        assert_eq!(depth(&["maybe", "depth"]), Some(json!([1, 2])));
        assert_eq!(depth(&["list", "7", "depth"]), Some(json!([1, 2])));
        assert_eq!(depth(&["maybe", "width"]), None);
        assert_eq!(depth(&["plain", "depth"]), None);
    }

    #[test]
    fn only_lists_and_schemas_without_keywords_take_a_list() {
        let schema = schema();
        let takes = |key: &str| SchemaNode::root(&schema).property(key).unwrap().takes_list();
        let expected = [("plain", false), ("maybe", false), ("list", true), ("choice", false), ("anything", true)];
        for (key, expected) in expected {
            assert_eq!(takes(key), expected, "{key}");
        }
    }
}
