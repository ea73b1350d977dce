//! A TOML document with the place of everything in it.

use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A parsed document: its values as JSON, and where each of them stands.
#[derive(Debug)]
pub(crate) struct Document {
    text: String,
    pub(crate) root: Map<String, Value>,
}

impl Document {
    /// Parses a document.
    ///
    /// # Errors
    /// What is wrong with the text, and the line and column, counted from 1.
    pub(crate) fn parse(text: &str) -> Result<Self, (String, Option<(usize, usize)>)> {
        let table = DeTable::parse(text);
        let table = table.map_err(|error| {
            let place = error.span().map(|span| line_and_column(text, span.start));
            (error.message().to_owned(), place)
        })?;
        Ok(Document { text: text.to_owned(), root: object(table.get_ref()) })
    }

    /// The line and column, counted from 1, of the value that the keys lead to; of the innermost one that exists.
    pub(crate) fn place(&self, path: &[String]) -> Option<(usize, usize)> {
        let table = DeTable::parse(&self.text).ok()?;
        let mut offset = None;
        let mut at = DeValue::Table(table.into_inner());
        for key in path {
            let Some((start, inner)) = child(&at, key) else { break };
            (offset, at) = (Some(start), inner);
        }
        Some(line_and_column(&self.text, offset?))
    }
}

/// Where a key stands, and its value.
fn child<'i>(value: &DeValue<'i>, key: &str) -> Option<(usize, DeValue<'i>)> {
    match value {
        DeValue::Table(table) => {
            let (own, inner) = table.iter().find(|(own, _)| own.get_ref().as_ref() == key)?;
            Some((own.span().start, inner.get_ref().clone()))
        }
        DeValue::Array(array) => {
            let inner = array.get(key.parse::<usize>().ok()?)?;
            Some((inner.span().start, inner.get_ref().clone()))
        }
        _ => None,
    }
}

fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..offset.min(text.len())];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

fn object(table: &DeTable<'_>) -> Map<String, Value> {
    table.iter().map(|(key, value)| (key.get_ref().to_string(), json(value))).collect()
}

/// Numbers that JSON does not know (inf, nan) and dates become strings: no option accepts them, and the message about
/// the option then shows what was written.
fn json(value: &Spanned<DeValue<'_>>) -> Value {
    match value.get_ref() {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(integer) => {
            let digits = integer.as_str();
            let parsed = i64::from_str_radix(digits, integer.radix()).map(Number::from);
            parsed.map_or_else(|_| Value::String(digits.to_owned()), Value::Number)
        }
        DeValue::Float(float) => {
            let parsed = float.as_str().parse::<f64>().ok().and_then(Number::from_f64);
            parsed.map_or_else(|| Value::String(float.as_str().to_owned()), Value::Number)
        }
        DeValue::Boolean(boolean) => Value::Bool(*boolean),
        DeValue::Datetime(datetime) => Value::String(datetime.to_string()),
        DeValue::Array(array) => Value::Array(array.iter().map(json).collect()),
        DeValue::Table(table) => Value::Object(object(table)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "name = \"a\"\n\n[device]\nepochs = 0x10\n\n[[strategies]]\nkind = \"naive\"\n\n[[strategies]]\n  kind = 3\n";

    fn place(path: &[&str]) -> Option<(usize, usize)> {
        Document::parse(TEXT).unwrap().place(&path.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn keys_are_found_where_they_stand() {
        assert_eq!(place(&["name"]), Some((1, 1)));
        assert_eq!(place(&["device", "epochs"]), Some((4, 1)));
        assert_eq!(place(&["strategies", "1", "kind"]), Some((10, 3)));
        assert_eq!(place(&["device", "missing"]), Some((3, 2)));
        assert_eq!(place(&["missing"]), None);
    }

    #[test]
    fn values_become_json() {
        let document = Document::parse("a = 0x10\nb = inf\nc = [1.5, true]").unwrap();
        assert_eq!(Value::Object(document.root), serde_json::json!({"a": 16, "b": "inf", "c": [1.5, true]}));
    }

    #[test]
    fn a_broken_document_says_where() {
        let (_, place) = Document::parse("name = \"a\"\nseeds = [1, 2").unwrap_err();
        assert_eq!(place.map(|(line, _)| line), Some(2));
    }
}
