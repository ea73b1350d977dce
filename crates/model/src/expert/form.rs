//! How an expert is sent: its whole model, or the difference to the model that its device took.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Digest, LowRank, ModelError, ModelState, Values, Weights};

/// The prefix of factors among the tensors of a difference.
const FACTORS: &str = "low-rank";
const LEFT: &str = "left";
const RIGHT: &str = "right";
const SCALE: &str = "scale";

/// How an expert is sent.
#[derive(Debug, Clone)]
pub(super) enum Form {
    /// All tensors of the model.
    Whole,
    /// What is needed beside the parent.
    Difference(Difference),
}

/// The parts of a difference. Tensors that are in neither part are the parent's.
#[derive(Debug, Clone)]
pub(super) struct Difference {
    /// The names of the tensors that are sent as they are.
    changed: BTreeSet<String>,
    /// The factors of the tensors that are sent as an update of low rank.
    factors: BTreeMap<String, LowRank>,
}

impl Form {
    /// The tensors that are sent for this model.
    pub(super) fn sent(&self, model: &ModelState) -> Weights {
        match self {
            Form::Whole => model.weights.clone(),
            Form::Difference(difference) => difference.sent(model),
        }
    }

    /// The digest of the tensors that are sent for this model.
    pub(super) fn digest(&self, model: &ModelState) -> Digest {
        match self {
            Form::Whole => model.digest(),
            Form::Difference(difference) => difference.sent(model).digest(),
        }
    }
}

impl Difference {
    /// The difference that gives this model, without the tensors that equal the parent's. Returns the model with the values
    /// that the factors give.
    ///
    /// # Errors
    /// [`ModelError::Missing`] when the model lacks a tensor of its parent; otherwise as for [`read`](Self::read).
    pub(super) fn between(
        parent: &ModelState,
        model: ModelState,
        factors: BTreeMap<String, LowRank>,
    ) -> Result<(Self, ModelState), ModelError> {
        let base = base(parent, &model);
        let lacks = |name: &str| model.weights.get(name).is_none() && !factors.contains_key(name);
        if let Some((name, tensor)) = base.iter().find(|(name, _)| lacks(name)) {
            return Err(ModelError::Missing { name: name.to_owned(), expected: tensor.shape.clone() });
        }
        let left_out = |name: &str, tensor: &Values| {
            factors.contains_key(name) || base.get(name).is_some_and(|own| own.has_the_bits_of(tensor))
        };
        let changed = model.weights.iter().filter(|(name, tensor)| !left_out(name, tensor));
        let changed = changed.map(|(name, tensor)| (name.to_owned(), tensor.clone())).collect();
        Self::complete(parent, model, changed, factors)
    }

    /// Reads the tensors of a difference. `head` is the model's architecture and head; its weights are not used. Returns the
    /// complete model, too.
    ///
    /// # Errors
    /// [`ModelError::Difference`] or [`ModelError::Shape`] when the parts contradict each other or do not fit the parent, and
    /// [`ModelError::Unknown`] for a tensor that neither the parent nor the head has. All of them name the tensor.
    pub(super) fn read(
        parent: &ModelState,
        head: ModelState,
        sent: &Weights,
    ) -> Result<(Self, ModelState), ModelError> {
        let dotted = format!("{FACTORS}.");
        let changed = sent.iter().filter(|(name, _)| !name.starts_with(&dotted));
        let changed = changed.map(|(name, tensor)| (name.to_owned(), tensor.clone())).collect();
        Self::complete(parent, head, changed, factors(&sent.below(FACTORS))?)
    }

    fn complete(
        parent: &ModelState,
        model: ModelState,
        changed: Weights,
        factors: BTreeMap<String, LowRank>,
    ) -> Result<(Self, ModelState), ModelError> {
        same_architecture(parent, &model)?;
        let mut weights = base(parent, &model);
        for (name, tensor) in changed.iter() {
            fits(name, tensor, weights.get(name), &model)?;
            if factors.contains_key(name) {
                let reason = format!("the tensor `{name}` is sent as it is and as factors; accepted: one of the two");
                return Err(ModelError::Difference { reason });
            }
        }
        for (name, factors) in &factors {
            let Some(own) = weights.get(name) else {
                let reason = format!("has factors of the tensor `{name}`, which its parent lacks");
                return Err(ModelError::Difference { reason });
            };
            let updated = factors.applied_to(name, own)?;
            weights.insert(name.clone(), updated);
        }
        let names = changed.iter().map(|(name, _)| name.to_owned()).collect();
        changed.iter().for_each(|(name, tensor)| weights.insert(name, tensor.clone()));
        if let Some(head) = model.heads.iter().find(|head| weights.below(&head.prefix()).is_empty()) {
            let reason = format!("has no tensors of the head `{}`, and its parent has no such head", head.prefix());
            return Err(ModelError::Difference { reason });
        }
        weights.check_finite()?;
        Ok((Difference { changed: names, factors }, ModelState { weights, ..model }))
    }

    /// The tensors that are sent for this model: those that changed, and the factors.
    fn sent(&self, model: &ModelState) -> Weights {
        let own = self.changed.iter().filter_map(|name| Some((name.clone(), model.weights.get(name)?.clone())));
        let mut sent: Weights = own.collect();
        for (name, LowRank { left, right, scale }) in &self.factors {
            let scale = Values::of(vec![], vec![*scale]);
            let parts = [(LEFT, left.clone()), (RIGHT, right.clone()), (SCALE, scale)];
            let parts = parts.map(|(part, values)| (part.to_owned(), values)).into_iter().collect();
            sent.extend_below(&format!("{FACTORS}.{name}"), parts);
        }
        sent
    }
}

/// The parent's tensors that a model with these heads starts from.
fn base(parent: &ModelState, model: &ModelState) -> Weights {
    parent.with_heads(|head| model.heads.contains(head)).weights
}

fn same_architecture(parent: &ModelState, model: &ModelState) -> Result<(), ModelError> {
    let refuse = |what: &str, own: String, given: String| {
        let reason = format!("has the {what} {own}; accepted: that of its parent, {given}");
        Err(ModelError::Difference { reason })
    };
    let written = |model: &ModelState| {
        let text = |value: Result<serde_json::Value, _>| value.unwrap_or_default().to_string();
        [text(serde_json::to_value(&model.backbone)), text(serde_json::to_value(&model.classifier))]
    };
    let ([backbone, classifier], [given_backbone, given_classifier]) = (written(model), written(parent));
    if backbone != given_backbone {
        return refuse("backbone", backbone, given_backbone);
    }
    if classifier != given_classifier {
        return refuse("classifier", classifier, given_classifier);
    }
    if model.input != parent.input {
        return refuse("input", model.input.to_string(), parent.input.to_string());
    }
    Ok(())
}

/// Checks a tensor that is sent as it is. The parent has it in the same shape, or it belongs to the model's own head.
fn fits(name: &str, tensor: &Values, own: Option<&Values>, model: &ModelState) -> Result<(), ModelError> {
    match own {
        Some(own) if own.shape != tensor.shape => {
            let (found, expected) = (tensor.shape.clone(), own.shape.clone());
            Err(ModelError::Shape { name: name.to_owned(), found, expected })
        }
        Some(_) => Ok(()),
        None if model.heads.iter().any(|head| name.starts_with(&format!("{}.", head.prefix()))) => Ok(()),
        None => Err(ModelError::Unknown { name: name.to_owned() }),
    }
}

/// The factors among the tensors of a difference, by the tensor that they belong to.
fn factors(sent: &Weights) -> Result<BTreeMap<String, LowRank>, ModelError> {
    let full = |name: &str| format!("`{FACTORS}.{name}`");
    let refuse = |reason| ModelError::Difference { reason };
    let mut names = BTreeSet::new();
    for (name, _) in sent.iter() {
        let Some((tensor, LEFT | RIGHT | SCALE)) = name.rsplit_once('.') else {
            let accepted = format!("accepted: `{FACTORS}.NAME.{LEFT}`, `.{RIGHT}` and `.{SCALE}`");
            return Err(refuse(format!("has a tensor {}; {accepted}", full(name))));
        };
        names.insert(tensor);
    }
    let one = |tensor: &str| -> Result<LowRank, ModelError> {
        let part = |part: &str| {
            let name = format!("{tensor}.{part}");
            sent.get(&name).cloned().ok_or_else(|| refuse(format!("lacks the tensor {}", full(&name))))
        };
        let (left, right, scale) = (part(LEFT)?, part(RIGHT)?, part(SCALE)?);
        let Some([scale]) = scale.as_f64().filter(|_| scale.shape.is_empty()) else {
            let reason = format!("has a tensor {} of the shape {:?}", full(&format!("{tensor}.{SCALE}")), scale.shape);
            return Err(refuse(format!("{reason}; accepted: one number of 64 bits, of the shape []")));
        };
        Ok(LowRank { left, right, scale: *scale })
    };
    names.into_iter().map(|name| Ok((name.to_owned(), one(name)?))).collect()
}
