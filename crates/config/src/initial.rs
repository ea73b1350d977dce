//! The first weights of the central model: drawn from the seed, or those of a model file.

use std::path::Path;

use alluvium_interchange::{InterchangeError, ModelFile, Names, Reading};
use alluvium_model::{BackboneConfig, InputShape};
use burn::tensor::Device;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The `[initial]` table: the first weights of the central model, under every seed.
///
/// The central model begins with the weights of a file, as in the literature on merging models that were fine-tuned from one
/// pre-trained model. Running statistics of batch normalisation come along. Without the table, weights are drawn from the seed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Initial {
    /// The model file: safetensors, several with their index, a file by `torch.save`, or a folder with one of these; of
    /// PyTorch, of `alluvium consolidate` or of a run directory (`central.safetensors` of a stage). Its backbone must be that of
    /// `[backbone]`, for inputs in −1…1. An empty text, the default, stands for weights that are drawn from the seed, so that a
    /// sweep can compare both: `file = ["", "pretrained.pt"]`.
    pub file: String,
    /// The table of names from the file's tensors to ours, as in `alluvium consolidate --names`: a file that ends in `.toml`, or
    /// the kind of a built-in table. Default: the one that the file states, or the first built-in table that fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub names: Option<String>,
    /// What becomes of the file's classifier. Default: it is left behind.
    pub classifier: ClassifierUse,
    /// The names of the classes of the classifier's rows, in their order. Needed with `classifier = "keep"` where the file does
    /// not state them, as files of PyTorch and of run directories do not. Each must be a class of the stream.
    #[schemars(length(max = 100_000))]
    pub classes: Vec<String>,
    /// The SHA-256 digest of the file's tensors, as `alluvium inspect` shows it: another file is refused. Default: any; the
    /// results state the digest of the file that was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// What becomes of the classifier of the file with the first weights.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClassifierUse {
    /// It is left behind. Each device adds its own head, as without the table.
    #[default]
    Drop,
    /// The central model has its rows from the start, as heads: one for each head of the file. A head with exactly the classes
    /// of a task is the head of that task.
    Keep,
}

/// The model file of an [`Initial`] table, open, and its digest.
#[derive(Debug)]
pub struct InitialFile {
    /// The open file. Its values are not read yet.
    pub file: ModelFile,
    /// The SHA-256 digest of its tensors.
    pub digest: String,
}

impl Initial {
    /// Whether weights are drawn from the seed, because no file is named.
    pub fn is_random(&self) -> bool {
        self.file.is_empty()
    }

    /// Opens the file, checks it against the experiment's backbone, inputs and class names, and computes its digest.
    ///
    /// # Errors
    /// When the file cannot be used, or has another digest than the table states. The message names the file, and says what
    /// is accepted.
    pub fn open(
        &self,
        backbone: &Arc<dyn BackboneConfig>,
        input: InputShape,
        class_names: &[String],
        compute: &Device,
    ) -> Result<InitialFile, InterchangeError> {
        let path = Path::new(&self.file);
        let refused = |problem: String| InterchangeError::File { file: path.to_owned(), problem };
        let reading = Reading {
            names: Names::of_option(self.names.as_deref())?,
            backbone: Some(backbone.clone()),
            input: Some(input),
            classes: (!self.classes.is_empty()).then(|| self.classes.clone()),
            backbone_only: self.classifier == ClassifierUse::Drop,
            ..Reading::default()
        };
        let file = ModelFile::open(path, &reading, compute)?;
        if self.classifier == ClassifierUse::Keep && file.heads(class_names)?.is_empty() {
            let problem = "has no classifier to keep; accepted: `classifier` = \"drop\", or a file with one";
            return Err(refused(problem.to_owned()));
        }
        let digest = file.digest()?;
        if let Some(needed) = self.digest.as_ref().filter(|needed| **needed != digest) {
            let problem =
                format!("has the `digest` {digest}; accepted: the file whose digest is {needed}, or no `digest`");
            return Err(refused(problem));
        }
        Ok(InitialFile { file, digest })
    }

    /// The keys that have no meaning because of other keys, with what is accepted.
    pub(crate) fn idle_keys(&self) -> Vec<(&'static str, String)> {
        let mut idle = vec![];
        if self.is_random() {
            let given = [
                ("names", self.names.is_some()),
                ("classifier", self.classifier != ClassifierUse::Drop),
                ("classes", !self.classes.is_empty()),
                ("digest", self.digest.is_some()),
            ];
            let of = |key: &str| {
                format!("`{key}` is about a model file, but `file` names none; accepted: a `file`, or no `{key}`")
            };
            idle.extend(given.into_iter().filter(|(_, given)| *given).map(|(key, _)| (key, of(key))));
        } else if self.classifier == ClassifierUse::Drop && !self.classes.is_empty() {
            let message = "`classes` names the rows of a classifier that is left behind; accepted: `classifier` = \"keep\", or no \
                           `classes`";
            idle.push(("classes", message.to_owned()));
        }
        idle
    }
}
