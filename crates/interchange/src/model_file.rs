//! A model file as a model of a stream: the first weights of a centre, or the expert of a device.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alluvium_checkpoint::{Checkpoint, listed, shown};
use alluvium_model::{BACKBONE, BackboneConfig, HeadSpec, InputShape, ModelState, Values};
use burn::tensor::Device;

use crate::architecture::{backbone_in_words, table_of};
use crate::consolidation::rows_of;
use crate::manifest::check_classes;
use crate::own_model::{OwnModel, RUN_MODEL, refuse_difference, rows_in_words};
use crate::{Fallback, ForeignModel, InterchangeError, Reading};

/// An open model file that may become part of an experiment: one of a run directory, one that `alluvium consolidate` wrote, or
/// one of another framework; a file, several files with their index, or a folder with either. Its tensors match its backbone.
/// Values are read only when they are needed.
///
/// ```
/// use std::path::Path;
/// use std::sync::Arc;
///
/// use alluvium_interchange::{InterchangeError, ModelFile, Reading};
/// use alluvium_model::{BackboneConfig, InputShape, ModelState};
///
/// /// The expert in a file whose rows have the classes `classes`, on a stream with the classes `stream`.
/// fn expert(
///     path: &Path,
///     (backbone, input): (Arc<dyn BackboneConfig>, InputShape),
///     (classes, stream): (Vec<String>, &[String]),
///     compute: &burn::tensor::Device,
/// ) -> Result<ModelState, InterchangeError> {
///     let (backbone, input) = (Some(backbone), Some(input));
///     let reading = Reading { backbone, input, classes: Some(classes), ..Reading::default() };
///     ModelFile::open(path, &reading, compute)?.expert("task-1", stream)
/// }
/// ```
#[derive(Debug)]
pub struct ModelFile {
    path: PathBuf,
    source: OpenModel,
    /// The name of each head, and the number of its rows. Empty if the classifier is left behind.
    heads: Vec<(String, usize)>,
    /// The class of each row, head after head. `None` if neither the file nor the caller names them.
    classes: Option<Vec<String>>,
}

#[derive(Debug)]
enum OpenModel {
    Own(Box<OwnModel>),
    Foreign(Box<ForeignModel>),
}

impl ModelFile {
    /// Opens a model file, and checks its tensors against its backbone. Reads no values.
    ///
    /// `reading.backbone` and `reading.input` are those of the experiment. If they are left out, they are the file's own or
    /// found from its tensors. `reading.classes` names the classes of the classifier's rows, head after head.
    ///
    /// # Errors
    /// When the file cannot be read; when a tensor is missing, has a wrong shape or is not part of the model; when the file
    /// states another backbone, other inputs or other classes than `reading`, or expects inputs that are not in −1…1. The
    /// message names the file and its tensor or class, and says what is accepted.
    pub fn open(path: &Path, reading: &Reading, compute: &Device) -> Result<Self, InterchangeError> {
        let checkpoint = Checkpoint::open_state_dict(path, reading.state_dict.as_ref())?;
        refuse_difference(path, &checkpoint)?;
        if reading.names.is_some() && checkpoint.metadata().contains_key(RUN_MODEL) {
            let problem =
                "is a model of a run directory, which needs no table of names; accepted: no `names` for this file";
            return Err(InterchangeError::file(path, problem));
        }
        let (source, mut heads, stated) = if reading.names.is_none() && OwnModel::is_in(&checkpoint) {
            let model = OwnModel::of(path, checkpoint, reading, compute)?;
            let heads = model.heads.clone();
            (OpenModel::Own(Box::new(model)), heads, None)
        } else {
            let model = open_foreign(path, reading, compute)?;
            let heads = model.heads().iter().map(|head| (head.name.clone(), head.classes.len())).collect();
            let stated = (!model.heads().is_empty() && !model.is_numbered()).then(|| model.classes());
            (OpenModel::Foreign(Box::new(model)), heads, stated)
        };
        if reading.backbone_only {
            heads.clear();
        }
        let mut model = ModelFile { path: path.to_owned(), source, heads, classes: None };
        model.check_architecture(reading)?;
        if !reading.backbone_only {
            model.classes = model.agreed_classes(reading.classes.as_deref(), stated)?;
        }
        Ok(model)
    }

    /// Checks that the file's backbone and inputs are those that are needed.
    fn check_architecture(&self, reading: &Reading) -> Result<(), InterchangeError> {
        let [own, needed] = [Some(self.backbone()), reading.backbone.clone()].map(|one| one.map(|one| table_of(&*one)));
        if let (Some(own), Some(needed)) = (&own, &needed)
            && own != needed
        {
            let [own, needed] = [own, needed].map(backbone_in_words);
            let problem = format!(
                "is a {own}, but {needed} is needed; accepted: a file of that backbone, or `[backbone]` as in the file"
            );
            return Err(self.wrong(problem));
        }
        match reading.input.filter(|needed| *needed != self.input()) {
            Some(needed) => {
                let own = self.input();
                Err(self.wrong(format!(
                    "takes inputs of {own}, but {needed} is needed; accepted: a model for inputs of {needed}"
                )))
            }
            None => Ok(()),
        }
    }

    /// The classes of all rows: those that the file states, or those that the caller does.
    fn agreed_classes(
        &self,
        said: Option<&[String]>,
        stated: Option<Vec<String>>,
    ) -> Result<Option<Vec<String>>, InterchangeError> {
        let list = |classes: &[String]| listed(classes.iter().map(String::as_str));
        let Some(said) = said else { return Ok(stated) };
        if self.heads.is_empty() {
            let problem = format!("has no classifier, but `classes` names {}; accepted: no `classes`", list(said));
            return Err(self.wrong(problem));
        }
        let rows: usize = self.heads.iter().map(|(_, rows)| rows).sum();
        if said.len() != rows {
            let named = said.len();
            let heads = rows_in_words(&self.heads);
            return Err(self.wrong(format!(
                "has a classifier of {heads}, but `classes` names {named}: {}; accepted: {rows} names, in the order of the rows",
                list(said)
            )));
        }
        match stated {
            Some(stated) if stated != said => Err(self.wrong(format!(
                "states the classes {}, but `classes` names {}; accepted: the stated ones, or no `classes`",
                list(&stated),
                list(said)
            ))),
            _ => Ok(Some(said.to_vec())),
        }
    }

    /// The path, as given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The backbone.
    pub fn backbone(&self) -> Arc<dyn BackboneConfig> {
        match &self.source {
            OpenModel::Own(model) => model.backbone.clone(),
            OpenModel::Foreign(model) => model.backbone(),
        }
    }

    /// The shape of one input.
    pub fn input(&self) -> InputShape {
        match &self.source {
            OpenModel::Own(model) => model.input,
            OpenModel::Foreign(model) => model.input(),
        }
    }

    /// The SHA-256 digest of the file's tensors, as 64 hexadecimal digits. It is that of
    /// [`Checkpoint::digest`](alluvium_checkpoint::Checkpoint::digest), which does not depend on the kind of file. Reads all
    /// values.
    ///
    /// # Errors
    /// When a tensor cannot be read.
    pub fn digest(&self) -> Result<String, InterchangeError> {
        Ok(self.checkpoint().digest()?)
    }

    fn checkpoint(&self) -> &Checkpoint {
        match &self.source {
            OpenModel::Own(model) => &model.checkpoint,
            OpenModel::Foreign(model) => model.checkpoint(),
        }
    }

    /// The heads of the file with the stream's class numbers; `stream` lists the names of the stream's classes. Empty if the
    /// file has no classifier, or it is left behind.
    ///
    /// # Errors
    /// When classes have no names, or a class is not one of the stream. The message names the class.
    pub fn heads(&self, stream: &[String]) -> Result<Vec<HeadSpec>, InterchangeError> {
        if self.heads.is_empty() {
            return Ok(vec![]);
        }
        let Some(classes) = &self.classes else {
            let heads = rows_in_words(&self.heads);
            return Err(self.wrong(format!(
                "does not name the classes of its classifier of {heads}; accepted: `classes` with the name of each row's class"
            )));
        };
        let numbers: HashMap<_, _> = stream.iter().enumerate().map(|(number, name)| (name.as_str(), number)).collect();
        let number = |class: &String| {
            let all = || listed(stream.iter().map(String::as_str));
            let unknown =
                || format!("has the class {}, which the stream does not have; accepted: {}", shown(class), all());
            numbers.get(class.as_str()).copied().ok_or_else(|| self.wrong(unknown()))
        };
        let mut classes = classes.iter();
        let heads = self.heads.iter().map(|(name, rows)| {
            let own: Vec<_> = classes.by_ref().take(*rows).cloned().collect();
            check_classes(&own)
                .map_err(|problem| self.wrong(format!("{problem}; accepted: each class once in a head")))?;
            Ok(HeadSpec { name: name.clone(), classes: own.iter().map(number).collect::<Result<_, _>>()? })
        });
        heads.collect()
    }

    /// The model with the heads of the file, each with the stream's class numbers. `stream` lists the names of the stream's
    /// classes. Weights are rounded to 32 bits, in which a model runs.
    ///
    /// # Errors
    /// Those of [`heads`](Self::heads), and when a value cannot be read, is not finite or does not fit 32 bits.
    pub fn model(&self, stream: &[String]) -> Result<ModelState, InterchangeError> {
        let heads = self.heads(stream)?;
        let (backbone, input) = (self.backbone(), self.input());
        let mut state = ModelState::bare(backbone, input);
        let (weights, classifier) = match &self.source {
            OpenModel::Own(model) => (model.backbone_weights(&self.path)?, None),
            OpenModel::Foreign(model) if heads.is_empty() => (model.backbone_weights()?, None),
            OpenModel::Foreign(model) => (model.backbone_weights()?, Some(model.classifier()?)),
        };
        state.weights.extend_below(BACKBONE, weights);
        let mut from = 0;
        for head in heads {
            let rows: Vec<_> = (from..from + head.classes.len()).collect();
            from += rows.len();
            let weights = match (&self.source, &classifier) {
                (OpenModel::Own(model), _) => {
                    rows_of(&model.head_weights(&self.path, &head.name)?, &(0..rows.len()).collect::<Vec<_>>())
                }
                (_, Some(classifier)) => rows_of(classifier, &rows),
                (_, None) => continue,
            };
            state.set_head(head, weights);
        }
        state.weights = state.weights.rounded_to_single();
        // A value too large for 32 bits would become an infinity.
        state.weights.check_finite().map_err(|error| self.wrong(error.to_string()))?;
        Ok(state)
    }

    /// The model as an expert: with one head of this name, which has all rows of the classifier in their order. Its classes are
    /// the stream's numbers; `stream` lists the names of the stream's classes.
    ///
    /// # Errors
    /// Those of [`model`](Self::model), and when the file has no classifier or two rows for a class.
    pub fn expert(&self, head: &str, stream: &[String]) -> Result<ModelState, InterchangeError> {
        let heads = self.check_expert(stream)?;
        let model = self.model(stream)?;
        let mut expert = model.with_heads(|_| false);
        let part = |name: &str| -> Vec<Values> {
            model.heads.iter().filter_map(|own| model.head_weights(own).get(name).cloned()).collect()
        };
        let (weight, bias) = (joined(&part("weight")), joined(&part("bias")));
        let weights = [("weight".to_owned(), weight), ("bias".to_owned(), bias)].into_iter().collect();
        expert.set_head(HeadSpec { name: head.to_owned(), classes: heads }, weights);
        Ok(expert)
    }

    /// Checks that the file can be an expert on a stream with these classes. Returns the class of each row. Reads no values.
    ///
    /// # Errors
    /// Those of [`heads`](Self::heads), and when the file has no classifier or two rows for a class.
    pub fn check_expert(&self, stream: &[String]) -> Result<Vec<usize>, InterchangeError> {
        if self.heads.is_empty() {
            let problem = "has no classifier; accepted for an expert: a classifier with a row for each of its classes";
            return Err(self.wrong(problem.to_owned()));
        }
        let classes: Vec<_> = self.heads(stream)?.into_iter().flat_map(|head| head.classes).collect();
        if let Some((_, twice)) = classes.iter().enumerate().find(|(row, class)| classes[..*row].contains(class)) {
            let class = shown(&stream[*twice]);
            let problem = format!("has two rows for the class {class}; accepted for an expert: one row for each class");
            return Err(self.wrong(problem));
        }
        Ok(classes)
    }

    fn wrong(&self, problem: String) -> InterchangeError {
        InterchangeError::file(&self.path, problem)
    }
}

/// Opens a file of another framework. What is needed of it is compared afterwards, so that messages do not name options of the
/// command line.
fn open_foreign(path: &Path, reading: &Reading, compute: &Device) -> Result<ForeignModel, InterchangeError> {
    let fallback = Fallback {
        backbone: reading.backbone.clone().or_else(|| reading.fallback.backbone.clone()),
        input: reading.input.or(reading.fallback.input),
        normalisation: reading.fallback.normalisation.clone(),
    };
    let only = Reading {
        names: reading.names.clone(),
        state_dict: reading.state_dict.clone(),
        backbone_only: reading.backbone_only,
        fallback,
        ..Reading::default()
    };
    let model = ForeignModel::open(path, &only, compute)?;
    if !model.normalisation().is_ours() {
        let normalisation = model.normalisation();
        let problem = format!(
            "expects inputs with another mean ({:?}) and standard deviation ({:?}); accepted: a model of inputs in −1…1",
            normalisation.mean, normalisation.std
        );
        return Err(InterchangeError::file(path, problem));
    }
    Ok(model)
}

/// Several tensors, one beside the other along their last dimension.
fn joined(parts: &[Values]) -> Values {
    let widths: Vec<_> = parts.iter().map(|part| part.shape.last().copied().unwrap_or(1)).collect();
    let height = parts.first().map_or(0, |part| part.len() / widths[0].max(1));
    let mut values = vec![];
    for row in 0..height {
        for (part, width) in parts.iter().zip(&widths) {
            values.extend_from_slice(&part.as_f32().unwrap_or_default()[row * width..(row + 1) * width]);
        }
    }
    let mut shape = parts.first().map(|part| part.shape.clone()).unwrap_or_default();
    if let Some(last) = shape.last_mut() {
        *last = widths.iter().sum();
    }
    Values::new(shape, values)
}
