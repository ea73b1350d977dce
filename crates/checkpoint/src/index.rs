//! The index of a model in several files, as Hugging Face writes it: `model.safetensors.index.json`.

use std::collections::BTreeMap;
use std::fmt;

use alluvium_store::text;
use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::CheckpointError;
use crate::error::Place;
use crate::header::LONGEST_HEADER;
use crate::shown::shown;

/// Which tensor is in which file. Every file name is a plain name, so none leads out of the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardIndex {
    files: BTreeMap<String, String>,
}

impl ShardIndex {
    /// Reads an index that is in memory.
    ///
    /// # Errors
    /// [`CheckpointError::File`] when it is not an index or longer than 100 MB. [`CheckpointError::Tensor`] when the
    /// name of a tensor's file is not a plain file name.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CheckpointError> {
        Self::parse(&Place::new("(memory)"), bytes)
    }

    pub(crate) fn parse(place: &Place, bytes: &[u8]) -> Result<Self, CheckpointError> {
        if bytes.len() as u64 > LONGEST_HEADER {
            return Err(place.broken(format!("has {} bytes; accepted: at most {LONGEST_HEADER}", bytes.len())));
        }
        let text = text::from_bytes(bytes).map_err(|problem| place.broken(problem.to_string()))?;
        let written: IndexJson = serde_json::from_str(&text)
            .map_err(|error| place.broken(format!("is not an index of safetensors files ({error})")))?;
        for (name, file) in &written.weight_map.0 {
            if !is_plain(file) {
                let reason = format!("is listed in the file {}; accepted: a file name without a folder", shown(file));
                return Err(place.tensor(name, reason));
            }
        }
        Ok(ShardIndex { files: written.weight_map.0 })
    }

    /// The name of the file that holds a tensor.
    pub fn file_of(&self, tensor: &str) -> Option<&str> {
        self.files.get(tensor).map(String::as_str)
    }

    /// Tensors and their files, sorted by the tensor's name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(tensor, file)| (tensor.as_str(), file.as_str()))
    }
}

/// Whether this names a file within the folder on every system. It must not lead out of the folder, nor name a drive,
/// stream or device.
fn is_plain(file: &str) -> bool {
    let forbidden = |character: char| matches!(character, '/' | '\\' | ':') || character.is_control();
    !file.is_empty() && file.len() <= 255 && file != "." && file != ".." && !file.contains(forbidden)
}

#[derive(Deserialize)]
struct IndexJson {
    weight_map: WeightMap,
}

struct WeightMap(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for WeightMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WeightMapTable;
        impl<'de> Visitor<'de> for WeightMapTable {
            type Value = WeightMap;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table from tensors to files")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<WeightMap, A::Error> {
                let mut files = BTreeMap::new();
                while let Some(name) = table.next_key::<String>()? {
                    if files.contains_key(&name) {
                        table.next_value::<IgnoredAny>()?;
                        return Err(de::Error::custom(format!("the tensor {} occurs twice", shown(&name))));
                    }
                    let file = table.next_value()?;
                    files.insert(name, file);
                }
                Ok(WeightMap(files))
            }
        }
        deserializer.deserialize_map(WeightMapTable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_says_which_file_holds_a_tensor() {
        let json = br#"{"metadata": {"total_size": 8.0}, "weight_map": {"b": "2.safetensors", "a": "1.safetensors"}}"#;
        let index = ShardIndex::from_bytes(json).unwrap();
        assert_eq!(index.file_of("b"), Some("2.safetensors"));
        assert_eq!(index.iter().next(), Some(("a", "1.safetensors")));
    }

    #[test]
    fn a_path_out_of_the_folder_is_refused() {
        for file in ["", ".", "..", "../a", "/etc/passwd", "a/b", "..\\a", "C:a", "a\0", "\n"] {
            assert!(!is_plain(file), "{file:?}");
        }
        assert!(is_plain("model-00001-of-00002.safetensors") && is_plain("..a"));
        assert!(!is_plain(&"a".repeat(256)));
    }
}
