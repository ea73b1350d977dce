//! The manifest of a model file that we write: a JSON text under one key of its metadata.

use std::collections::{BTreeMap, BTreeSet};

use alluvium_checkpoint::shown;
use alluvium_model::InputShape;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Normalisation;

/// The metadata key of a manifest.
pub const MANIFEST: &str = "alluvium.model";

/// The most bytes that are read of a metadata text.
const LONGEST_TEXT: usize = 4_000_000;
/// The longest name of a class or a head, in characters.
const LONGEST_NAME: usize = 200;

/// A head and the names of its classes, in the order of its rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedHead {
    /// The head's name: letters, digits, `-` and `_`.
    pub name: String,
    /// The class name of each row. No class occurs twice within a head.
    pub classes: Vec<String>,
}

/// The description of the model in a file. The rows of its classifier are those of the first head, then those of the
/// second, and so on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The backbone's table: its kind and its options.
    pub backbone: Value,
    /// The shape of one input: `[channels, height, width]` for pictures.
    pub input: InputShape,
    /// The normalisation that the model expects of its inputs.
    pub normalisation: Normalisation,
    /// The built-in table of names that the tensors follow. Absent if the user gave a table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<String>,
    /// The heads, in the order of the classifier's rows.
    pub heads: Vec<NamedHead>,
}

impl Manifest {
    /// The manifest in a file's metadata, if there is one. Names are checked here, everything else where it is used.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn read(metadata: &BTreeMap<String, String>) -> Result<Option<Self>, String> {
        let Some(manifest) = text_of::<Manifest>(metadata, MANIFEST)? else { return Ok(None) };
        check_heads(&manifest.heads).map_err(|problem| format!("the metadata's key `{MANIFEST}`: {problem}"))?;
        Ok(Some(manifest))
    }
}

/// Parses a metadata text that is JSON.
pub(crate) fn text_of<T: DeserializeOwned>(
    metadata: &BTreeMap<String, String>,
    key: &str,
) -> Result<Option<T>, String> {
    let Some(text) = metadata.get(key) else { return Ok(None) };
    if text.len() > LONGEST_TEXT {
        let length = text.len();
        return Err(format!("the metadata's key `{key}` has {length} bytes; accepted: at most {LONGEST_TEXT}"));
    }
    serde_json::from_str(text).map(Some).map_err(|error| {
        let reason = shown(&error.to_string());
        format!("the metadata's key `{key}` cannot be read: {reason}; accepted: what `alluvium consolidate` writes")
    })
}

fn check_heads(heads: &[NamedHead]) -> Result<(), String> {
    let mut names = BTreeSet::new();
    for head in heads {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if head.name.is_empty() || head.name.len() > LONGEST_NAME || !head.name.chars().all(plain) {
            return Err(format!(
                "{} is not a valid name of a head; accepted: letters, digits, - and _",
                shown(&head.name)
            ));
        }
        if !names.insert(&head.name) {
            return Err(format!("there are two heads {}", shown(&head.name)));
        }
        check_classes(&head.classes)?;
    }
    Ok(())
}

/// Checks the names of one head's classes.
///
/// # Errors
/// What is wrong with them, and what is accepted.
pub(crate) fn check_classes(classes: &[String]) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    if classes.is_empty() {
        return Err("a head has no class".to_owned());
    }
    for class in classes {
        if class.trim().is_empty() || class.chars().count() > LONGEST_NAME || class.chars().any(char::is_control) {
            return Err(format!(
                "{} is not a valid name of a class; accepted: up to {LONGEST_NAME} characters that can be printed",
                shown(class)
            ));
        }
        if !seen.insert(class) {
            return Err(format!("the class {} is named twice", shown(class)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Manifest>, String> {
        Manifest::read(&BTreeMap::from([(MANIFEST.to_owned(), text.to_owned())]))
    }

    const GOOD: &str = r#"{"backbone":{"kind":"mlp"},"input":[1,2,3],"normalisation":{"mean":[0.5],"std":[0.5]},
        "heads":[{"name":"head-1","classes":["a","b"]},{"name":"head-2","classes":["b","c"]}]}"#;

    #[test]
    fn a_manifest_is_read_as_it_was_written() {
        let manifest = read(GOOD).unwrap().unwrap();
        assert_eq!((manifest.input, manifest.heads.len(), &manifest.names), ([1, 2, 3].into(), 2, &None));
        assert_eq!(read(&serde_json::to_string(&manifest).unwrap()).unwrap().unwrap(), manifest);
        assert_eq!(Manifest::read(&BTreeMap::new()), Ok(None));
    }

    #[test]
    fn what_is_wrong_with_a_manifest_is_said() {
        let cases = [
            ("{", "cannot be read"),
            (&GOOD.replace("head-2", "head-1"), "two heads `head-1`"),
            (&GOOD.replace("head-2", "a.b"), "`a.b` is not a valid name of a head"),
            (&GOOD.replace("[\"b\",\"c\"]", "[\"c\",\"c\"]"), "`c` is named twice"),
            (&GOOD.replace("[\"b\",\"c\"]", "[]"), "has no class"),
            (&GOOD.replace("\"c\"", "\"\\u001b[31m\""), "`\\u{1b}[31m` is not a valid name of a class"),
            (&GOOD.replace("\"heads\"", "\"hands\""), "unknown field `hands`"),
            (&" ".repeat(LONGEST_TEXT + 1), "4000001 bytes"),
        ];
        for (text, expected) in cases {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected) && error.contains(MANIFEST), "{error}");
        }
    }
}
