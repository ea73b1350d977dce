//! The layout of the new model: for each tensor, where its values are in each source model.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use alluvium_checkpoint::{Checkpoint, TensorInfo, Values};
use alluvium_model::{BACKBONE, HeadSpec};

use crate::heads::{self, HeadMatch};
use crate::span::Span;
use crate::{Classifier, MergeError, MergeModel, Request};

/// The new model.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Its tensors, sorted by their names in the previous model.
    pub tensors: Vec<Target>,
    /// Its heads by name, in the order of the classifier's rows.
    pub heads: Vec<String>,
    /// The names of the tensors that are copied from the last expert.
    pub from_last_expert: Vec<String>,
    pub from_previous: Vec<String>,
}

/// One tensor of the new model.
#[derive(Debug)]
pub(crate) struct Target {
    /// Its name, type and shape in the output.
    pub info: TensorInfo,
    /// Its values, in their order.
    pub parts: Vec<TensorPart>,
}

/// Consecutive values of a tensor that come from the same models.
#[derive(Debug)]
pub(crate) struct TensorPart {
    /// The full name (`backbone.…`, `heads.…`) of the tensor that the strategy sees. Its shape follows.
    pub tensor: String,
    pub shape: Vec<usize>,
    /// The head of the models that have these values, if they are rows of a classifier.
    pub head: Option<HeadSpec>,
    /// Where the values are in each model, the previous model first.
    pub sources: Vec<Option<Source>>,
}

/// Where a model has the values of a part.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// The tensor's name in the model's file.
    pub tensor: String,
    /// The values, in their order.
    pub spans: Vec<Span>,
}

impl Source {
    fn whole(info: &TensorInfo) -> Self {
        Source { tensor: info.name.clone(), spans: vec![Span { at: 0, start: 0, values: info.elements() }] }
    }

    /// The ranges of some values of the part in the model's tensor.
    fn ranges(&self, values: &Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let within = self.spans.iter().filter(|span| span.at < values.end && values.start < span.at + span.values);
        within.map(|span| {
            let from = values.start.max(span.at) - span.at + span.start;
            let to = values.end.min(span.at + span.values) - span.at + span.start;
            from..to
        })
    }

    /// Reads the bytes of some values of the part, for a tensor of the same type. The values must be finite.
    pub(crate) fn bytes(&self, checkpoint: &Checkpoint, values: &Range<usize>) -> Result<Vec<u8>, MergeError> {
        let read = self.ranges(values).map(|range| checkpoint.read_bytes(&self.tensor, range, true));
        Ok(read.collect::<Result<Vec<_>, _>>()?.concat())
    }

    /// Reads some values of the part. They must be finite.
    pub(crate) fn read(&self, checkpoint: &Checkpoint, values: &Range<usize>) -> Result<Values, MergeError> {
        let mut read = self.ranges(values).map(|range| checkpoint.read_finite_range(&self.tensor, range));
        let Some(first) = read.next() else { return Ok(checkpoint.read_finite_range(&self.tensor, 0..0)?) };
        read.try_fold(first?, |all, next| Ok(joined(all, next?)))
    }
}

/// Only rows of classifiers have several spans, and these are floats.
fn joined(mut all: Values, next: Values) -> Values {
    match (&mut all, next) {
        (Values::Floats(all), Values::Floats(next)) => all.extend(next),
        (Values::Doubles(all), Values::Doubles(next)) => all.extend(next),
        // All spans belong to one tensor, so their types are equal.
        _ => {}
    }
    all
}

impl TensorPart {
    /// How many values it has.
    pub(crate) fn values(&self) -> usize {
        self.shape.iter().product()
    }

    /// The only model that has these values, if there is just one.
    pub(crate) fn only_source(&self) -> Option<(usize, &Source)> {
        let mut there = self.sources.iter().enumerate().filter_map(|(model, source)| Some((model, source.as_ref()?)));
        there.next().filter(|_| there.next().is_none())
    }

    /// A tensor that is copied from one model.
    fn taken_over(info: &TensorInfo, model: usize, models: usize) -> Self {
        let mut sources = vec![None; models];
        sources[model] = Some(Source::whole(info));
        TensorPart { tensor: info.name.clone(), shape: info.shape.clone(), head: None, sources }
    }
}

/// The tensors of a model's backbone, by the names that all models share.
type Backbone<'a> = BTreeMap<&'a str, &'a TensorInfo>;

impl Layout {
    /// Compares all models, and lays out the new one.
    pub(crate) fn new(request: &Request<'_>) -> Result<Self, MergeError> {
        let models: Vec<_> = std::iter::once(&request.previous).chain(&request.experts).collect();
        check_alike(&models)?;
        // This check comes first. Otherwise, a classifier's tensor with an unexpected name would count as part of the
        // backbone.
        for model in &models {
            model.classifier.as_ref().map(|classifier| features(model, classifier)).transpose()?;
        }
        let backbones = models.iter().map(|model| backbone(model)).collect::<Result<Vec<_>, _>>()?;
        check_no_others(&models, &backbones)?;
        let (mut tensors, mut from_last_expert) = (vec![], vec![]);
        for (name, own) in &backbones[0] {
            let all = same_tensor(&models, &backbones, name, own)?;
            let part = if own.dtype.is_float() {
                let source = |info: &&TensorInfo| Some(Source::whole(info));
                let (tensor, shape) = (format!("{BACKBONE}.{name}"), own.shape.clone());
                TensorPart { tensor, shape, head: None, sources: all.iter().map(source).collect() }
            } else {
                from_last_expert.push(own.name.clone());
                TensorPart::taken_over(all[all.len() - 1], all.len() - 1, all.len())
            };
            tensors.push(Target { info: (*own).clone(), parts: vec![part] });
        }
        let mut from_previous = vec![];
        for info in left_out(models[0]) {
            from_previous.push(info.name.clone());
            tensors.push(Target { info: info.clone(), parts: vec![TensorPart::taken_over(info, 0, models.len())] });
        }
        let heads = add_classifier(&models, &mut tensors)?;
        for target in &mut tensors {
            if let Some(dtype) = request.dtype.filter(|_| target.info.dtype.is_float()) {
                target.info.dtype = dtype;
            }
        }
        tensors.sort_by(|a, b| a.info.name.cmp(&b.info.name));
        from_last_expert.sort();
        Ok(Layout { tensors, heads, from_last_expert, from_previous })
    }

    /// How many values the new model has.
    pub(crate) fn values(&self) -> u64 {
        self.tensors.iter().map(|target| target.info.elements() as u64).sum()
    }
}

/// Checks that all models have a table of names, or none has.
fn check_alike(models: &[&MergeModel<'_>]) -> Result<(), MergeError> {
    let previous = models[0];
    for model in &models[1..] {
        if model.mapping.is_some() != previous.mapping.is_some() {
            let (own, other) = if model.mapping.is_some() { ("a", "none") } else { ("no", "one") };
            let name = &previous.name;
            let problem = format!(
                "has {own} table of names, but {name} has {other}; accepted: a table for every model, or for none"
            );
            return Err(model.problem(problem));
        }
    }
    Ok(())
}

/// All tensors except the classifier's and those that the model's table leaves out.
fn backbone<'a>(model: &MergeModel<'a>) -> Result<Backbone<'a>, MergeError> {
    let of_classifier = of_classifier(model);
    let ignored = model.mapping.map(|mapping| mapping.ignored()).unwrap_or_default();
    let ignored: BTreeSet<_> = ignored.iter().collect();
    let mut tensors = Backbone::new();
    for info in model.checkpoint.tensors().filter(|info| !of_classifier.contains(info.name.as_str())) {
        match model.mapping {
            None => {
                tensors.insert(&info.name, info);
            }
            Some(mapping) => match mapping.ours(&info.name) {
                Some(ours) => {
                    tensors.insert(ours, info);
                }
                None if ignored.contains(&info.name) => {}
                None => return Err(model.tensor(&info.name, "is not in the model's table of names")),
            },
        }
    }
    Ok(tensors)
}

/// The tensors that the table leaves out.
fn left_out<'a>(model: &MergeModel<'a>) -> Vec<&'a TensorInfo> {
    let of_classifier = of_classifier(model);
    let ignored = model.mapping.map(|mapping| mapping.ignored()).unwrap_or_default();
    let others = ignored.iter().filter(|name| !of_classifier.contains(name.as_str()));
    others.filter_map(|name| model.checkpoint.tensor(name)).collect()
}

fn of_classifier<'a>(model: &'a MergeModel<'_>) -> BTreeSet<&'a str> {
    let classifier = model.classifier.iter();
    classifier.flat_map(|own| [Some(&own.weight), own.bias.as_ref()]).flatten().map(String::as_str).collect()
}

/// Checks that no expert has a tensor that the previous model lacks.
fn check_no_others(models: &[&MergeModel<'_>], backbones: &[Backbone<'_>]) -> Result<(), MergeError> {
    for (model, backbone) in models.iter().zip(backbones) {
        if let Some((_, info)) = backbone.iter().find(|(name, _)| !backbones[0].contains_key(*name)) {
            return Err(model.tensor(&info.name, format!("is not in {}", models[0].name)));
        }
    }
    Ok(())
}

/// The tensor in every model, checked to have the same shape and kind of values.
fn same_tensor<'a>(
    models: &[&MergeModel<'_>],
    backbones: &[Backbone<'a>],
    name: &str,
    own: &TensorInfo,
) -> Result<Vec<&'a TensorInfo>, MergeError> {
    let previous = models[0];
    let transposed = |model: &MergeModel<'_>| model.mapping.is_some_and(|mapping| mapping.is_transposed(name));
    let mut all = vec![];
    for (model, backbone) in models.iter().zip(backbones) {
        let Some(info) = backbone.get(name) else {
            return Err(model.tensor(&own.name, format!("is missing, but {} has it", previous.name)));
        };
        if transposed(model) != transposed(previous) {
            let problem =
                format!("is transposed by one of the tables of this model and of {}, not by both", previous.name);
            return Err(model.tensor(&info.name, problem));
        }
        if info.shape != own.shape {
            let problem = format!("has the shape {:?}, but in {} it has {:?}", info.shape, previous.name, own.shape);
            return Err(model.tensor(&info.name, problem));
        }
        let same = if own.dtype.is_float() { info.dtype.is_float() } else { info.dtype == own.dtype };
        if !same {
            let accepted = if own.dtype.is_float() { "any floats".to_owned() } else { own.dtype.to_string() };
            let (found, expected, name) = (info.dtype, own.dtype, &previous.name);
            let problem = format!("has values of type {found}, but in {name} of {expected}; accepted: {accepted}");
            return Err(model.tensor(&info.name, problem));
        }
        all.push(*info);
    }
    Ok(all)
}

/// Adds the tensors of the classifier, and returns the names of its heads.
fn add_classifier(models: &[&MergeModel<'_>], tensors: &mut Vec<Target>) -> Result<Vec<String>, MergeError> {
    let heads = heads::match_heads(models)?;
    let mut first: Option<(&MergeModel<'_>, &Classifier, usize)> = None;
    for model in models {
        let Some(classifier) = &model.classifier else { continue };
        let own = features(model, classifier)?;
        let (other, known, expected) = *first.get_or_insert((*model, classifier, own));
        if own != expected {
            let problem = format!("has rows of {own} values, but in {} they have {expected}", other.name);
            return Err(model.tensor(&classifier.weight, problem));
        }
        if classifier.bias.is_some() != known.bias.is_some() {
            let (own, other_has) = if classifier.bias.is_some() { ("a", "none") } else { ("no", "one") };
            let problem = format!("has {own} bias in its classifier, but {} has {other_has}", other.name);
            return Err(model.problem(problem));
        }
    }
    let Some((model, classifier, features)) = first.filter(|_| !heads.is_empty()) else { return Ok(vec![]) };
    tensors.push(rows(models, tensor(model, &classifier.weight)?, &heads, features, "weight"));
    if let Some(bias) = &classifier.bias {
        tensors.push(rows(models, tensor(model, bias)?, &heads, 1, "bias"));
    }
    Ok(heads.into_iter().map(|head| head.name).collect())
}

/// A tensor of the classifier, joined from the rows of all heads. Each row has `length` values. `what` is the name of
/// the tensor within a head.
fn rows(models: &[&MergeModel<'_>], like: &TensorInfo, heads: &[HeadMatch], length: usize, what: &str) -> Target {
    let shape = |rows: usize| -> Vec<usize> { [&[rows], &like.shape[1..]].concat() };
    let part = |(number, head): (usize, &HeadMatch)| {
        let spec = HeadSpec { name: format!("head-{number}"), classes: (0..head.classes).collect() };
        let source = |(rows, model): (&Option<Vec<usize>>, &&MergeModel<'_>)| {
            let classifier = model.classifier.as_ref()?;
            let tensor = if what == "bias" { classifier.bias.as_ref()? } else { &classifier.weight };
            Some(Source { tensor: tensor.clone(), spans: heads::spans(rows.as_ref()?, length) })
        };
        let sources = head.rows.iter().zip(models).map(source).collect();
        TensorPart {
            tensor: format!("{}.{what}", spec.prefix()),
            shape: shape(head.classes),
            head: Some(spec),
            sources,
        }
    };
    let classes = heads.iter().map(|head| head.classes).sum();
    let info = TensorInfo { name: like.name.clone(), dtype: like.dtype, shape: shape(classes) };
    Target { info, parts: heads.iter().enumerate().map(part).collect() }
}

/// Checks that the classifier matches its description. Returns the length of its rows.
fn features(model: &MergeModel<'_>, classifier: &Classifier) -> Result<usize, MergeError> {
    let weight = tensor(model, &classifier.weight)?;
    let [rows, features] = weight.shape[..] else {
        let problem = format!("has the shape {:?}; accepted for a classifier: [classes, features]", weight.shape);
        return Err(model.tensor(&weight.name, problem));
    };
    let count =
        if classifier.is_left_behind() { rows } else { classifier.heads.iter().map(|head| head.rows.len()).sum() };
    let bias = classifier.bias.as_ref().map(|bias| tensor(model, bias)).transpose()?;
    let wrong = bias.filter(|bias| bias.shape != [count]).or(Some(weight).filter(|_| rows != count));
    match wrong {
        None => Ok(features),
        Some(info) => {
            let problem = format!(
                "has the shape {:?}; accepted: [{count}], because the heads have {count} rows together",
                info.shape
            );
            Err(model.tensor(&info.name, problem))
        }
    }
}

/// The named tensor, which must hold floats.
fn tensor<'a>(model: &MergeModel<'a>, name: &str) -> Result<&'a TensorInfo, MergeError> {
    let info = model.checkpoint.tensor(name).ok_or_else(|| model.tensor(name, "of the classifier is missing"))?;
    if info.dtype.is_float() {
        Ok(info)
    } else {
        Err(model.tensor(name, format!("has values of type {}; accepted for a classifier: floats", info.dtype)))
    }
}

impl MergeModel<'_> {
    pub(crate) fn problem(&self, problem: String) -> MergeError {
        MergeError::Model { model: self.name.clone(), problem }
    }

    pub(crate) fn tensor(&self, name: &str, problem: impl Into<String>) -> MergeError {
        MergeError::Tensor { model: self.name.clone(), tensor: name.to_owned(), problem: problem.into() }
    }
}
