//! What classes are called.
//!
//! The library `datasets` writes a description of the columns into a file's key-value metadata, as JSON under the key
//! `huggingface`: `{"info": {"features": {"label": {"names": ["cat", …], "_type": "ClassLabel"}, …}}}`.

use parquet::file::metadata::FileMetaData;
use serde_json::Value;

/// The names of a column's classes, where the file has them.
pub fn of_column(metadata: &FileMetaData, column: &str) -> Option<Vec<String>> {
    let entries = metadata.key_value_metadata()?;
    let description = entries.iter().find(|entry| entry.key == "huggingface")?.value.as_deref()?;
    of_description(description, column)
}

fn of_description(description: &str, column: &str) -> Option<Vec<String>> {
    let description: Value = serde_json::from_str(description).ok()?;
    let names = description["info"]["features"][column]["names"].as_array()?;
    names.iter().map(|name| name.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_column() {
        let description = r#"{"info": {"features": {"img": {"_type": "Image"},
            "fine_label": {"names": ["apple", "baby"], "_type": "ClassLabel"}, "id": {"dtype": "int64", "_type": "Value"}}}}"#;
        assert_eq!(of_description(description, "fine_label").unwrap(), ["apple", "baby"]);
        for (description, column) in [(description, "id"), (description, "none"), ("{", "img"), ("[]", "img")] {
            assert_eq!(of_description(description, column), None);
        }
    }
}
