//! The provenance of a model: how it was consolidated, and from which models, generation by generation.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use alluvium_checkpoint::Checkpoint;
use alluvium_model::Digest;
use alluvium_strategy::{SurrogateConfig, SurrogateError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::manifest::text_of;

/// The metadata key of a model's provenance.
pub const PROVENANCE: &str = "alluvium.provenance";

/// The most generations that are recorded before a model's parents.
const MOST_GENERATIONS: usize = 8;
/// The most bytes of a provenance. The oldest generations of a longer one are left out.
const LONGEST: usize = 100_000;

/// How a model was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The version of Alluvium that made it.
    pub version: String,
    /// The strategy's table with all its settings.
    pub strategy: Value,
    /// The surrogate data, if the strategy used some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surrogate: Option<SurrogateNote>,
    /// The seed of everything random.
    pub seed: u64,
    /// The backend's table.
    pub backend: Value,
    /// The central model before the consolidation.
    pub previous: Parent,
    /// The experts, in the order in which they were consolidated.
    pub experts: Vec<Parent>,
}

/// A model that was consolidated into another one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parent {
    /// The name of its file or folder, without the path to it.
    pub file: String,
    /// The digest of its tensors.
    pub digest: String,
    /// The key of the state dict that was read from its file, if that has keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_dict: Option<String>,
    /// Whether it was only the start of the experts, and did not count as an expert.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub initial_only: bool,
    /// How it was made itself, if its file says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Box<Provenance>>,
    /// Whether its own provenance was left out because there were too many generations.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub older_left_out: bool,
}

/// The surrogate data of a consolidation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SurrogateNote {
    /// Its table with all settings. Files are named without their folders.
    pub settings: Value,
    /// The SHA-256 digest of each source file of the data, by its name without folders.
    pub files: Vec<(String, String)>,
}

impl Provenance {
    /// The provenance in a file's metadata, if it has one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn read(metadata: &BTreeMap<String, String>) -> Result<Option<Self>, String> {
        text_of(metadata, PROVENANCE)
    }

    /// The provenance as a metadata text, with as many generations as fit.
    pub(crate) fn to_text(&self) -> String {
        let text = |generations| serde_json::to_string(&self.cut(generations)).unwrap_or_default();
        let fits = |text: &String| text.len() <= LONGEST;
        (1..=MOST_GENERATIONS).rev().map(text).find(fits).unwrap_or_else(|| text(0))
    }

    fn cut(&self, generations: usize) -> Self {
        let cut = |parent: &Parent| match (&parent.provenance, generations) {
            (None, _) => parent.clone(),
            (Some(_), 0) => Parent { provenance: None, older_left_out: true, ..parent.clone() },
            (Some(own), _) => Parent { provenance: Some(Box::new(own.cut(generations - 1))), ..parent.clone() },
        };
        Provenance {
            previous: cut(&self.previous),
            experts: self.experts.iter().map(cut).collect(),
            version: self.version.clone(),
            strategy: self.strategy.clone(),
            surrogate: self.surrogate.clone(),
            seed: self.seed,
            backend: self.backend.clone(),
        }
    }
}

impl SurrogateNote {
    /// The record of surrogate data.
    ///
    /// # Errors
    /// [`SurrogateError::File`] when one of their files cannot be read.
    pub fn of(config: &dyn SurrogateConfig) -> Result<Self, SurrogateError> {
        let (mut settings, mut files) = (serde_json::to_value(config).unwrap_or_default(), vec![]);
        for path in config.files() {
            let bytes = fs::read(&path).map_err(|error| SurrogateError::File {
                path: path.display().to_string(),
                cause: format!("cannot be read ({error})"),
                accepted: "a file that can be read".to_owned(),
            })?;
            files.push((file_name(&path), Digest::of(&bytes).as_str().to_owned()));
        }
        shorten_paths(&mut settings);
        Ok(SurrogateNote { settings, files })
    }
}

/// The key of the state dict that was chosen from a file, if it has one.
pub(crate) fn key_of(checkpoint: &Checkpoint) -> Option<String> {
    checkpoint.state_dict().map(|dict| dict.key.clone()).filter(|key| !key.is_empty())
}

/// Which state dict of a file was chosen, as a sentence for people. `None` if there was no choice.
pub(crate) fn taken(path: &Path, checkpoint: &Checkpoint) -> Option<String> {
    let dict = checkpoint.state_dict().filter(|dict| !dict.others.is_empty())?;
    Some(format!("{}: {dict}", path.display()))
}

/// The last component of a path.
pub(crate) fn file_name(path: &Path) -> String {
    let canonical = || path.canonicalize().ok()?.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    name.or_else(canonical).unwrap_or_else(|| path.display().to_string())
}

/// Removes the folders from every text that is the path of a file or folder, because they are private to the user.
fn shorten_paths(settings: &mut Value) {
    match settings {
        Value::String(text) if text.contains(['/', '\\']) => *text = file_name(Path::new(text.as_str())),
        Value::Array(items) => items.iter_mut().for_each(shorten_paths),
        Value::Object(table) => table.values_mut().for_each(shorten_paths),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parent(file: &str, provenance: Option<Provenance>) -> Parent {
        let provenance = provenance.map(Box::new);
        Parent {
            file: file.to_owned(),
            digest: "0".repeat(64),
            state_dict: None,
            initial_only: false,
            provenance,
            older_left_out: false,
        }
    }

    /// A model of the given number of generations, each made from the one before and an expert.
    fn model(generations: usize, note: &str) -> Provenance {
        let before = (generations > 1).then(|| model(generations - 1, note));
        Provenance {
            version: "0.1.0".to_owned(),
            strategy: json!({ "kind": "naive", "note": note }),
            surrogate: None,
            seed: 0,
            backend: json!({ "kind": "flex" }),
            previous: parent(&format!("model-{}", generations - 1), before),
            experts: vec![parent("expert", None)],
        }
    }

    fn generations(provenance: &Provenance) -> usize {
        1 + provenance.previous.provenance.as_deref().map_or(0, generations)
    }

    fn again(provenance: &Provenance) -> Provenance {
        let metadata = BTreeMap::from([(PROVENANCE.to_owned(), provenance.to_text())]);
        Provenance::read(&metadata).unwrap().unwrap()
    }

    #[test]
    fn a_chain_is_kept_up_to_a_number_of_generations() {
        assert_eq!(again(&model(3, "")), model(3, ""));
        let read = again(&model(30, ""));
        assert_eq!(generations(&read), 1 + MOST_GENERATIONS);
        let mut oldest = &read;
        while let Some(before) = &oldest.previous.provenance {
            oldest = before;
        }
        assert!(oldest.previous.older_left_out && !read.previous.older_left_out);
    }

    #[test]
    fn a_chain_is_kept_up_to_a_number_of_bytes() {
        // 9 generations of 40 000 bytes are too long, two are not.
        let read = again(&model(9, &"x".repeat(40_000)));
        assert_eq!(generations(&read), 2);
        assert!(read.to_text().len() < LONGEST);
    }

    #[test]
    fn paths_lose_their_folders() {
        let mut settings =
            json!({ "image": "/home/somebody/photo.jpg", "kind": "single-image", "of": [{ "folder": "a/b" }] });
        shorten_paths(&mut settings);
        assert_eq!(settings, json!({ "image": "photo.jpg", "kind": "single-image", "of": [{ "folder": "b" }] }));
    }
}
