//! A TOML document with the place of everything in it.

use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Line and column, counted from 1.
pub(crate) type Place = (usize, usize);

/// A parsed document: its values as JSON, in the order in which they are written, and where each of them stands.
#[derive(Debug)]
pub(crate) struct Document {
    text: String,
    root: Map<String, Value>,
    /// Keys at the top whose values do not come from the text.
    replaced: Vec<String>,
}

impl Document {
    /// Parses a document.
    ///
    /// # Errors
    /// What is wrong with the text, and where.
    pub(crate) fn parse(text: &str) -> Result<Self, (String, Option<Place>)> {
        let table = DeTable::parse(text);
        let table = table.map_err(|error| {
            let place = error.span().map(|span| line_and_column(text, span.start));
            (error.message().to_owned(), place)
        })?;
        Ok(Document { text: text.to_owned(), root: object(table.get_ref()), replaced: vec![] })
    }

    /// The values.
    pub(crate) fn root(&self) -> &Map<String, Value> {
        &self.root
    }

    /// Puts a value in the place of a key at the top.
    pub(crate) fn replace(&mut self, key: &str, value: Value) {
        self.root.insert(key.to_owned(), value);
        self.replaced.push(key.to_owned());
    }

    /// Where the keys (and numbers, in lists) lead to: the place of the innermost one that exists, or the top. `None` for
    /// a value that does not come from the text.
    pub(crate) fn place(&self, path: &[String]) -> Option<Place> {
        if path.first().is_some_and(|key| self.replaced.contains(key)) {
            return None;
        }
        let table = DeTable::parse(&self.text).ok()?;
        let mut offset = 0;
        let mut at = DeValue::Table(table.into_inner());
        for key in path {
            let Some((start, inner)) = child(&at, key) else { break };
            (offset, at) = (start, inner);
        }
        Some(line_and_column(&self.text, offset))
    }

    /// A path taken apart for a message: the table as it is written (empty at the top), and the keys within it.
    pub(crate) fn table<'p>(&self, path: &'p [String]) -> (String, &'p [String]) {
        let [key, inner @ ..] = path else { return (String::new(), path) };
        match (self.root.get(key), inner) {
            (Some(Value::Object(_)), _) => (format!("[{key}]"), inner),
            (Some(Value::Array(items)), [number, inner @ ..]) => match number.parse::<usize>() {
                Ok(number) if items.get(number).is_some_and(Value::is_object) => {
                    (format!("[[{key}]] {}", number + 1), inner)
                }
                _ => (String::new(), path),
            },
            _ => (String::new(), path),
        }
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

/// The place of a byte of the text.
pub(crate) fn line_and_column(text: &str, offset: usize) -> Place {
    let before = &text[..offset.min(text.len())];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// The table's values in the order in which they are written; the parser sorts them by key.
fn object(table: &DeTable<'_>) -> Map<String, Value> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries.into_iter().map(|(key, value)| (key.get_ref().to_string(), json(value))).collect()
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

    fn keys(path: &[&str]) -> Vec<String> {
        path.iter().map(|key| (*key).to_owned()).collect()
    }

    fn place(path: &[&str]) -> Option<Place> {
        Document::parse(TEXT).unwrap().place(&keys(path))
    }

    #[test]
    fn keys_are_found_where_they_stand() {
        assert_eq!(place(&["name"]), Some((1, 1)));
        assert_eq!(place(&["device", "epochs"]), Some((4, 1)));
        assert_eq!(place(&["strategies", "1", "kind"]), Some((10, 3)));
        assert_eq!(place(&["strategies", "1", "missing"]), Some((9, 1)));
        assert_eq!(place(&["device", "missing"]), Some((3, 2)));
        assert_eq!(place(&["missing"]), Some((1, 1)));
    }

    #[test]
    fn items_of_a_list_are_found_where_they_stand() {
        let document = Document::parse("a = [\n  10,\n  20, \"ü\", 30\n]").unwrap();
        let place = |number: &str| document.place(&keys(&["a", number]));
        assert_eq!(place("1"), Some((3, 3)));
        assert_eq!(place("3"), Some((3, 12)), "columns count characters, not bytes");
    }

    #[test]
    fn what_was_replaced_has_no_place() {
        let mut document = Document::parse(TEXT).unwrap();
        document.replace("device", Value::Null);
        assert_eq!(document.place(&keys(&["device", "epochs"])), None);
    }

    #[test]
    fn a_path_is_a_table_and_the_keys_within() {
        let document = Document::parse(TEXT).unwrap();
        let table = |path: &[&str]| {
            let path = keys(path);
            let (table, inner) = document.table(&path);
            (table, inner.join("."))
        };
        assert_eq!(table(&["device", "epochs"]), ("[device]".to_owned(), "epochs".to_owned()));
        assert_eq!(table(&["strategies", "1", "kind"]), ("[[strategies]] 2".to_owned(), "kind".to_owned()));
        assert_eq!(table(&["strategies"]), (String::new(), "strategies".to_owned()));
        assert_eq!(table(&["name"]), (String::new(), "name".to_owned()));
    }

    #[test]
    fn values_become_json_in_the_order_of_the_file() {
        let document = Document::parse("b = inf\na = 0x10\nc = [1.5, true]").unwrap();
        assert_eq!(Value::Object(document.root).to_string(), r#"{"b":"inf","a":16,"c":[1.5,true]}"#);
    }

    #[test]
    fn a_broken_document_says_where() {
        let (_, place) = Document::parse("name = \"a\"\nseeds = [1, 2").unwrap_err();
        assert_eq!(place.map(|(line, _)| line), Some(2));
    }
}
