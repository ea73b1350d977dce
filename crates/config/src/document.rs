//! A TOML document that knows the line and column of every key and value.

use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeFloat, DeInteger, DeTable, DeValue};

/// Line and column, counted from 1.
pub(crate) type Position = (usize, usize);

/// A reason why a text cannot be read, and its line and column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flaw {
    pub(crate) place: Option<Position>,
    pub(crate) kind: FlawKind,
}

/// What a flaw is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FlawKind {
    /// The text is not TOML. Holds the parser's message.
    Syntax(String),
    /// No option takes the value. Says what is wrong and what is accepted.
    Value(String),
}

/// A parsed document: its values as JSON, in the order of the file, and the line and column of each.
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
    /// When the text is not TOML, or holds values that no option takes. All such values are returned.
    pub(crate) fn parse(text: &str) -> Result<Self, Vec<Flaw>> {
        let table = DeTable::parse(text).map_err(|error| {
            let place = error.span().map(|span| line_and_column(text, span.start));
            vec![Flaw { place, kind: FlawKind::Syntax(error.message().to_owned()) }]
        })?;
        let mut reader = Reader { text, keys: vec![], flaws: vec![] };
        let root = reader.object(table.get_ref());
        if reader.flaws.is_empty() {
            Ok(Document { text: text.to_owned(), root, replaced: vec![] })
        } else {
            Err(reader.flaws)
        }
    }

    /// The values.
    pub(crate) fn root(&self) -> &Map<String, Value> {
        &self.root
    }

    /// Replaces the value of a key at the top of the document.
    pub(crate) fn replace(&mut self, key: &str, value: Value) {
        self.root.insert(key.to_owned(), value);
        self.replaced.push(key.to_owned());
    }

    /// The line and column that a path of keys (and of numbers, in lists) leads to. Where the path ends early, the place of
    /// the innermost key that exists. `None` for a value that does not come from the text.
    pub(crate) fn place(&self, path: &[String]) -> Option<Position> {
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

    /// Splits a path for a message: the table as it is written (empty at the top), and the keys within it.
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
pub(crate) fn line_and_column(text: &str, offset: usize) -> Position {
    let before = &text[..offset.min(text.len())];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// Reads values as JSON. Dates, and numbers that JSON cannot hold, are flaws.
struct Reader<'t> {
    text: &'t str,
    /// The path of keys to the current value.
    keys: Vec<String>,
    flaws: Vec<Flaw>,
}

impl Reader<'_> {
    /// The table's values in the order in which they are written; the parser sorts them by key.
    fn object(&mut self, table: &DeTable<'_>) -> Map<String, Value> {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let entries = entries.into_iter().map(|(key, value)| {
            self.keys.push(key.get_ref().to_string());
            let read = self.value(value, key.span().start);
            self.keys.pop();
            (key.get_ref().to_string(), read)
        });
        entries.collect()
    }

    /// Reads a value. A flaw is reported at the byte `start` of the text: where the key begins or, in a list, the value itself.
    fn value(&mut self, value: &Spanned<DeValue<'_>>, start: usize) -> Value {
        let read = match value.get_ref() {
            DeValue::String(text) => Ok(Value::String(text.to_string())),
            DeValue::Integer(written) => integer(written),
            DeValue::Float(written) => float(written),
            DeValue::Boolean(boolean) => Ok(Value::Bool(*boolean)),
            DeValue::Datetime(date) => Err(format!(
                "is the date {date}, and no key takes a date; accepted: text in quotes, such as \"{date}\""
            )),
            DeValue::Array(array) => Ok(array.iter().map(|item| self.value(item, item.span().start)).collect()),
            DeValue::Table(table) => Ok(Value::Object(self.object(table))),
        };
        read.unwrap_or_else(|problem| {
            let place = Some(line_and_column(self.text, start));
            let message = format!("`{}` {problem}", self.keys.join("."));
            self.flaws.push(Flaw { place, kind: FlawKind::Value(message) });
            Value::Null
        })
    }
}

/// TOML's whole numbers have 64 bits and a sign.
fn integer(written: &DeInteger<'_>) -> Result<Value, String> {
    let read = i64::from_str_radix(written.as_str(), written.radix());
    read.map(Value::from).map_err(|_| {
        if written.as_str().starts_with('-') {
            format!("is {written}, which is too small; accepted: whole numbers from {}", i64::MIN)
        } else {
            format!("is {written}, which is too large; accepted: whole numbers up to {}", i64::MAX)
        }
    })
}

fn float(written: &DeFloat<'_>) -> Result<Value, String> {
    let infinite = written.as_str().trim_start_matches(['+', '-']) == "inf";
    match written.as_str().parse::<f64>() {
        Ok(number) if number.is_nan() => Err("is NaN, which is not a number; accepted: a number".to_owned()),
        Ok(number) if number.is_infinite() && !infinite => {
            Err(format!("is {written}, which is too large in magnitude; accepted: numbers up to {:e}", f64::MAX))
        }
        Ok(number) => Number::from_f64(number)
            .map(Value::Number)
            .ok_or_else(|| format!("is {written}, which is infinite; accepted: a finite number")),
        Err(error) => Err(format!("is {written}, which cannot be read ({error}); accepted: a number such as 0.1")),
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

    fn place(path: &[&str]) -> Option<Position> {
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
        let document = Document::parse("b = -0.5\na = 0x10\nc = [1.5, true]").unwrap();
        assert_eq!(Value::Object(document.root).to_string(), r#"{"b":-0.5,"a":16,"c":[1.5,true]}"#);
    }

    #[test]
    fn numbers_that_no_option_takes_and_dates_are_named_where_they_stand() {
        let text = "a = nan\n[b]\nc = [1, -inf]\nd = 9223372036854775808\n\nf = 1e999\n[[g]]\n\
                    h = 2026-11-29\nok = 9223372036854775807\n";
        let flaws = Document::parse(text).unwrap_err();
        let said: Vec<_> = flaws
            .iter()
            .map(|flaw| match &flaw.kind {
                FlawKind::Value(message) => (flaw.place.unwrap(), message.split(';').next().unwrap()),
                FlawKind::Syntax(message) => panic!("{message}"),
            })
            .collect();
        let expected = [
            ((1, 1), "`a` is NaN, which is not a number"),
            ((3, 9), "`b.c` is -inf, which is infinite"),
            ((4, 1), "`b.d` is 9223372036854775808, which is too large"),
            ((6, 1), "`b.f` is 1e999, which is too large in magnitude"),
            ((8, 1), "`g.h` is the date 2026-11-29, and no key takes a date"),
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn a_broken_document_says_where() {
        let flaws = Document::parse("name = \"a\"\nseeds = [1, 2").unwrap_err();
        assert_eq!(flaws[0].place.map(|(line, _)| line), Some(2));
    }
}
