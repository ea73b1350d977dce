//! Where a model comes from: how it was consolidated, and from which models, generation by generation.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use alluvium_checkpoint::Checkpoint;
use alluvium_model::Digest;
use alluvium_strategy::{SurrogateConfig, SurrogateError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::manifest::text_of;

/// The key of the metadata under which a model's provenance stands.
pub const PROVENANCE: &str = "alluvium.provenance";

/// So many generations before a model's parents are named.
const MOST_GENERATIONS: usize = 8;
/// The provenance of a file is at most so long, in bytes; of a longer one, the oldest generations are left out.
const LONGEST: usize = 100_000;

/// How a model was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The version of Alluvium that made it.
    pub version: String,
    /// The strategy's table with all its settings.
    pub strategy: Value,
    /// The surrogate data, where the strategy used some.
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

/// A model that another one was made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parent {
    /// The name of its file or folder, without the folders that it lay in.
    pub file: String,
    /// The digest of its tensors.
    pub digest: String,
    /// The key of the state dict that was taken of its file, where that has keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_dict: Option<String>,
    /// Whether it was only what the experts started from, and counted as no expert.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub initial_only: bool,
    /// How it was made itself, where its file says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Box<Provenance>>,
    /// Whether its own provenance was left out here, for there were too many generations.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub older_left_out: bool,
}

/// The surrogate data of a consolidation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SurrogateNote {
    /// Its table with all its settings; files are named without their folders.
    pub settings: Value,
    /// The SHA-256 digest of each file that the data are made of, by its name without folders.
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

    /// As a text for the metadata: as many generations as there is room for.
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
    /// What is noted of surrogate data.
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

/// The key of the state dict that a file was taken for, if it has one.
pub(crate) fn key_of(checkpoint: &Checkpoint) -> Option<String> {
    checkpoint.state_dict().map(|dict| dict.key.clone()).filter(|key| !key.is_empty())
}

/// Which of several state dicts a file was taken for, in a sentence for people; nothing where it has no choice.
pub(crate) fn taken(path: &Path, checkpoint: &Checkpoint) -> Option<String> {
    let dict = checkpoint.state_dict().filter(|dict| !dict.others.is_empty())?;
    Some(format!("{}: {dict}", path.display()))
}

/// The last part of a path: what a file is called wherever it lies.
pub(crate) fn file_name(path: &Path) -> String {
    let canonical = || path.canonicalize().ok()?.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    name.or_else(canonical).unwrap_or_else(|| path.display().to_string())
}

/// Takes the folders off every text that is the path of a file or folder: where the user keeps them is nobody's business.
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

    /// A model of so many generations, each from the one before and an expert.
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
