//! Reads files of low-rank adapters as updates of weights.
//!
//! An adapter stores two thin factors A and B for each weight that it changes. The update of the weight is `scale ·
//! B·A`. Factors must not be merged like weights: the mean of two As times the mean of two Bs is not the mean of the
//! updates. So code that compares or merges models gets the updates, or a base model with the updates added, never the
//! factors.
//!
//! Two formats are read: that of PEFT (`….lora_A.weight`, with `adapter_config.json` beside the file) and that of
//! kohya's scripts (`….lora_down.weight` with `….alpha`). Any other format is refused with an error that names a
//! tensor.

mod computed;
mod names;
mod scale;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::error::Place;
use crate::opened::OpenFile;
use crate::shown::shown;
use crate::{Checkpoint, CheckpointError, Dtype, TensorInfo};

use computed::{ComputedTensors, Source, Update};
use names::{NameKind, Role};
use scale::Scales;

/// A low-rank adapter.
#[derive(Debug, Clone)]
pub struct Adapter {
    checkpoint: Arc<Checkpoint>,
    updates: Vec<Update>,
    /// Tensors that are not factors, such as a classifier that was trained whole.
    plain: Vec<TensorInfo>,
}

/// The factors of one weight.
#[derive(Default)]
struct Pair {
    down: Option<TensorInfo>,
    up: Option<TensorInfo>,
    alpha: Option<TensorInfo>,
    embedding: bool,
}

impl Adapter {
    /// The adapter in a file. `None` if the tensors are not factors of an adapter. Reads `adapter_config.json` beside
    /// the file, if it exists.
    ///
    /// # Errors
    /// When a factor lacks its counterpart or does not fit its shape; when the format is unknown; when the scale is
    /// unknown or stated twice with different values. The message names a tensor, and says what is accepted.
    pub fn of(checkpoint: &Arc<Checkpoint>) -> Result<Option<Self>, CheckpointError> {
        let place = Place::new(checkpoint.path());
        let names: BTreeMap<_, _> =
            checkpoint.tensors().map(|info| (&info.name, (info, names::named(&info.name)))).collect();
        if names.values().all(|(_, named)| matches!(named, NameKind::Plain | NameKind::Factor(Role::Alpha, _))) {
            return Ok(None);
        }
        let mut pairs: BTreeMap<String, Pair> = BTreeMap::new();
        let (mut plain, mut alphas, mut labels) = (vec![], vec![], BTreeSet::new());
        for (name, (info, named)) in names {
            match named {
                NameKind::Plain => plain.push(info.clone()),
                NameKind::Unknown(what) => return Err(place.tensor(name, what)),
                NameKind::Factor(Role::Alpha, factor) => alphas.push((info, factor.target)),
                NameKind::Factor(role, factor) => {
                    labels.insert(factor.label);
                    let pair = pairs.entry(factor.target).or_default();
                    pair.embedding = factor.embedding;
                    let own = if role == Role::Down { &mut pair.down } else { &mut pair.up };
                    if own.replace(info.clone()).is_some() {
                        return Err(
                            place.tensor(name, "is a second factor of the same weight; accepted: one adapter per file")
                        );
                    }
                }
            }
        }
        if labels.len() > 1 {
            return Err(place.broken("holds the factors of several adapters; accepted: one adapter per file"));
        }
        for (info, target) in alphas {
            match pairs.get_mut(&target) {
                Some(pair) => pair.alpha = Some(info.clone()),
                None => plain.push(info.clone()),
            }
        }
        let scales = Scales::beside(checkpoint.path())?;
        let update = |(target, pair)| update(&place, checkpoint, &scales, target, pair);
        let updates = pairs.into_iter().map(update).collect::<Result<_, _>>()?;
        Ok(Some(Adapter { checkpoint: checkpoint.clone(), updates, plain }))
    }

    /// The name of a tensor that is a factor of an adapter of any format, if there is one.
    pub fn factor_in(checkpoint: &Checkpoint) -> Option<&str> {
        let is_factor = |name: &&str| !matches!(names::named(name), NameKind::Plain | NameKind::Factor(Role::Alpha, _));
        checkpoint.tensors().map(|info| info.name.as_str()).find(is_factor)
    }

    /// The updates as a model. Each pair of factors becomes `scale · B·A`, under the name of the weight that it
    /// changes, with the ending `.weight`. Other tensors are unchanged.
    ///
    /// # Errors
    /// [`CheckpointError::Tensor`] when another tensor already has the name of an update.
    pub fn updates(&self) -> Result<Checkpoint, CheckpointError> {
        let mut sources = BTreeMap::new();
        for info in &self.plain {
            sources.insert(info.name.clone(), Source::Plain { from: self.checkpoint.clone(), info: info.clone() });
        }
        for update in &self.updates {
            let info =
                TensorInfo { name: format!("{}.weight", update.target), dtype: update.dtype(), shape: update.shape() };
            let name = info.name.clone();
            let source = Source::Update { update: Box::new(update.clone()), info, base: None };
            if sources.insert(name.clone(), source).is_some() {
                return Err(self.place().tensor(
                    &name,
                    "is stored beside the factors of its update; accepted: a file with only the adapter",
                ));
            }
        }
        self.checkpoint_of(sources)
    }

    /// The base model with the updates added. Changed tensors have 32 bits, or 64 if the base tensor has, because a
    /// small update of a 16-bit number would be lost. Only factors and pieces are held in memory.
    ///
    /// # Errors
    /// [`CheckpointError::Tensor`], which names the factor, when the base lacks the weight or has it in another shape.
    pub fn added_to(&self, base: &Arc<Checkpoint>) -> Result<Checkpoint, CheckpointError> {
        let mut sources: BTreeMap<_, _> = base
            .tensors()
            .map(|info| (info.name.clone(), Source::Plain { from: base.clone(), info: info.clone() }))
            .collect();
        let names = names::Base::new(base.tensors().map(|info| info.name.as_str()));
        let mut changed = BTreeSet::new();
        let in_base = base.path().display();
        let mut find = |own: &str, target: &str, shape: &[usize]| {
            let found =
                names.find(target).map_err(|reason| self.place().tensor(own, format!("{reason} ({in_base})")))?;
            let info =
                base.tensor(found).filter(|info| info.dtype.is_float() && info.shape == shape).ok_or_else(|| {
                    let there =
                        base.tensor(found).map(|info| format!("{} {:?}", info.dtype, info.shape)).unwrap_or_default();
                    let reason =
                        format!("is for a weight of the shape {shape:?}, but {} of {in_base} is {there}", shown(found));
                    self.place().tensor(own, reason)
                })?;
            if changed.insert(found.to_owned()) {
                Ok(info.clone())
            } else {
                Err(self
                    .place()
                    .tensor(own, format!("changes {} of {in_base}, and so does another factor", shown(found))))
            }
        };
        for update in &self.updates {
            let own = find(&update.down.name, &format!("{}.weight", update.target), &update.shape())?;
            let wide = [own.dtype, update.down.dtype, update.up.dtype].contains(&Dtype::F64);
            let info = TensorInfo { dtype: if wide { Dtype::F64 } else { Dtype::F32 }, ..own.clone() };
            let source =
                Source::Update { update: Box::new(update.clone()), info, base: Some((base.clone(), own.clone())) };
            sources.insert(own.name, source);
        }
        for info in &self.plain {
            let own = find(&info.name, &info.name, &info.shape)?;
            let source = Source::Plain { from: self.checkpoint.clone(), info: info.clone() };
            sources.insert(own.name, source);
        }
        self.checkpoint_of(sources)
    }

    fn checkpoint_of(&self, sources: BTreeMap<String, Source>) -> Result<Checkpoint, CheckpointError> {
        let tensors = sources.iter().map(|(name, source)| TensorInfo { name: name.clone(), ..source.info().clone() });
        let opened = OpenFile {
            tensors: tensors.collect(),
            metadata: self.checkpoint.metadata().clone(),
            state_dict: self.checkpoint.state_dict().cloned(),
            bytes: Box::new(ComputedTensors::new(
                self.place(),
                self.checkpoint.clone(),
                sources.into_values().collect(),
            )),
        };
        let path = self.checkpoint.path().to_owned();
        Checkpoint::of(Place::new(&path), vec![(path, opened)], None)
    }

    fn place(&self) -> Place {
        Place::new(self.checkpoint.path())
    }
}

/// The update of a pair of factors.
fn update(
    place: &Place,
    checkpoint: &Checkpoint,
    scales: &Scales,
    target: String,
    pair: Pair,
) -> Result<Update, CheckpointError> {
    let (down, up) = match (pair.down, pair.up) {
        (Some(down), Some(up)) => (down, up),
        (Some(one), None) | (None, Some(one)) => {
            return Err(place
                .tensor(&one.name, "is a factor whose counterpart is missing; accepted: both factors of an update"));
        }
        (None, None) => return Err(place.broken("has an update without factors")),
    };
    for factor in [&down, &up] {
        if !factor.dtype.is_float() {
            return Err(place.tensor(&factor.name, format!("holds {}; accepted for a factor: floats", factor.dtype)));
        }
    }
    let rank = match (&down.shape[..], &up.shape[..]) {
        ([rank, _], [_, other]) if rank == other => *rank,
        ([rank, _, _, _], [_, other, 1, 1]) if rank == other && !pair.embedding => *rank,
        (own, other) => {
            let reason = format!(
                "has the shape {own:?}, but its other factor {} has {other:?}; accepted: [r, in] and [out, r], or for a \
                 convolution [r, in, height, width] and [out, r, 1, 1]",
                shown(&up.name)
            );
            return Err(place.tensor(&down.name, reason));
        }
    };
    let alpha = pair.alpha.map(|info| one_value(place, checkpoint, &info)).transpose()?;
    let scale = scales.of(&target, rank, alpha).map_err(|reason| place.tensor(&down.name, reason))?;
    let turned = pair.embedding || (scales.is_turned() && down.shape.len() == 2);
    Ok(Update { target, down, up, rank, scale, turned })
}

/// The single value of a tensor.
fn one_value(place: &Place, checkpoint: &Checkpoint, info: &TensorInfo) -> Result<f64, CheckpointError> {
    if info.elements() != 1 {
        return Err(
            place.tensor(&info.name, format!("has the shape {:?}; accepted for a scale: one value", info.shape))
        );
    }
    let tensor = checkpoint.read_finite(&info.name)?;
    let integer = tensor.integers().map(|values| values[0] as f64);
    Ok(tensor.floats().map(|values| f64::from(values[0])).or(integer).unwrap_or_default())
}
