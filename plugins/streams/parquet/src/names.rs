//! The names of classes.
//!
//! The library `datasets` writes a description of the columns into a file's key-value metadata, as JSON under the key
//! `huggingface`: `{"info": {"features": {"label": {"names": ["cat", …], "_type": "ClassLabel"}, …}}}`.

use std::collections::HashSet;

use parquet::file::metadata::FileMetaData;
use serde_json::Value;

/// The names of a column's classes, if the file states them.
///
/// # Errors
/// A description of the problem, when the description cannot be read, or its names are invalid.
pub fn of_column(metadata: &FileMetaData, column: &str) -> Result<Option<Vec<String>>, String> {
    let entries = metadata.key_value_metadata().into_iter().flatten();
    let descriptions = entries.filter(|entry| entry.key == "huggingface").filter_map(|entry| entry.value.as_deref());
    let descriptions: Vec<_> = descriptions.collect();
    match descriptions[..] {
        [] => Ok(None),
        [description] => of_description(description, column),
        _ => Err("has several descriptions of its columns (the key \"huggingface\" of its metadata)".to_owned()),
    }
}

fn of_description(description: &str, column: &str) -> Result<Option<Vec<String>>, String> {
    let description: Value = serde_json::from_str(description)
        .map_err(|_| "has a description of its columns (the key \"huggingface\" of its metadata) that is not JSON")?;
    let names = match &description["info"]["features"][column]["names"] {
        Value::Null => return Ok(None),
        Value::Array(names) => names.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>(),
        _ => None,
    };
    let names =
        names.ok_or_else(|| format!("names the classes of the column {column} by values that are not texts"))?;
    let mut seen = HashSet::new();
    match names.iter().find(|name| !seen.insert(*name)) {
        Some(twice) => Err(format!("names the class \"{twice}\" twice")),
        None => Ok(Some(names)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_column() {
        let description = r#"{"info": {"features": {"img": {"_type": "Image"},
            "fine_label": {"names": ["apple", "baby"], "_type": "ClassLabel"}, "id": {"dtype": "int64", "_type": "Value"}}}}"#;
        assert_eq!(of_description(description, "fine_label").unwrap().unwrap(), ["apple", "baby"]);
        for (description, column) in [(description, "id"), (description, "none"), ("[]", "img")] {
            assert_eq!(of_description(description, column), Ok(None));
        }
    }

    #[test]
    fn descriptions_that_make_no_sense_are_refused() {
        let of = |names: &str| {
            let description = format!(r#"{{"info": {{"features": {{"label": {{"names": {names}}}}}}}}}"#);
            of_description(&description, "label").unwrap_err()
        };
        assert_eq!(of(r#"["a", "b", "a"]"#), "names the class \"a\" twice");
        for names in [r#"["a", 1]"#, "2", r#"{"0": "a"}"#] {
            assert!(of(names).contains("the column label by values that are not texts"), "{names}");
        }
        assert!(of_description("{", "label").unwrap_err().contains("is not JSON"));
    }
}
