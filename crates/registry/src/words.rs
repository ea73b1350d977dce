//! Schemas and values in words, for messages.

use serde_json::Value;

use crate::SchemaNode;

impl SchemaNode<'_> {
    /// What this schema accepts, in words: one of a few values, or a type and a range.
    pub fn accepts(self) -> String {
        if let Some(value) = self.keyword("const") {
            return value.to_string();
        }
        if let Some(values) = self.keyword("enum").and_then(Value::as_array) {
            let values = values.iter().filter(|value| !value.is_null());
            return values.map(Value::to_string).collect::<Vec<_>>().join(" or ");
        }
        let kinds = self.kinds();
        if kinds.len() > 1 {
            return tables_in_words(&kinds);
        }
        let is_null = |choice: &Self| choice.keyword("type").and_then(Value::as_str) == Some("null");
        let choices: Vec<_> = self.alternatives().filter(|choice| !is_null(choice)).map(Self::accepts).collect();
        if !choices.is_empty() {
            return choices.join(" or ");
        }
        format!("{}{}", self.type_in_words(), self.range_in_words())
    }

    /// The keys of a table, in words.
    pub(crate) fn keys_in_words(self) -> String {
        let names: Vec<_> = self.properties().map(|(name, _)| name.as_str()).collect();
        if names.is_empty() { "no keys".to_owned() } else { format!("the keys {}", names.join(", ")) }
    }

    fn type_in_words(self) -> String {
        let types: Vec<&str> = match self.keyword("type") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).filter(|one| *one != "null").collect(),
            _ => vec![],
        };
        let words = types.into_iter().map(|one| match one {
            "integer" => "an integer".to_owned(),
            "number" => "a number".to_owned(),
            "string" => "a string".to_owned(),
            "boolean" => "true or false".to_owned(),
            "object" => match self.properties().next() {
                Some(_) => format!("a table with {}", self.keys_in_words()),
                None => "a table".to_owned(),
            },
            "array" => match self.items() {
                Some(items) => format!("a list{}, each {}", self.length_in_words(), items.accepts()),
                None => format!("a list{}", self.length_in_words()),
            },
            other => other.to_owned(),
        });
        let words: Vec<_> = words.collect();
        if words.is_empty() { "any value".to_owned() } else { words.join(" or ") }
    }

    /// The number of items that a list may have, if it is limited.
    fn length_in_words(self) -> String {
        let bound = |key: &str| self.keyword(key).and_then(Value::as_u64);
        match (bound("minItems"), bound("maxItems")) {
            (Some(least), Some(most)) if least == most => format!(" of {least}"),
            (Some(least), _) if least > 0 => format!(" of at least {least}"),
            _ => String::new(),
        }
    }

    fn range_in_words(self) -> String {
        let bound = |key: &str| self.keyword(key).and_then(Value::as_f64);
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
}

/// Tables of which one is accepted, by their kinds, with their other keys.
fn tables_in_words(kinds: &[(&str, SchemaNode<'_>)]) -> String {
    let table = |(kind, table): &(&str, SchemaNode<'_>)| {
        let others: Vec<_> = table.properties().map(|(name, _)| name.as_str()).filter(|name| *name != "kind").collect();
        let others = if others.is_empty() { String::new() } else { format!(" and {}", others.join(", ")) };
        format!("kind = {kind:?}{others}")
    };
    format!("a table with {}", kinds.iter().map(table).collect::<Vec<_>>().join(", or "))
}

/// A value with its type: `a string: "5"`.
pub(crate) fn typed(value: &Value) -> String {
    let article = match value {
        Value::Null => "nothing:",
        Value::Bool(_) => "a boolean:",
        Value::Number(number) if number.is_f64() => "a float:",
        Value::Number(_) => "an integer:",
        Value::String(_) => "a string:",
        Value::Array(_) => "a list:",
        Value::Object(_) => "a table:",
    };
    format!("{article} {}", shown(value))
}

/// A value as a message shows it: its first 60 characters.
pub(crate) fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
