//! The content of a model file, whoever wrote it.

use std::collections::BTreeMap;
use std::path::Path;

use alluvium_checkpoint::{Checkpoint, CheckpointError, StateDict, shown};
use alluvium_model::{DIFFERENCE, InputShape};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::architecture::backbone_in_words;
use crate::manifest::text_of;
use crate::printable::printable;
use crate::{ForeignModel, InterchangeError, NamedHead, Provenance, Reading};

/// The keys of the metadata of a model in a run directory, and of an expert's manifest there.
const RUN_MODEL: &str = "alluvium";
const RUN_EXPERT: &str = "alluvium.manifest";

/// The number of tensors of each type of values, by the name of the type.
pub type Dtypes = BTreeMap<String, usize>;

/// The content of a model file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// The path of the file or folder, as given.
    pub file: String,
    /// For a file by `torch.save`: the state dict that was chosen, and the others it holds.
    pub state_dict: Option<StateDict>,
    /// The number of files that the model consists of, including its index.
    pub files: usize,
    /// How many tensors there are.
    pub tensors: usize,
    /// How many tensors have each type.
    pub dtypes: Dtypes,
    /// The number of floats in all tensors, including running statistics.
    pub parameters: u64,
    /// How many bytes all tensors take.
    pub bytes: u64,
    /// The digest of the tensors.
    pub digest: String,
    /// What kind of model it is.
    pub model: Kind,
    /// How the model was made, if the file says so.
    pub provenance: Option<Provenance>,
}

/// What kind of model a file holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Kind {
    /// A model that can be consolidated.
    Foreign {
        /// The backbone's table.
        backbone: Value,
        /// The shape of one input.
        input: InputShape,
        /// The table of names.
        names: String,
        /// The heads with their classes, in the order of the classifier's rows.
        heads: Vec<NamedHead>,
        /// Whether the classes have numbers instead of names.
        numbered: bool,
        /// The assumptions that were made.
        assumed: Vec<String>,
    },
    /// A model of a run directory.
    Run {
        /// The backbone's table.
        backbone: Value,
        /// The shape of one input.
        input: InputShape,
        /// The heads with the indices of their classes in the stream.
        heads: Vec<RunHead>,
        /// The classifier across tasks, if the model has one.
        #[serde(skip_serializing_if = "Option::is_none")]
        across: Option<RunAcross>,
        /// The manifest of the expert, if the model is one.
        expert: Option<Value>,
        /// Whether the file holds only the difference of the expert to the model that its device took.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        difference: bool,
    },
    /// A model that is not known here.
    Unknown {
        /// Why it is not known, and what is accepted.
        reason: String,
    },
}

/// A head of a model in a run directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunHead {
    /// The head's name.
    pub name: String,
    /// The class index of each row in the stream.
    pub classes: Vec<usize>,
}

/// A classifier across tasks of a model in a run directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunAcross {
    /// The class index of each score in the stream.
    pub classes: Vec<usize>,
    /// When it answers: `unknown-task`, `always` or `which-task`.
    pub answers: String,
}

/// The metadata of a model in a run directory.
#[derive(Deserialize)]
struct RunHeader {
    backbone: Value,
    input: InputShape,
    heads: Vec<RunHead>,
    across: Option<RunAcross>,
}

impl Inspection {
    /// Inspects a model file. Reads all tensors once, for their digest.
    ///
    /// # Errors
    /// When the file cannot be read as a model file. An unknown model is not an error.
    pub fn of(path: &Path, reading: &Reading, compute: &Device) -> Result<Self, InterchangeError> {
        Self::opened(path, &|| Checkpoint::open_state_dict(path, reading.state_dict.as_ref()), reading, compute)
    }

    /// Like [`of`](Self::of), for a checkpoint that `open` opens: it is called twice. `path` is its path, or the name that messages
    /// use.
    ///
    /// # Errors
    /// Those of [`of`](Self::of).
    pub fn opened(
        path: &Path,
        open: &dyn Fn() -> Result<Checkpoint, CheckpointError>,
        reading: &Reading,
        compute: &Device,
    ) -> Result<Self, InterchangeError> {
        let checkpoint = open()?;
        let mut dtypes = Dtypes::new();
        for info in checkpoint.tensors() {
            *dtypes.entry(info.dtype.name().to_owned()).or_default() += 1;
        }
        let wrong = |problem: String| InterchangeError::file(path, problem);
        let (model, provenance) = if [RUN_MODEL, DIFFERENCE].iter().any(|key| checkpoint.metadata().contains_key(*key))
        {
            (run_model(&checkpoint).map_err(wrong)?, None)
        } else {
            match ForeignModel::of(path, open()?, reading, compute) {
                Ok(model) => {
                    let provenance = model.provenance().cloned();
                    (Kind::of(&model), provenance)
                }
                Err(error) => {
                    let provenance = Provenance::read(checkpoint.metadata()).map_err(wrong)?;
                    (Kind::Unknown { reason: error.to_string() }, provenance)
                }
            }
        };
        Ok(Inspection {
            file: path.display().to_string(),
            state_dict: checkpoint.state_dict().cloned(),
            files: checkpoint.files().len(),
            tensors: checkpoint.tensors().count(),
            dtypes,
            parameters: checkpoint.parameters(),
            bytes: checkpoint.bytes(),
            digest: checkpoint.digest()?,
            model,
            provenance,
        })
    }

    /// The content as text for people.
    pub fn to_text(&self) -> String {
        let types: Vec<_> = self.dtypes.iter().map(|(name, count)| format!("{count} {name}")).collect();
        let files = if self.files == 1 { String::new() } else { format!(" in {} files", self.files) };
        let mut text = Text::default();
        text.line("file", &format!("{} ({:.1} MB{files})", self.file, self.bytes as f64 / 1e6));
        if let Some(dict) = self.state_dict.as_ref().filter(|dict| !dict.key.is_empty() || !dict.others.is_empty()) {
            text.line("", &dict.to_string());
        }
        text.line("tensors", &format!("{}: {}", self.tensors, types.join(", ")));
        text.line("parameters", &self.parameters.to_string());
        text.line("digest", &self.digest);
        self.model.describe(&mut text);
        match &self.provenance {
            Some(provenance) => describe_generation(provenance, 0, &mut text),
            None => text.line("provenance", "it does not say"),
        }
        text.0
    }
}

impl Kind {
    fn of(model: &ForeignModel) -> Self {
        Kind::Foreign {
            backbone: model.backbone_table().clone(),
            input: model.input(),
            names: model.names().to_string(),
            heads: model.heads().to_vec(),
            numbered: model.is_numbered(),
            assumed: model.assumed().to_vec(),
        }
    }

    fn describe(&self, text: &mut Text) {
        match self {
            Kind::Unknown { reason } => text.line("architecture", &format!("not known: {reason}")),
            Kind::Foreign { backbone, input, names, heads, numbered, assumed } => {
                text.line("architecture", &format!("{}, inputs of {input}", backbone_in_words(backbone)));
                assumed.iter().for_each(|assumed| text.line("", assumed));
                text.line("names", names);
                let rows: usize = heads.iter().map(|head| head.classes.len()).sum();
                let note = if *numbered { ", which have numbers instead of names" } else { "" };
                text.line("classes", &format!("{rows} in {}{note}", counted(heads.len(), "head")));
                for head in heads {
                    text.line(&format!("  {}", head.name), &head.classes.join(", "));
                }
            }
            Kind::Run { backbone, input, heads, across, expert, difference } => {
                let what = match (difference, expert) {
                    (true, _) => "only what changed in an expert",
                    (false, Some(_)) => "an expert",
                    (false, None) => "a central model",
                };
                text.line("architecture", &format!("{}, inputs of {input}", backbone_in_words(backbone)));
                text.line("", &format!("{what} of a run directory; its classes have numbers, not names"));
                let rows: usize = heads.iter().map(|head| head.classes.len()).sum();
                text.line("classes", &format!("{rows} in {}", counted(heads.len(), "head")));
                for head in heads {
                    let classes: Vec<_> = head.classes.iter().map(usize::to_string).collect();
                    text.line(&format!("  {}", shown(&head.name)), &classes.join(", "));
                }
                if let Some(RunAcross { classes, answers }) = across {
                    let classes = classes.len();
                    text.line(
                        "across tasks",
                        &format!("a classifier of {classes} classes, from statistics of devices; answers: {answers}"),
                    );
                }
                if let Some(task) = expert.as_ref().and_then(|manifest| manifest["task_name"].as_str()) {
                    text.line("task", &shown(task));
                }
            }
        }
    }
}

fn run_model(checkpoint: &Checkpoint) -> Result<Kind, String> {
    let metadata = checkpoint.metadata();
    let difference = metadata.contains_key(DIFFERENCE);
    let key = if difference { DIFFERENCE } else { RUN_MODEL };
    let header: Option<RunHeader> = text_of(metadata, key)?;
    let Some(RunHeader { backbone, input, heads, across }) = header else {
        return Err(format!("the metadata lack the key `{key}`"));
    };
    Ok(Kind::Run { backbone, input, heads, across, expert: text_of(metadata, RUN_EXPERT)?, difference })
}

/// Describes one consolidation and, indented below it, those that led to it.
fn describe_generation(provenance: &Provenance, depth: usize, text: &mut Text) {
    let kind = provenance.strategy["kind"].as_str().unwrap_or_default();
    let backend = provenance.backend["kind"].as_str().unwrap_or_default();
    let made = format!("{kind}, seed {}, on {backend}, by Alluvium {}", provenance.seed, provenance.version);
    let indent = "  ".repeat(depth);
    text.line(if depth == 0 { "provenance" } else { "" }, &format!("{indent}{made}"));
    text.line("", &format!("{indent}  settings {}", provenance.strategy));
    if let Some(surrogate) = &provenance.surrogate {
        text.line("", &format!("{indent}  surrogate {}", surrogate.settings));
        for (file, digest) in &surrogate.files {
            text.line("", &format!("{indent}    {file} {digest}"));
        }
    }
    let previous = [("previous", &provenance.previous)];
    for (role, parent) in previous.into_iter().chain(provenance.experts.iter().map(|expert| ("expert", expert))) {
        let dict = parent.state_dict.as_ref().map(|key| format!(" ({})", shown(key))).unwrap_or_default();
        let note = match (parent.initial_only, parent.older_left_out) {
            (true, _) => " (what the experts started from)",
            (false, true) => " (older generations are left out)",
            (false, false) => "",
        };
        text.line("", &format!("{indent}  {role} {}{dict} {}{note}", parent.file, parent.digest));
        if let Some(own) = &parent.provenance {
            describe_generation(own, depth + 2, text);
        }
    }
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Lines of a key and a value. Both may come from a file, so line breaks in them are escaped.
#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, key: &str, value: &str) {
        let (key, value) = (printable(key), printable(value));
        self.0.push_str(format!("{key:13} {value}").trim_end());
        self.0.push('\n');
    }
}
