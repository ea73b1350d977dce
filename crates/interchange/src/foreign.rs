//! A foreign model: a checkpoint with the tensors of one of our backbones, and perhaps of a classifier.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use alluvium_checkpoint::{Adapter, Checkpoint, Dtype, Mapping, Values};
use alluvium_model::{BackboneConfig, InputShape, Numbers, Values as OurValues, Weights};
use burn::tensor::Device;
use serde_json::Value;

use crate::architecture::{Shapes, assumed_input, backbone_in_words, backbone_of, check_input, recognised, table_of};
use crate::manifest::{Manifest, NamedHead, check_classes};
use crate::own_model::{RUN_MODEL, check_variances, is_variance, refuse_difference};
use crate::provenance::{Parent, Provenance, file_name, key_of, taken};
use crate::{Fallback, InterchangeError, Names, Normalisation, Reading, naming};

/// Our names of the classifier's tensors: the weight `[latent, classes]` and the bias `[classes]`.
pub(crate) const HEAD: [&str; 2] = ["head.weight", "head.bias"];

/// An open model file whose tensors match its description. Values are read only when they are needed.
#[derive(Debug)]
pub struct ForeignModel {
    pub(crate) path: PathBuf,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) names: Names,
    pub(crate) mapping: Mapping,
    backbone: Arc<dyn BackboneConfig>,
    table: Value,
    input: InputShape,
    normalisation: Normalisation,
    heads: Vec<NamedHead>,
    latent: usize,
    backbone_only: bool,
    numbered: bool,
    provenance: Option<Provenance>,
    assumed: Vec<String>,
}

impl ForeignModel {
    /// Opens a model file, determines what model it holds, and checks its tensors against that. Reads no values.
    ///
    /// # Errors
    /// When the file cannot be read; when a tensor is missing, has a wrong shape or is not part of the model; when the
    /// file contradicts itself or its description. The message names the tensor as the file does, and says what is
    /// accepted.
    pub fn open(path: &Path, reading: &Reading, compute: &Device) -> Result<Self, InterchangeError> {
        let checkpoint = Checkpoint::open_state_dict(path, reading.state_dict.as_ref())?;
        Self::of(path, checkpoint, reading, compute)
    }

    /// Like [`open`](Self::open), for a checkpoint that is open already. `path` is its path, or the name that messages use.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn of(
        path: &Path,
        checkpoint: Checkpoint,
        reading: &Reading,
        compute: &Device,
    ) -> Result<Self, InterchangeError> {
        let wrong = |problem: String| InterchangeError::file(path, problem);
        if let Some(factor) = Adapter::factor_in(&checkpoint) {
            let problem = "is a factor of a low-rank adapter, which is not a whole network; accepted: --tensorwise, which \
                           consolidates the updates of an adapter";
            return Err(InterchangeError::tensor(path, factor, problem));
        }
        refuse_difference(path, &checkpoint)?;
        if checkpoint.metadata().contains_key(RUN_MODEL) {
            let problem = "is a model of a run directory, whose classes have no names; accepted: a model that another \
                           framework or `alluvium consolidate` wrote";
            return Err(wrong(problem.to_owned()));
        }
        let manifest = Manifest::read(checkpoint.metadata()).map_err(wrong)?;
        let provenance = Provenance::read(checkpoint.metadata()).map_err(wrong)?;
        let stated = manifest.as_ref();
        let (names, mapping) = naming::choose(path, &checkpoint, reading, stated.and_then(|own| own.names.as_deref()))?;
        let shapes = shapes(path, &checkpoint, &mapping)?;

        let (backbone, table) = backbone(&shapes, reading, stated).map_err(wrong)?;
        let mut assumed = vec![];
        let input = agreed(reading.input, stated.map(|own| own.input), |said, own| {
            format!("takes inputs of {own}, but {said} was given; accepted: {own}, or leave out --input")
        });
        let input = input.map_err(wrong)?.or(reading.fallback.input);
        let input = match input {
            Some(input) => input,
            None => {
                let input = assumed_input(&shapes).map_err(wrong)?;
                assumed.push(format!("assuming inputs of {input}; pass --input to change it"));
                input
            }
        };
        check_input(input).map_err(wrong)?;
        let own = stated.map(|own| own.normalisation.clone());
        let normalisation = agreed(reading.normalisation.clone(), own, |_, _| {
            "states another mean and standard deviation of its inputs; accepted: the stated ones, or leave out --mean and \
             --std"
                .to_owned()
        });
        let normalisation = normalisation.map_err(wrong)?.or_else(|| reading.fallback.normalisation.clone());
        let normalisation = normalisation.unwrap_or_else(|| Normalisation::ours(input.channels()));
        normalisation.check(input.channels()).map_err(|error| wrong(error.to_string()))?;

        let mut model = ForeignModel {
            path: path.to_owned(),
            checkpoint,
            names,
            mapping,
            backbone,
            table,
            input,
            normalisation,
            heads: vec![],
            latent: 0,
            backbone_only: reading.backbone_only,
            numbered: false,
            provenance,
            assumed,
        };
        model.latent = model.check_tensors(&shapes, compute)?;
        let rows = model.check_classifier(&shapes)?;
        (model.heads, model.numbered) = model.name_classes(rows, reading.classes.as_deref(), manifest)?;
        Ok(model)
    }

    /// Checks that the model has all tensors of the backbone, and no other tensors except the classifier's. Returns the
    /// size of a latent.
    fn check_tensors(&self, shapes: &Shapes, compute: &Device) -> Result<usize, InterchangeError> {
        let kind = self.backbone_in_words();
        let built =
            self.backbone.build(self.input, compute).map_err(|error| InterchangeError::file(&self.path, error))?;
        // Shapes take little memory. This comparison bounds the memory of everything that follows.
        let needed = built.shapes();
        for (name, needed) in &needed {
            match shapes.get(name) {
                None => {
                    let foreign = self.names.foreign(name);
                    let problem = format!("is missing; {kind} needs it with the shape {needed:?}");
                    let problem = match &foreign {
                        Some(_) => problem,
                        None => format!("(our name; the table of names {} does not map it) {problem}", self.names),
                    };
                    return Err(self.wrong_tensor(foreign.as_deref().unwrap_or(name), problem));
                }
                Some(found) if found != needed => return Err(self.wrong_shape(name, needed)),
                Some(_) => {}
            }
        }
        if let Some(name) = shapes.keys().find(|name| !needed.contains_key(*name) && !HEAD.contains(&name.as_str())) {
            let foreign = self.mapping.foreign(name).unwrap_or(name);
            return Err(self.wrong_tensor(foreign, format!("is not part of {kind} (our name for it: `{name}`)")));
        }
        Ok(built.latent_size())
    }

    /// Checks that the classifier is complete and takes latents. Returns the number of its rows, if the model has a
    /// classifier.
    fn check_classifier(&self, shapes: &Shapes) -> Result<Option<usize>, InterchangeError> {
        let missing = |name: &str, other: &str| {
            let foreign = self.names.foreign(name).unwrap_or_else(|| name.to_owned());
            let other = self.mapping.foreign(other).unwrap_or(other);
            Err(self
                .wrong_tensor(&foreign, format!("is missing, but `{other}` is present; accepted: both, or neither")))
        };
        let [weight, bias] = HEAD.map(|name| shapes.get(name));
        let (weight, bias) = match (weight, bias) {
            (None, None) => return Ok(None),
            (Some(weight), Some(bias)) => (weight, bias),
            (Some(_), None) => return missing(HEAD[1], HEAD[0]),
            (None, Some(_)) => return missing(HEAD[0], HEAD[1]),
        };
        match (weight.as_slice(), bias.as_slice()) {
            ([latent, classes], _) if *latent != self.latent || *classes == 0 => {
                Err(self.wrong_shape(HEAD[0], &[self.latent, (*classes).max(1)]))
            }
            ([_, classes], [own]) if classes == own => Ok(Some(*classes)),
            ([_, classes], _) => Err(self.wrong_shape(HEAD[1], &[*classes])),
            _ => Err(self.wrong_shape(HEAD[0], &[self.latent, 1])),
        }
    }

    /// The heads with the names of their classes, and whether these are numbers because no names are known.
    fn name_classes(
        &self,
        rows: Option<usize>,
        given: Option<&[String]>,
        manifest: Option<Manifest>,
    ) -> Result<(Vec<NamedHead>, bool), InterchangeError> {
        let wrong = |problem: String| Err(InterchangeError::file(&self.path, problem));
        let stated = manifest.map(|manifest| manifest.heads).filter(|heads| !heads.is_empty());
        let Some(rows) = rows else {
            return match (given, stated) {
                (None, None) => Ok((vec![], false)),
                _ => wrong("has no classifier, but classes are named for it; leave out the names".to_owned()),
            };
        };
        let classifier = self.mapping.foreign(HEAD[0]).unwrap_or(HEAD[0]);
        let fits = |named: usize, by: &str| {
            if named == rows {
                Ok(())
            } else {
                Err(self.wrong_tensor(classifier, format!("has {rows} rows, but {by} names {named} classes")))
            }
        };
        let (heads, numbered) = match (stated, given) {
            (Some(_), Some(_)) => return wrong("already names its classes; leave out --classes for it".to_owned()),
            (Some(heads), None) => {
                fits(heads.iter().map(|head| head.classes.len()).sum(), "its own manifest")?;
                (heads, false)
            }
            (None, Some(classes)) => {
                if let Err(problem) = check_classes(classes) {
                    return wrong(format!("{problem} (in --classes)"));
                }
                fits(classes.len(), "--classes")?;
                (vec![NamedHead { name: "head-1".to_owned(), classes: classes.to_vec() }], false)
            }
            (None, None) => {
                let stem = self.stem();
                let classes = (0..rows).map(|row| format!("{stem}:{row}")).collect();
                (vec![NamedHead { name: "head-1".to_owned(), classes }], true)
            }
        };
        if self.backbone_only { Ok((vec![], false)) } else { Ok((heads, numbered)) }
    }

    fn wrong_tensor(&self, foreign: &str, problem: impl Into<String>) -> InterchangeError {
        InterchangeError::tensor(&self.path, foreign, problem)
    }

    /// The error for a tensor of a wrong shape. `needed` is in our order of dimensions, the message in the file's.
    fn wrong_shape(&self, name: &str, needed: &[usize]) -> InterchangeError {
        let foreign = self.mapping.foreign(name).unwrap_or(name);
        let found = self.checkpoint.tensor(foreign).map(|info| info.shape.clone()).unwrap_or_default();
        let mut needed = needed.to_vec();
        if self.mapping.is_transposed(name) {
            needed.reverse();
        }
        let kind = self.backbone_in_words();
        let input = self.input;
        self.wrong_tensor(foreign, format!("has the shape {found:?}; {kind} for inputs of {input} needs {needed:?}"))
    }

    /// The path of the file or folder, as given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file name without folders and without the extension.
    pub fn stem(&self) -> String {
        let name = file_name(&self.path);
        Path::new(&name).file_stem().map_or(name.clone(), |stem| stem.to_string_lossy().into_owned())
    }

    /// The checkpoint.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The table of names.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// The backbone's table, with all options.
    pub fn backbone_table(&self) -> &Value {
        &self.table
    }

    /// The backbone as text for people: its kind and options.
    pub fn backbone_in_words(&self) -> String {
        backbone_in_words(&self.table)
    }

    /// The shape of one input.
    pub fn input(&self) -> InputShape {
        self.input
    }

    /// The normalisation that the model expects of its inputs.
    pub fn normalisation(&self) -> &Normalisation {
        &self.normalisation
    }

    /// The heads, in the order of the classifier's rows. Empty without a classifier, or if it is left behind.
    pub fn heads(&self) -> &[NamedHead] {
        &self.heads
    }

    /// The class of each row of the classifier, in the order of the rows.
    pub fn classes(&self) -> Vec<String> {
        self.heads.iter().flat_map(|head| head.classes.iter().cloned()).collect()
    }

    /// Whether the names of the classes are unknown. Each is then named after the file and a number.
    pub fn is_numbered(&self) -> bool {
        self.numbered
    }

    /// How the model was made, if the file says so.
    pub fn provenance(&self) -> Option<&Provenance> {
        self.provenance.as_ref()
    }

    /// The assumptions that were made, as sentences for people.
    pub fn assumed(&self) -> &[String] {
        &self.assumed
    }

    /// Which state dict of the file was chosen, as a sentence for people. `None` if there was no choice.
    pub fn taken(&self) -> Option<String> {
        taken(&self.path, &self.checkpoint)
    }

    /// What to assume about another file that does not state it.
    pub fn fallback(&self) -> Fallback {
        Fallback {
            backbone: Some(self.backbone.clone()),
            input: Some(self.input),
            normalisation: Some(self.normalisation.clone()),
        }
    }

    /// The backbone for our inputs. It converts them to the normalisation that the model expects.
    pub(crate) fn backbone(&self) -> Arc<dyn BackboneConfig> {
        self.normalisation.before(self.backbone.clone())
    }

    /// The size of a latent.
    pub(crate) fn latent_size(&self) -> usize {
        self.latent
    }

    /// The model as a parent of another one. Reads all tensors, for their digest.
    pub(crate) fn as_parent(&self) -> Result<Parent, InterchangeError> {
        Ok(Parent {
            file: file_name(&self.path),
            digest: self.checkpoint.digest()?,
            initial_only: self.heads.is_empty(),
            state_dict: key_of(&self.checkpoint),
            provenance: self.provenance.clone().map(Box::new),
            older_left_out: false,
        })
    }

    /// Whether it has weights of 64 bits. They are rounded when the model runs: [`score`](crate::score) runs it in 32
    /// bits.
    pub fn is_rounded(&self) -> bool {
        self.wide_tensor().is_some()
    }

    /// The name in the file of a tensor of 64 bits, if the model has one.
    pub(crate) fn wide_tensor(&self) -> Option<&str> {
        let foreign = self.mapping.iter().map(|(_, foreign)| foreign);
        let mut all = foreign.filter_map(|foreign| self.checkpoint.tensor(foreign));
        all.find(|info| info.dtype == Dtype::F64).map(|info| info.name.as_str())
    }

    /// The backbone's values by our names.
    pub(crate) fn backbone_weights(&self) -> Result<Weights, InterchangeError> {
        let names = self.mapping.iter().map(|(ours, _)| ours).filter(|ours| !HEAD.contains(ours));
        names.map(|ours| Ok((ours.to_owned(), self.values(ours)?))).collect()
    }

    /// The classifier's weight `[latent, classes]` and bias `[classes]`. Call it only if there are
    /// [`heads`](Self::heads).
    pub(crate) fn classifier(&self) -> Result<[OurValues; 2], InterchangeError> {
        Ok([self.values(HEAD[0])?, self.values(HEAD[1])?])
    }

    /// Checks that no running variance of the backbone is negative. A strategy that works in pieces does not check
    /// this.
    pub(crate) fn check_variances(&self) -> Result<(), InterchangeError> {
        let mut variances = self.mapping.iter().map(|(ours, _)| ours).filter(|ours| is_variance(ours));
        variances.try_for_each(|ours| self.values(ours).map(|_| ()))
    }

    /// The values of a tensor by our name, in our order of dimensions.
    fn values(&self, ours: &str) -> Result<OurValues, InterchangeError> {
        let tensor = self.mapping.read(&self.checkpoint, ours).map_err(InterchangeError::names(&self.path))?;
        let wrong = |problem: String| self.wrong_tensor(self.mapping.foreign(ours).unwrap_or(ours), problem);
        let numbers: Numbers = match tensor.values {
            Values::Floats(values) => values.into(),
            Values::Doubles(values) => values.into(),
            Values::Integers(_) => {
                return Err(wrong(format!("holds {}; accepted for weights: floats", tensor.dtype)));
            }
        };
        check_variances(&self.path, ours, self.mapping.foreign(ours).unwrap_or(ours), &numbers)?;
        Ok(OurValues::of(tensor.shape, numbers))
    }
}

/// The shapes of all tensors that have a name of ours. They must hold floats.
fn shapes(path: &Path, checkpoint: &Checkpoint, mapping: &Mapping) -> Result<Shapes, InterchangeError> {
    let shape = |(ours, foreign): (&str, &str)| {
        let info = mapping.info(checkpoint, ours).map_err(InterchangeError::names(path))?;
        if !info.dtype.is_float() {
            let problem = format!("holds {}; accepted for weights: floats", info.dtype);
            return Err(InterchangeError::tensor(path, foreign, problem));
        }
        Ok((ours.to_owned(), info.shape))
    };
    mapping.iter().map(shape).collect()
}

/// What the caller said about a model or, if nothing, what the model states itself. `contradiction` is the message if
/// the two differ.
fn agreed<T: PartialEq>(
    said: Option<T>,
    stated: Option<T>,
    contradiction: impl FnOnce(&T, &T) -> String,
) -> Result<Option<T>, String> {
    match (&said, &stated) {
        (Some(one), Some(own)) if one != own => Err(contradiction(one, own)),
        _ => Ok(said.or(stated)),
    }
}

/// The backbone and its table: the one that was given, the one that the file states, or the one that its tensors belong
/// to.
fn backbone(
    shapes: &Shapes,
    reading: &Reading,
    manifest: Option<&Manifest>,
) -> Result<(Arc<dyn BackboneConfig>, Value), String> {
    let stated = manifest.map(|manifest| backbone_of(&manifest.backbone)).transpose()?;
    let [said, own] = [reading.backbone.as_deref(), stated.as_deref()].map(|backbone| backbone.map(table_of));
    agreed(said, own, |said, own| {
        let [said, own] = [said, own].map(backbone_in_words);
        format!("states that it is a {own}, but {said} was given; leave out --backbone")
    })?;
    let known = reading.backbone.clone().or(stated).or_else(|| reading.fallback.backbone.clone());
    let backbone = known.map_or_else(|| recognised(shapes), Ok)?;
    let table = table_of(backbone.as_ref());
    Ok((backbone, table))
}
